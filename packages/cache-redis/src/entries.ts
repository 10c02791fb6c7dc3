import { isCacheError, type CacheError } from '@x/cache-core'
import type { Codec, Decoded } from './codec.js'
import type { Client, Connection } from './connection.js'
import { isMark } from './frame.js'
import { GENERATION, type Keys } from './keys.js'
import type { Captured, TagTokens, Verdict } from './tag-tokens.js'

/** An entry that may be served. `leftMs` is what Redis says of its time, if it was asked. */
export interface Found { readonly decoded: Decoded; readonly isStale: boolean; readonly leftMs: number | undefined }

/** Whether to ask for the time that is left: at once, only if the entry turns out to need it. */
export interface Wish { readonly tags: readonly string[]; readonly wantsTime: boolean }

/** Tokens that were asked for beside the entry. */
type Asked = ReadonlyMap<string, Promise<Captured | undefined>>

const NONE_ASKED: Asked = new Map()
const GONE = -2

/**
 * Reads entries: one round trip while the generation and the tokens are known, or the caller names the tags; two otherwise.
 * Throws what the connection throws, and the codec's `CacheError`.
 */
export class Entries {
  readonly #connection: Connection
  readonly #keys: Keys
  readonly #tokens: TagTokens
  readonly #codec: Codec
  readonly #dataFor: (key: string) => Client
  #lastGeneration: string | undefined

  constructor (connection: Connection, keys: Keys, tokens: TagTokens, codec: Codec, dataFor: (key: string) => Client) {
    this.#connection = connection
    this.#keys = keys
    this.#tokens = tokens
    this.#codec = codec
    this.#dataFor = dataFor
  }

  /** The name of an entry in a generation: another generation, or another life of its server, is another name. */
  nameOf (generation: Captured, key: string): string {
    return this.#keys.entry(`${generation.token}${generation.fence}`, key)
  }

  /** What an entry on another master than its generation's has to say of its own; the generation's is in its name. */
  async ownFence (name: string): Promise<string | undefined> {
    const owner = this.#connection.ownerApart(name, this.#keys.generation)
    if (owner === undefined) return undefined
    const fence = await owner.identify()
    if (fence === undefined) throw new Error('no master is known for the entry')
    return fence
  }

  find (key: string, wish: Wish): Promise<Found | null> {
    const known = this.#tokens.remembered(GENERATION)
    // The usual read, without a promise that it can do without.
    if (known !== undefined && !wish.wantsTime && wish.tags.length === 0) {
      const name = this.nameOf(known, key)
      return this.#dataFor(name).getBuffer(name).then((stored) => isNone(stored) ? null : this.#open(name, stored, undefined, NONE_ASKED))
    }
    return this.#find(key, wish, known)
  }

  async #find (key: string, { tags, wantsTime }: Wish, known: Captured | undefined): Promise<Found | null> {
    const asked = new Map<string, Promise<Captured | undefined>>()
    for (const tag of tags) {
      if (this.#tokens.remembered(tag) === undefined) asked.set(tag, quiet(this.#tokens.ask(tag)))
    }
    const [name, stored, time] = known === undefined
      ? await this.#readInDoubt(key, wantsTime)
      : await this.#readNamed(this.nameOf(known, key), wantsTime)
    return isNone(stored) ? null : this.#open(name, stored, time, asked)
  }

