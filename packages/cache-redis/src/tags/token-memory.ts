import { LRUCache } from 'lru-cache'
import type { BoundToken } from '../entries/bound-token.js'
import { PendingReads, type PendingRead } from '../tracking/pending-reads.js'

/**
 * The tokens that this process remembers. Invalidation messages only remove tokens. A token is added by a read during which no message
 * about it arrived and messages were trusted; otherwise a slow reply would bring an old token back.
 */
export class TokenMemory {
  /**
   * The version of the remembered tokens, which grows whenever a token is forgotten or replaced. A proof by the tokens of one version is
   * valid as long as the version is the same.
   */
  version = 0
  readonly #tokens: LRUCache<string, BoundToken>
  readonly #reads = new PendingReads()

  constructor (maxTags: number) {
    this.#tokens = new LRUCache({ max: maxTags })
  }

  get size (): number { return this.#tokens.size }

  get (tag: string): BoundToken | undefined {
    return this.#tokens.get(tag)
  }

  begin (tag: string): PendingRead {
    return this.#reads.begin(tag)
  }

  /** Ends the read of a token from Redis, and remembers the token unless a message about it has arrived since the read began. */
  end (read: PendingRead, token?: BoundToken): void {
    if (!this.#reads.end(read) || token === undefined) return
    const known = this.#tokens.get(read.name)
    if (known?.token !== token.token || known.serverId !== token.serverId) this.version++
    this.#tokens.set(read.name, token)
  }

  forget (tag: string): void {
    this.version++
    this.#tokens.delete(tag)
    this.#reads.outdate(tag)
  }

  forgetAll (): void {
    this.version++
    this.#tokens.clear()
    this.#reads.outdateAll()
  }
}
