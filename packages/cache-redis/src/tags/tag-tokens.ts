import type { CacheError } from '@x/cache-core'
import type { Captured } from '../entries/birthplace.js'
import type { Client, Connection } from '../connection/connection.js'
import type { EntryTag } from '../entries/frame.js'
import { GENERATION, newToken, type Keys } from '../entries/keys.js'
import { callMaster } from '../connection/master-call.js'
import type { Node } from '../connection/node.js'
import { SPARE_MS, TokenStore } from './token-store.js'
import { TokenMemory } from './tokens.js'

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
  /** Hears of a token that was not of this package's making, and was replaced; must not throw. */
  readonly onForeign: (error: CacheError) => void
}

/**
 * One random token per tag in Redis. An entry is valid if each of its tokens is still the current one, on a server that has
 * forgotten nothing since; equality with a token remembered here proves that while messages arrive, inequality proves
 * nothing. A token names the server that it was made on, and is replaced when another server has it: what was valid on a
 * server before a slot left it is not valid when the slot comes back. All that fails here throws: what cannot be proved is for the caller to refuse.
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
    const captured = this.#memory.get(tag)
    if (captured === undefined) return undefined
    // Without its messages, or where the slot has another master, the token may be over.
    const node = this.#connection.owner(this.#keys.token(tag))
    return node !== undefined && node.fence === captured.fence && node.isTrusted ? captured : undefined
  }

  /** Whether memory alone proves that an entry's tokens are the current ones. As `remembered`, without making anything. */
  proves (tags: readonly EntryTag[]): boolean {
    if (this.#options.isStrong) return tags.length === 0
    let trusted: Node | undefined
    for (const { tag, token, fence } of tags) {
      const captured = this.#memory.get(tag)
      if (captured?.token !== token || captured.fence !== fence) return false
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
    return this.#store.read(tag)
  }

  /** The tokens of tags, made where there are none. */
  async capture (tags: readonly string[], lifetimeMs: number): Promise<Map<string, Captured>> {
    const captured = new Map<string, Captured>()
    await Promise.all(tags.map(async (tag) => {
      captured.set(tag, this.remembered(tag) ?? await this.#store.seed(tag, lifetimeMs))
    }))
    return captured
  }

  /**
   * The tokens for a value that replaces another. The remembered generation may be over while its slot moves, and the value
   * that is replaced may lie in the next one: a Cluster is asked.
   */
  async captureForSet (tags: readonly string[], lifetimeMs: number): Promise<Map<string, Captured>> {
    if (!this.#connection.isCluster) return this.capture([GENERATION, ...tags], lifetimeMs)
    const [generation, captured] = await Promise.all([this.#store.seed(GENERATION, lifetimeMs), this.capture(tags, lifetimeMs)])
    return captured.set(GENERATION, generation)
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
