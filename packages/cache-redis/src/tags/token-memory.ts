import { LRUCache } from 'lru-cache'
import type { BoundToken } from '../entries/bound-token.js'

/** A pending read of a token. `isOutdated`: the token may have changed since the read was sent, so its reply is not remembered. */
export interface TokenRead { readonly tag: string; isOutdated: boolean }

/**
 * The tokens that this process remembers. Invalidation messages only remove tokens. A token is added by a read during which no message for
 * it arrived and trust did not end; otherwise a slow reply would bring an old token back.
 */
export class TokenMemory {
  readonly #tokens: LRUCache<string, BoundToken>
  readonly #reads = new Map<string, Set<TokenRead>>()

  constructor (maxTags: number) {
    this.#tokens = new LRUCache({ max: maxTags })
  }

  get size (): number { return this.#tokens.size }

  get (tag: string): BoundToken | undefined {
    return this.#tokens.get(tag)
  }

  begin (tag: string): TokenRead {
    const read: TokenRead = { tag, isOutdated: false }
    const reads = this.#reads.get(tag)
    if (reads === undefined) this.#reads.set(tag, new Set([read]))
    else reads.add(read)
    return read
  }

  /** Ends a read, and remembers its token unless the read is outdated. */
  end (read: TokenRead, token?: BoundToken): void {
    const reads = this.#reads.get(read.tag)
    if (reads?.delete(read) === true && reads.size === 0) this.#reads.delete(read.tag)
    if (token !== undefined && !read.isOutdated) this.#tokens.set(read.tag, token)
  }

  forget (tag: string): void {
    this.#tokens.delete(tag)
    for (const read of this.#reads.get(tag) ?? []) read.isOutdated = true
  }

  forgetAll (): void {
    this.#tokens.clear()
    for (const reads of this.#reads.values()) {
      for (const read of reads) read.isOutdated = true
    }
  }
}
