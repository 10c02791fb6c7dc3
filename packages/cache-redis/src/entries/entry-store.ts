import { isCacheError, type CacheError } from '@x/cache-core'
import type { BoundToken } from './bound-token.js'
import type { Codec, DecodedPayload } from './codec.js'
import type { Client, Connection } from '../connection/connection.js'
import type { FoundEntry, StoredEntry } from './found-entry.js'
import { isMark } from './frame.js'
import { GENERATION, type Keys } from './keys.js'
import { callMaster } from '../connection/master-call.js'
import { toCacheError } from '../connection/redis-errors.js'
import type { NearCache } from '../near/near-cache.js'
import type { TagTokens } from '../tags/tag-tokens.js'
import { quiet } from './quiet.js'
import { NONE_ASKED, type AskedTokens, type Place, type Validity, type ValidityVerdict } from './validity.js'

/**
 * Options of a read of an entry from Redis. `tags`: the tokens of these tags are read at the same time as the entry. `wantsTime`: the
 * remaining lifetime is read together with the entry; otherwise PTTL is sent only for an entry with a stale window. `isDirect`: the entry
 * is read from Redis, even if this process holds a copy.
 */
export interface ReadOptions { readonly tags: readonly string[]; readonly wantsTime: boolean; readonly isDirect: boolean }

/** The stored bytes of an entry with its place in Redis, and the reply of PTTL if PTTL was sent. */
interface Stored { readonly place: Place; readonly bytes: Buffer | null; readonly time: number | undefined }

/** The functions and objects with which entries are read and written. */
export interface EntriesDeps {
  readonly connection: Connection
  readonly keys: Keys
  readonly tokens: TagTokens
  readonly validity: Validity
  readonly codec: Codec
  /** The copies of entries in this process; `undefined`: there is no near cache, so every read goes to Redis. */
  readonly near?: NearCache | undefined
  /** Returns the Redis client whose connection is used for the entry of a Redis key. */
  readonly dataFor: (name: string) => Client
  /** Returns the value of a Redis key as `Lanes.read` does; not for a Cluster. */
  readonly read: (name: string) => Promise<Buffer | null>
}

/**
 * Reads and writes entries. A read takes one round trip if the generation is remembered, and if the tokens are remembered or the caller
 * names the tags; otherwise it takes two. The methods reject with the error of the connection, or the codec's `CacheError`.
 */
export class Entries {
  readonly #connection: Connection
  readonly #keys: Keys
  readonly #tokens: TagTokens
  readonly #validity: Validity
  readonly #codec: Codec
  readonly #near: NearCache | undefined
  readonly #dataFor: (key: string) => Client
  readonly #read: (name: string) => Promise<Buffer | null>
  #lastGeneration: BoundToken | undefined

  constructor ({ connection, keys, tokens, validity, codec, near, dataFor, read }: EntriesDeps) {
    this.#connection = connection
    this.#keys = keys
    this.#tokens = tokens
    this.#validity = validity
    this.#codec = codec
    this.#near = near
    this.#dataFor = dataFor
    this.#read = read
  }

  /**
   * Returns the Redis key of an entry. The Redis key contains the token of the generation and the server identity of the master on which
   * this token was made, so that the Redis key changes with both.
   */
  nameOf (generation: BoundToken, key: string): string {
    return this.#keys.entry(`${generation.token}${generation.serverId}`, key)
  }