  #open (name: string, stored: Buffer, time: number | undefined, asked: Asked): Found | null | Promise<Found | null> {
    const decoded = this.#codec.decode(stored)
    if (!(decoded instanceof Promise) && !(decoded instanceof Error) && decoded.windowMs === 0 && time === undefined &&
      asked.size === 0 && this.#isOfThisLife(name, decoded) && this.#tokens.proves(decoded.tags)) {
      return { decoded, isStale: false, leftMs: undefined }
    }
    return this.#look(name, decoded, time, asked)
  }

  async #look (name: string, decoding: ReturnType<Codec['decode']>, time: number | undefined, asked: Asked): Promise<Found | null> {
    const decoded = await decoding
    if (decoded instanceof Error) throw decoded
    let leftMs = time
    if (leftMs === undefined && decoded.windowMs > 0) leftMs = await this.#dataFor(name).pttl(name)
    if (leftMs === GONE) return null
    if (!this.#isOfThisLife(name, decoded)) {
      await this.#connection.ownerApart(name, this.#keys.generation)?.identify()
      if (!this.#isOfThisLife(name, decoded)) return null
    }
    const verdict = await this.#judge(decoded, asked)
    if (verdict === 'gone') return null
    return { decoded, isStale: verdict === 'stale' || (leftMs !== undefined && leftMs <= decoded.windowMs && decoded.windowMs > 0), leftMs }
  }

  /** All at once. A `CacheError` stands for an entry that cannot be read. */
  async findMany (keys: readonly string[]): Promise<(Found | CacheError | null)[]> {
    return Promise.all(keys.map((key) => this.find(key, { tags: [], wantsTime: false }).catch((error: unknown) => {
      if (isCacheError(error)) return error
      throw error
    })))
  }

  /**
   * Removes an entry from the generation that Redis has now. The one that is remembered may be over, without the message
   * being here yet: what lies under it is removed meanwhile, in the same round trip.
   */
  async remove (key: string): Promise<void> {
    const known = this.#tokens.remembered(GENERATION)
    const unlink = (generation: Captured): Promise<number> => {
      const name = this.nameOf(generation, key)
      return this.#dataFor(name).unlink(name)
    }
    const [current] = await Promise.all([this.#tokens.ask(GENERATION), known === undefined ? undefined : unlink(known)])
    // Without a generation there are no entries.
    if (current === undefined || (current.token === known?.token && current.fence === known.fence)) return
    await unlink(current)
  }

  async #readNamed (name: string, wantsTime: boolean): Promise<[string, Buffer | null, number | undefined]> {
    const client = this.#dataFor(name)
    if (!wantsTime) return [name, await client.getBuffer(name), undefined]
    const [stored, left] = await Promise.all([client.getBuffer(name), client.pttl(name)])
    return [name, stored, left]
  }

  /** Asks for the generation, and at the same time for the entry in the generation that was the last one known. */
  async #readInDoubt (key: string, wantsTime: boolean): Promise<[string, Buffer | null, number | undefined]> {
    const guess = this.#lastGeneration === undefined ? undefined : this.#keys.entry(this.#lastGeneration, key)
    const early = guess === undefined ? undefined : quiet(this.#readNamed(guess, wantsTime))
    const generation = await this.#tokens.ask(GENERATION)
    // Without a generation there are no entries.
    if (generation === undefined) return ['', null, undefined]
    this.#lastGeneration = `${generation.token}${generation.fence}`
    const name = this.nameOf(generation, key)
    return name === guess && early !== undefined ? early : this.#readNamed(name, wantsTime)
  }

  /** Whether the entry was stored on the master that has it now, in the same life: another may have lost what removed it. */
  #isOfThisLife (name: string, { ownFence }: Decoded): boolean {
    const owner = this.#connection.ownerApart(name, this.#keys.generation)
    return owner === undefined ? ownFence === undefined : ownFence !== undefined && owner.fence === ownFence
  }

  async #judge ({ tags }: Decoded, asked: Asked): Promise<Verdict> {
    let verdict: Verdict = 'fresh'
    const unsure = tags.filter((each) => asked.has(each.tag) || !this.#tokens.proves([each]))
    for (const each of await Promise.all(unsure.map((stored) => this.#tokens.judge(stored.tag, stored, asked.get(stored.tag))))) {
      if (each === 'gone') return each
      if (each === 'stale') verdict = each
    }
    return verdict
  }
}

/** Nothing is stored; a mark holds the place of a value that is being loaded. */
function isNone (stored: Buffer | null): stored is null {
  return stored === null || isMark(stored)
}

// Its answer may not be needed; a failure that nobody looks at is not an unhandled one.
function quiet<T> (promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
