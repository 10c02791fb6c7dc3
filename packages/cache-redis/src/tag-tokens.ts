import type { TagSnapshot } from '@x/cache-core'
import type { Client, Connection } from './connection.js'
import type { EntryTag } from './frame.js'
import { GENERATION, newToken, type Keys } from './keys.js'
import type { Node } from './node.js'
import { TokenMemory } from './tokens.js'

/** A token with the fence of the server that it was read from. */
export interface Captured { readonly token: string; readonly fence: string }

/** What `capture` hands out: the generation, and the tokens of the tags. */
export class RedisSnapshot implements TagSnapshot {
  constructor (readonly generation: Captured, readonly tags: ReadonlyMap<string, Captured>) {}
}

/** Settings of the tokens. */
export interface TagTokensOptions {
  /** Tokens that are remembered. */
  readonly maxTags: number
  /** Nothing is relied on without asking. */
  readonly isStrong: boolean
  /** Replicas that must have an invalidation before it counts, and how long to wait for them. */
  readonly waitReplicas: number
  readonly waitMs: number
  readonly now: () => number
}

/** How an entry's tag stands: `stale` after a soft invalidation. */
export type Verdict = 'fresh' | 'stale' | 'gone'

/** Tokens live for at least so long, in ms, beyond the lifetime that asks for them: rarely extended, never immortal. */
const SPARE_MS = 3_600_000

/**
 * One random token per tag in Redis. An entry is valid if each of its tokens is still the current one, on a server that has
 * forgotten nothing since; equality with a token remembered here proves that while messages arrive, inequality proves
 * nothing. All that fails here throws: what cannot be proved is for the caller to refuse.
 */
export class TagTokens {
  readonly #connection: Connection
  readonly #keys: Keys
  readonly #memory: TokenMemory
  readonly #options: TagTokensOptions
  readonly #extendedUntil = new Map<string, { token: string; until: number }>()

  constructor (connection: Connection, keys: Keys, options: TagTokensOptions) {
    this.#connection = connection
    this.#keys = keys
    this.#options = options
    this.#memory = new TokenMemory(options.maxTags)
  }

