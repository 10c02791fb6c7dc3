import type { EarlyRequest } from './early-request.js'
import type { PreparedAnswer } from './prepared-answer.js'
import { PreparedIndex } from './prepared-index.js'

type Prepared = PreparedAnswer | PreparedIndex

/** The approximate maximum size in bytes of each generation of prepared answers. */
const MAX_BYTES = 8 * 1024 * 1024

/**
 * The bounded table of prepared answers, by the object that holds the stored bytes. The answers are in two generations: a full generation
 * becomes the old one, and an old answer that is used again moves to the new one. An answer is also garbage-collected with its stored
 * bytes.
 */
export class PreparedAnswers {
  #young = new WeakMap<object, Prepared>()
  #old = new WeakMap<object, Prepared>()
  /** The approximate bytes of the answers that were added to the young generation, those of collected answers included. */
  #bytes = 0

  /**
   * Returns the prepared answer of stored bytes if it is for this request. Another one is not moved to the new generation, since the caller
   * replaces it.
   */
  of (stored: object, request: EarlyRequest): Prepared | undefined {
    const young = this.#young.get(stored)
    if (young !== undefined) return isFor(young, request) ? young : undefined
    const old = this.#old.get(stored)
    if (old === undefined || !isFor(old, request)) return undefined
    this.add(stored, old)
    return old
  }

  /** Adds the prepared answer of stored bytes. */
  add (stored: object, prepared: Prepared): void {
    this.grow(prepared.bytes)
    this.#young.set(stored, prepared)
  }

  /** Counts bytes by which an answer in the table has grown. */
  grow (bytes: number): void {
    if (this.#bytes + bytes > MAX_BYTES && this.#bytes > 0) {
      this.#old = this.#young
      this.#young = new WeakMap()
      this.#bytes = 0
    }
    this.#bytes += bytes
  }
}

function isFor (prepared: Prepared, request: EarlyRequest): boolean {
  return prepared instanceof PreparedIndex || prepared.isFor(request)
}
