import type { PreparedAnswer } from './prepared-answer.js'
import type { PreparedIndex } from './prepared-index.js'

type Prepared = PreparedAnswer | PreparedIndex

/** The approximate maximum size in bytes of each generation of prepared answers. */
const MAX_BYTES = 4 * 1024 * 1024

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

  /** Returns the prepared answer of stored bytes. */
  of (stored: object): Prepared | undefined {
    const prepared = this.#young.get(stored)
    if (prepared !== undefined) return prepared
    const old = this.#old.get(stored)
    if (old !== undefined) this.add(stored, old)
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
