import type { SetOptions } from '@x/cache-core'
import { MAX_TTL } from '@x/cache-core/implementing'
import type { Connection } from '../connection/connection.js'
import { sendTogether } from '../connection/send-together.js'
import type { NearCache } from '../near/near-cache.js'
import { RedisSnapshot } from '../tags/snapshot.js'
import type { TagTokens } from '../tags/tag-tokens.js'
import type { BoundToken } from './bound-token.js'
import type { Codec, Serialised } from './codec.js'
import type { Entries } from './entry-store.js'
import type { EntryTouch } from './entry-touch.js'
import { GENERATION } from './keys.js'
import { RedisLease, type Leases } from './leases.js'
import { quiet } from './quiet.js'

/** The functions and objects with which entries are written. */
export interface EntryWriterDeps {
  readonly connection: Connection
  readonly tokens: TagTokens
  readonly entries: Entries
  readonly leases: Leases
  readonly codec: Codec
  readonly lifetimes: EntryTouch
  /** The copies of entries in this process (the near cache); `undefined`: there is none. */
  readonly near?: NearCache | undefined
  /** The ttl in seconds for an entry if `set` gives no ttl. */
  readonly defaultTtl: number
  /** Milliseconds after the call of `set` after which a store is not sent any more. */
  readonly commandTimeoutMs: number
  /** Returns the time in milliseconds of a clock that does not run backwards. */
  readonly now: () => number
}

/** Writes entries, and removes them, in the order of the calls for each key. */
export class EntryWriter {
  readonly #deps: EntryWriterDeps
  /** The last pending write of each key; its promise resolves when the write has ended, with or without success. */
  readonly #writes = new Map<string, Promise<void>>()
  /** The read of the generation that all writes of this tick share; `undefined` from the next tick on. */
  #generation: Promise<BoundToken | undefined> | undefined

  constructor (deps: EntryWriterDeps) {
    this.#deps = deps
  }

  /**
   * Stores a value; rejects if earlier writes of the key delayed it beyond `commandTimeoutMs`.
   *
   * @param calledAt when `set` was called, in milliseconds of `now`
   */
  store (key: string, serialised: Serialised, options: SetOptions, calledAt: number): Promise<void> {
    const { connection, tokens, commandTimeoutMs, now } = this.#deps
    return this.#inOrder(key, async () => {
      const inTime = (): void => {
        // A late store of a value is not sent: the caller already has a failure, and other processes may have written the key since.
        if (now() - calledAt >= commandTimeoutMs) throw new Error('the time for the store was over before it was sent')
      }
      inTime()
      // The remembered generation is not used for a loaded value, which has the generation of its snapshot.
      // It is not used in a Cluster either, where `captureForSet` reads the generation first.
      const known = options.snapshot === undefined && !connection.isCluster ? tokens.remembered(GENERATION) : undefined
      if (known === undefined) return this.#write(key, serialised, options, inTime)
      // The remembered generation may be outdated until its invalidation message arrives, so the current one is read at the same time. If
      // they differ, the entry is written again in the current generation.
      const asked = quiet(this.#askGeneration())
      await this.#write(key, serialised, options, inTime)
      const current = await asked
      if (current === undefined || (current.token === known.token && current.serverId === known.serverId)) return
      await this.#write(key, serialised, options, inTime)
    })
  }

  /** Removes an entry, after the pending writes of its key. */
  remove (key: string): Promise<void> {
    return this.#inOrder(key, () => this.#deps.entries.remove(key))
  }

  /** Sets the ttl of an entry, after the pending writes of its key; returns whether there is a valid entry. */
  touch (key: string, ttlMs: number): Promise<boolean> {
    return this.#inOrder(key, () => this.#deps.lifetimes.touch(key, ttlMs))
  }

  /** Reads the generation from Redis; all writes of one tick share one command. */
  #askGeneration (): Promise<BoundToken | undefined> {
    if (this.#generation === undefined) {
      process.nextTick(() => { this.#generation = undefined })
      sendTogether(this.#deps.connection.client)
      this.#generation = this.#deps.tokens.ask(GENERATION)
    }
    return this.#generation
  }

  /**
   * Writes an entry to Redis, and extends the expiry of its tokens.
   *
   * @param inTime throws if the store is too late to be sent; called before each attempt, since an attempt may wait for a failover
   */
  async #write (key: string, serialised: Serialised, options: SetOptions, inTime: () => void): Promise<void> {
    const { codec, defaultTtl, entries, leases } = this.#deps
    const ttlMs = Math.max(1, Math.round(Math.min(options.ttl ?? defaultTtl, MAX_TTL) * 1000))
    const windowMs = Math.round(Math.min(Math.max(options.staleWhileRevalidate ?? 0, options.staleIfError ?? 0), MAX_TTL) * 1000)
    const lifetimeMs = ttlMs + windowMs
    const tokens = await this.#tokensFor(options, lifetimeMs)
    const generation = tokens.get(GENERATION)!
    const tags = [...tokens].filter(([tag]) => tag !== GENERATION).map(([tag, captured]) => ({ tag, ...captured }))
    const name = entries.nameOf(generation, key)
    const encode = (ownServerId: string | undefined): Promise<Buffer | string> => {
      inTime()
      return codec.encode(serialised, { ttlMs, windowMs, ownServerId, tags })
    }
    const { snapshot } = options
    const leased = snapshot instanceof RedisLease && snapshot.slot.name === name ? snapshot : undefined
    // Tokens are extended while the entry is written, since a token that expires before its entry makes the entry a miss. The write is
    // awaited first: if a failed extension ended this function during the write, the next write or removal of the key would overtake it.
    const extended = quiet(this.#deps.tokens.extend(tokens, lifetimeMs))
    await (leased === undefined ? entries.write(name, generation, lifetimeMs, encode) : leases.store(leased, lifetimeMs, encode))
    await extended
  }

  async #tokensFor ({ tags, snapshot }: SetOptions, lifetimeMs: number): Promise<Map<string, BoundToken>> {
    if (!(snapshot instanceof RedisSnapshot)) return this.#deps.tokens.captureForSet(tags ?? [], lifetimeMs)
    const tokens = new Map([[GENERATION, snapshot.generation]])
    const missing: string[] = []
    for (const tag of tags ?? snapshot.tags.keys()) {
      const captured = snapshot.tags.get(tag)
      if (captured === undefined) missing.push(tag)
      else tokens.set(tag, captured)
    }
    if (missing.length > 0) for (const each of await this.#deps.tokens.capture(missing, lifetimeMs)) tokens.set(...each)
    return tokens
  }

  /**
   * Runs the writes of one key one after the other. Otherwise a value that is compressed, or whose tokens are read first, could be sent
   * after a value that was set later. In a Cluster a redirected command, or a command sent again after a failover, arrives later.
   */
  #inOrder<T> (key: string, write: () => Promise<T>): Promise<T> {
    const before = this.#writes.get(key)
    const { near } = this.#deps
    near?.forget(key)
    const written = before === undefined ? write() : before.then(write)
    const end = (): void => {
      if (this.#writes.get(key) === ended) this.#writes.delete(key)
      // The copy in the near cache is removed again after the write. A read that was sent before the write may have returned the earlier
      // value, and the message about the write may still be on its way. This callback runs before those of the caller.
      near?.forget(key)
    }
    const ended = written.then(end, end)
    this.#writes.set(key, ended)
    return written
  }
}