  /**
   * Writes an entry to Redis. Its Redis key contains the server identity of the master on which the token of the generation was made. In a
   * Cluster an entry on another master also contains the identity of that master, which `encode` receives. After a redirection `encode` is
   * called again, since the slot table may name another master than the one that answers.
   */
  async write (
    name: string, generation: BoundToken, lifetimeMs: number, encode: (ownServerId: string | undefined) => Promise<Buffer | string>
  ): Promise<void> {
    if (!this.#connection.isCluster) {
      await this.#dataFor(name).set(name, await encode(undefined), 'PX', lifetimeMs)
      return
    }
    await callMaster(this.#connection, name, (redis, _serverId, payload: Buffer | string) => redis.set(name, payload, 'PX', lifetimeMs), {
      prepare: (serverId) => encode(serverId === generation.serverId ? undefined : serverId)
    })
  }

  find (key: string, options: ReadOptions): Promise<FoundEntry | null> {
    if (this.#near !== undefined) return this.#findNear(this.#near, key, options)
    const known = this.#tokens.remembered(GENERATION)
    // The most frequent read, with a remembered generation and without tags, has a separate path with as few promises as possible.
    if (known !== undefined && !options.wantsTime && options.tags.length === 0) {
      return this.#get(known, key, (place, bytes) => isNone(bytes) ? null : this.#open(place, bytes, undefined, NONE_ASKED))
    }
    return this.#find(key, options, known)
  }

  #findNear (near: NearCache, key: string, options: ReadOptions): Promise<FoundEntry | null> {
    const held = options.isDirect ? undefined : near.find(key)
    return held === undefined ? this.#findAndHold(near, key, options.tags) : Promise.resolve(held)
  }

  /**
   * Reads an entry from Redis, and holds a copy of it in the near cache. PTTL is always sent, so that the copy expires in time: Redis may
   * remove an expired entry after its expiry, and sends the message about the entry only then.
   */
  async #findAndHold (near: NearCache, key: string, tags: readonly string[]): Promise<FoundEntry | null> {
    const read = near.begin(key)
    let found: StoredEntry | null = null
    try {
      found = await this.#find(key, { tags, wantsTime: true }, this.#tokens.remembered(GENERATION))
    } finally {
      near.end(read, found)
    }
    return found
  }

  async #find (key: string, { tags, wantsTime }: Omit<ReadOptions, 'isDirect'>, known: BoundToken | undefined): Promise<StoredEntry | null> {
    const asked = new Map<string, Promise<BoundToken | undefined>>()
    for (const tag of tags) {
      if (this.#tokens.remembered(tag) === undefined) asked.set(tag, quiet(this.#tokens.ask(tag)))
    }
    const stored = known === undefined ? await this.#readInDoubt(key, wantsTime) : await this.#readNamed(known, key, wantsTime)
    return stored === undefined || isNone(stored.bytes) ? null : this.#open(stored.place, stored.bytes, stored.time, asked)
  }

  #open (place: Place, stored: Buffer, time: number | undefined, asked: AskedTokens): StoredEntry | null | Promise<StoredEntry | null> {
    const decoded = this.#codec.decode(stored)
    if (decoded instanceof Promise) return decoded.then((inflated) => this.#serve(place, inflated, time, asked))
    return this.#serve(place, decoded, time, asked)
  }

  #serve (
    place: Place, decoded: DecodedPayload | CacheError, time: number | undefined, asked: AskedTokens
  ): StoredEntry | null | Promise<StoredEntry | null> {
    if (decoded instanceof Error) throw decoded
    if (time === undefined && decoded.windowMs > 0) {
      return this.#dataFor(place.name).pttl(place.name).then((leftMs) => this.#judge(place, decoded, leftMs, asked))
    }
    return this.#judge(place, decoded, time, asked)
  }

  #judge (
    place: Place, decoded: DecodedPayload, leftMs: number | undefined, asked: AskedTokens
  ): StoredEntry | null | Promise<StoredEntry | null> {
    const verdict = this.#validity.judge(place, decoded, leftMs, asked)
    if (typeof verdict !== 'string') return verdict.then((judged) => toStoredEntry(judged, place, decoded, leftMs))
    return toStoredEntry(verdict, place, decoded, leftMs)
  }

  /** Reads several entries from Redis at the same time. An entry that cannot be read, or has another type, gives its `CacheError`. */
  async findMany (keys: readonly string[]): Promise<(FoundEntry | CacheError | null)[]> {
    return Promise.all(keys.map((key) => this.find(key, { tags: [], wantsTime: false, isDirect: false }).catch((error: unknown) => {
      const coded = toCacheError('getMany', error)
      if (isCacheError(error) || coded.code === 'CACHE_ERR_CORRUPT') return coded
      throw error
    })))
  }

  /**
   * Removes an entry from the generation that Redis has now. The remembered generation may be outdated until its invalidation
   * message arrives, so the entry in the remembered generation is removed in the same round trip.
   */
  async remove (key: string): Promise<void> {
    const known = this.#tokens.remembered(GENERATION)
    const unlink = (generation: BoundToken): Promise<number> => {
      const name = this.nameOf(generation, key)
      return this.#dataFor(name).unlink(name)
    }
    const [current] = await Promise.all([this.#tokens.ask(GENERATION), known === undefined ? undefined : unlink(known)])
    // Without a generation Redis has no entries of this cache, so there is nothing to remove.
    if (current === undefined || (current.token === known?.token && current.serverId === known.serverId)) return
    await unlink(current)
  }

  /**
   * Reads an entry from Redis; `use` makes the result from its bytes and from its place, which includes the master that answered. In a
   * Cluster the command goes to the connection of the master that has the key. The answering master is checked, since a client of the app's
   * own may resend a command to another server, which may lack a removal.
   */
  #get<T> (generation: BoundToken, key: string, use: (place: Place, bytes: Buffer | null) => T | Promise<T>): Promise<T> {
    const name = this.nameOf(generation, key)
    this.#lastGeneration = generation
    if (!this.#connection.isCluster) {
      const node = this.#connection.owner(name)
      return this.#read(name).then((bytes) => use({ name, generation, node }, bytes))
    }
    return callMaster(this.#connection, name, (redis) => redis.getBuffer(name))
      .then(({ value, node }) => use({ name, generation, node }, value))
  }

  async #readNamed (generation: BoundToken, key: string, wantsTime: boolean): Promise<Stored> {
    const name = this.nameOf(generation, key)
    const reading = this.#get(generation, key, (place, bytes) => ({ place, bytes, time: undefined }))
    if (!wantsTime) return reading
    const [stored, time] = await Promise.all([reading, this.#dataFor(name).pttl(name)])
    return { ...stored, time }
  }

  /** Reads the generation from Redis, and at the same time the entry in the generation that was last known. */
  async #readInDoubt (key: string, wantsTime: boolean): Promise<Stored | undefined> {
    const guess = this.#lastGeneration
    const early = guess === undefined ? undefined : quiet(this.#readNamed(guess, key, wantsTime))
    const generation = await this.#tokens.ask(GENERATION)
    // Without a generation Redis has no entries of this cache, so the read is a miss.
    if (generation === undefined) return undefined
    this.#lastGeneration = generation
    const isGuessed = early !== undefined && generation.token === guess?.token && generation.serverId === guess.serverId
    return isGuessed ? early : this.#readNamed(generation, key, wantsTime)
  }
}

function toStoredEntry (verdict: ValidityVerdict, place: Place, decoded: DecodedPayload, leftMs: number | undefined): StoredEntry | null {
  return verdict === 'gone' ? null : { decoded, isStale: verdict === 'stale', leftMs, place }
}

/** Whether a Redis key has no entry: it is empty, or has a mark, which reserves the place of a value that is being loaded. */
function isNone (stored: Buffer | null): stored is null {
  return stored === null || isMark(stored)
}