  get known (): number { return this.#memory.size }

  /** Keys that Redis says have changed. */
  forgetKeys (keys: readonly string[]): void {
    for (const key of keys) {
      const tag = this.#keys.tagOf(key)
      if (tag !== undefined) this.#memory.forget(tag)
    }
  }

  forget (tags: readonly string[]): void {
    for (const tag of tags) this.#memory.forget(tag)
  }

  forgetAll (): void {
    this.#memory.forgetAll()
  }

  /** The token that this process may rely on without asking; never in strong mode. */
  remembered (tag: string): Captured | undefined {
    if (this.#options.isStrong) return undefined
    const token = this.#memory.get(tag)
    if (token === undefined) return undefined
    const node = this.#connection.owner(this.#keys.token(tag))
    return node?.isTrusted === true ? { token, fence: node.fence! } : undefined
  }

  /** Whether memory alone proves that an entry's tokens are the current ones. As `remembered`, without making anything. */
  proves (tags: readonly EntryTag[]): boolean {
    if (this.#options.isStrong) return tags.length === 0
    let trusted: Node | undefined
    for (const { tag, token, fence } of tags) {
      if (this.#memory.get(tag) !== token) return false
      const node = this.#connection.owner(this.#keys.token(tag))
      if (node?.fence !== fence) return false
      // They mostly lie on one node; to ask whether it is trusted takes a look at the clock.
      if (node !== trusted && !node.isTrusted) return false
      trusted = node
    }
    return true
  }

  /** The token as Redis has it now; `undefined` if there is none. */
  async ask (tag: string): Promise<Captured | undefined> {
    return this.#read(tag, (key) => this.#connection.client.get(key))
  }

  /** The tokens of tags, made where there are none. */
  async capture (tags: readonly string[], lifetimeMs: number): Promise<Map<string, Captured>> {
    const captured = new Map<string, Captured>()
    await Promise.all(tags.map(async (tag) => {
      captured.set(tag, this.remembered(tag) ?? await this.#seed(tag, lifetimeMs))
    }))
    return captured
  }

  /** What an entry's token says, with or without the answer of `ask` at hand. */
  async judge (tag: string, stored: Captured, asked?: Promise<Captured | undefined>): Promise<Verdict> {
    const remembered = asked === undefined ? this.remembered(tag) : undefined
    if (remembered?.fence === stored.fence && remembered.token === stored.token) return 'fresh'
    const current = await (asked ?? this.ask(tag))
    if (current === undefined || current.fence !== stored.fence) return 'gone'
    if (current.token === stored.token) return 'fresh'
    return hardPart(current.token) === hardPart(stored.token) ? 'stale' : 'gone'
  }

  /** Whether each token is the current one: proved by memory, else asked for, all in one round trip. */
  async areCurrent (tags: readonly EntryTag[]): Promise<boolean> {
    if (this.proves(tags)) return true
    const verdicts = await Promise.all(tags.map((stored) => this.judge(stored.tag, stored)))
    return verdicts.every((verdict) => verdict === 'fresh')
  }

  /** Makes tokens outlive an entry; a token that ends early makes it a miss, so nobody needs to wait for this. */
  async extend (tokens: ReadonlyMap<string, Captured>, lifetimeMs: number): Promise<void> {
    const now = this.#options.now()
    await Promise.all([...tokens].map(async ([tag, { token }]) => {
      const known = this.#extendedUntil.get(tag)
      if (known?.token === token && known.until >= now + lifetimeMs) return
      const left = await this.#connection.client.cacheExtend(
        this.#keys.token(tag), Math.ceil(lifetimeMs), Math.ceil(2 * lifetimeMs + SPARE_MS))
      this.#noteExtended(tag, token, now + left)
    }))
  }

  /** Removes a token; with it go all entries of the tag. */
  async invalidate (tag: string): Promise<void> {
    await this.#change(tag, (client, key) => client.unlink(key))
  }

  /** Makes all entries of the tag stale. */
  async soften (tag: string): Promise<void> {
    await this.#change(tag, (client, key) => client.cacheSoften(key, newToken()))
  }

  async #change (tag: string, send: (client: Client, key: string) => Promise<unknown>): Promise<void> {
    const key = this.#keys.token(tag)
    this.#memory.forget(tag)
    const { waitReplicas, waitMs } = this.#options
    if (waitReplicas === 0) {
      await send(this.#connection.client, key)
    } else {
      // WAIT holds up all that follows on its connection, and speaks of the writes of that connection alone.
      const writer = this.#connection.owner(key)?.writer
      if (writer === undefined) throw new Error('no master is known for the tag')
      await send(writer, key)
      const replicas = await writer.wait(waitReplicas, Math.ceil(waitMs))
      if (replicas < waitReplicas) throw new Error(`only ${replicas} of ${waitReplicas} replicas have the invalidation`)
    }
    this.#memory.forget(tag)
  }

  async #seed (tag: string, lifetimeMs: number): Promise<Captured> {
    const made = newToken()
    const ttlMs = Math.ceil(2 * lifetimeMs + SPARE_MS)
    const seeded = await this.#read(tag, async (key) => {
      const before = await this.#connection.client.call('SET', key, made, 'NX', 'GET', 'PX', String(ttlMs))
      return before === null ? made : String(before)
    })
    return seeded!
  }

  /** Throws if it is not certain which server answered, in which of its lives. */
  async #read (tag: string, send: (key: string) => Promise<string | null>): Promise<Captured | undefined> {
    const key = this.#keys.token(tag)
    const before = this.#connection.owner(key)
    const fence = before?.fence ?? await before?.identify()
    const read = this.#memory.begin(tag)
    let token: string | null | undefined
    try {
      token = await send(key)
      if (fence === undefined || before?.fence !== fence || this.#connection.owner(key) !== before) {
        token = undefined
        throw new Error('the server that answered changed meanwhile')
      }
    } finally {
      this.#memory.end(read, before?.isTrusted === true ? token : undefined)
    }
    return token === null ? undefined : { token, fence }
  }

  #noteExtended (tag: string, token: string, until: number): void {
    this.#extendedUntil.delete(tag)
    if (this.#extendedUntil.size >= this.#options.maxTags) this.#extendedUntil.delete(this.#extendedUntil.keys().next().value!)
    this.#extendedUntil.set(tag, { token, until })
  }
}

/** The generation counts as a tag of every entry. */
export { GENERATION }

function hardPart (token: string): string {
  const dot = token.indexOf('.')
  return dot < 0 ? token : token.slice(0, dot)
}
