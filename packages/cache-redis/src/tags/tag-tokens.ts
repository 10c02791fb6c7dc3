import type { CacheError } from '@x/cache-core'
import type { BoundToken } from '../entries/bound-token.js'
import type { Client, Connection } from '../connection/connection.js'
import type { EntryTag } from '../entries/frame.js'
import { GENERATION, newToken, type Keys } from '../entries/keys.js'
import { callMaster } from '../connection/master-call.js'
import type { Node } from '../connection/node.js'
import { SPARE_MS, TokenStore } from './token-store.js'
import { TokenMemory } from './token-memory.js'

/** The settings of `TagTokens`, which reads, remembers and replaces the tokens of tags. */
export interface TagTokensOptions {
  /** The maximum number of tags whose tokens this process remembers. */
  readonly maxTags: number
  /** Whether the token of a tag is always read from Redis, even if this process remembers it. */
  readonly isStrong: boolean
  /** The number of replicas that must acknowledge an invalidation within `waitMs` milliseconds. */
  readonly waitReplicas: number
  readonly waitMs: number
  readonly now: () => number
  /** Called with the error of a token that foreign software wrote and that was replaced; must not throw. */
  readonly onForeign: (error: CacheError) => void
}

/**
 * The tokens of tags: one random token per tag in Redis, and the tokens that this process remembers. An entry is valid if each of its
 * tokens is still the current one, on a server that has lost no write since the entry was stored. While messages arrive, an entry's token
 * is current if it equals the remembered token; if it differs, nothing is known. Methods reject when Redis does not answer: the caller must
 * then refuse the entry.
 */
export class TagTokens {
  readonly #connection: Connection
  readonly #keys: Keys
  readonly #memory: TokenMemory
  readonly #store: TokenStore
  readonly #options: TagTokensOptions
  readonly #extendedUntil = new Map<string, { token: string; until: number }>()

  constructor (connection: Connection, keys: Keys, options: TagTokensOptions) {
    this.#connection = connection
    this.#keys = keys
    this.#options = options
    this.#memory = new TokenMemory(options.maxTags)
    this.#store = new TokenStore(connection, keys, this.#memory, options.onForeign)
  }

  get known (): number { return this.#memory.size }
  /** The version of the remembered tokens, which grows whenever a token is forgotten or replaced. */
  get version (): number { return this.#memory.version }

  /** Forgets the tokens whose Redis keys have changed according to an invalidation message. */
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

  /** Returns the remembered token of a tag if it can be relied on without a read from Redis; always `undefined` in strong mode. */
  remembered (tag: string): BoundToken | undefined {
    if (this.#options.isStrong) return undefined
    const captured = this.#memory.get(tag)
    if (captured === undefined) return undefined
    // The remembered token may be outdated if messages of its master are missing, or if its Cluster slot has moved to another master.
    const node = this.#connection.owner(this.#keys.token(tag))
    return node !== undefined && node.serverId === captured.serverId && node.isTrusted ? captured : undefined
  }

  /**
   * Whether remembered tokens prove that the tokens of an entry are the current ones. Each token is checked as in `remembered`, which
   * returns a single token; here no object is allocated.
   *
   * @param trusted the master whose messages are known to arrive now
   */
  proves (tags: readonly EntryTag[], trusted?: Node): boolean {
    if (this.#options.isStrong) return tags.length === 0
    for (const { tag, token, serverId } of tags) {
      const captured = this.#memory.get(tag)
      if (captured?.token !== token || captured.serverId !== serverId) return false
      const node = this.#connection.owner(this.#keys.token(tag))
      if (node?.serverId !== serverId) return false
      // A master that the caller or an earlier token has found trusted is not checked again, since `isTrusted` reads the clock.
      if (node !== trusted && !node.isTrusted) return false
      trusted = node
    }
    return true
  }

  /** Reads the token of a tag from Redis; `undefined` if Redis has none. */
  async ask (tag: string): Promise<BoundToken | undefined> {
    return this.#store.read(tag)
  }

  /** Returns the tokens of tags, by tag; missing tokens are made in Redis. */
  async capture (tags: readonly string[], lifetimeMs: number): Promise<Map<string, BoundToken>> {
    const captured = new Map<string, BoundToken>()
    await Promise.all(tags.map(async (tag) => {
      captured.set(tag, this.remembered(tag) ?? await this.#store.seed(tag, lifetimeMs))
    }))
    return captured
  }

  /**
   * Returns the tokens for a value that is set without a snapshot. In a Cluster the generation is read from Redis: the remembered one may
   * be outdated while its slot moves, and the replaced value may be in the next generation.
   */
  async captureForSet (tags: readonly string[], lifetimeMs: number): Promise<Map<string, BoundToken>> {
    if (!this.#connection.isCluster) return this.capture([GENERATION, ...tags], lifetimeMs)
    const [generation, captured] = await Promise.all([this.#store.seed(GENERATION, lifetimeMs), this.capture(tags, lifetimeMs)])
    return captured.set(GENERATION, generation)
  }

  /** Extends the expiry of an entry's tokens beyond that of the entry. A token that expires first makes the entry a miss. */
  async extend (tokens: ReadonlyMap<string, BoundToken>, lifetimeMs: number): Promise<void> {
    const now = this.#options.now()
    await Promise.all([...tokens].map(async ([tag, { token }]) => {
      const known = this.#extendedUntil.get(tag)
      if (known?.token === token && known.until >= now + lifetimeMs) return
      const left = await this.#connection.client.cacheExtend(
        this.#keys.token(tag), Math.ceil(lifetimeMs), Math.ceil(2 * lifetimeMs + SPARE_MS))
      this.#noteExtended(tag, token, now + left)
    }))
  }

  /** Removes the token of a tag, which invalidates all entries of the tag. */
  async invalidate (tag: string): Promise<void> {
    await this.#change(tag, (client, key) => client.unlink(key))
  }

  /** Replaces the soft part of a tag's token, which makes all entries of the tag stale. */
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
      // WAIT uses a connection of its own: WAIT delays all later commands of its connection, and covers only the writes of that connection.
      const { node } = await callMaster(this.#connection, key, (writer) => send(writer, key), { connectionOf: ({ writer }) => writer })
      const replicas = await node.writer.wait(waitReplicas, Math.ceil(waitMs))
      if (replicas < waitReplicas) throw new Error(`only ${replicas} of ${waitReplicas} replicas have the invalidation`)
    }
    this.#memory.forget(tag)
  }

  #noteExtended (tag: string, token: string, until: number): void {
    this.#extendedUntil.delete(tag)
    if (this.#extendedUntil.size >= this.#options.maxTags) this.#extendedUntil.delete(this.#extendedUntil.keys().next().value!)
    this.#extendedUntil.set(tag, { token, until })
  }
}
