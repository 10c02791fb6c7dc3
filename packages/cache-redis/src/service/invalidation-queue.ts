/** A removal of entries (`del`, `clear` or an invalidation) that Redis has not acknowledged. */
export type Removal =
  | { readonly kind: 'del'; readonly name: string }
  | { readonly kind: 'tag'; readonly name: string }
  | { readonly kind: 'soft'; readonly name: string }
  | { readonly kind: 'clear' }

const BATCH = 100

/**
 * The removals of entries that Redis did not acknowledge, each of them once. Removals are idempotent, so a removal can be sent again. If
 * the queue is full, one `clear` replaces all removals.
 */
export class InvalidationQueue {
  readonly #waiting = new Map<string, Removal>()
  readonly #max: number
  #sending = 0

  constructor (max: number) {
    this.#max = max
  }

  /** The number of removals that wait in the queue, or that were sent and have no reply yet. */
  get size (): number { return this.#waiting.size + this.#sending }

  add (removals: readonly Removal[]): void {
    for (const removal of removals) {
      if (this.#waiting.has('clear')) return
      if (removal.kind === 'clear' || (this.#waiting.size >= this.#max && !this.#waiting.has(idOf(removal)))) {
        this.#waiting.clear()
        this.#waiting.set('clear', { kind: 'clear' })
      } else {
        this.#waiting.set(idOf(removal), removal)
      }
    }
  }

  /**
   * Sends the waiting removals in batches, oldest first; resolves with `true` if no removal is left. `send` resolves with whether Redis
   * acknowledged the removal, and must not reject.
   */
  async replay (send: (removal: Removal) => Promise<boolean>): Promise<boolean> {
    while (this.#waiting.size > 0) {
      const batch = [...this.#waiting.values()].slice(0, BATCH)
      // Removals leave the queue before they are sent. If an equal removal is added during the sending, it is a later one, and must also be
      // sent.
      for (const removal of batch) this.#waiting.delete(idOf(removal))
      this.#sending += batch.length
      const left = (await Promise.all(batch.map(async (removal) => await send(removal) ? [] : [removal]))).flat()
      this.#sending -= batch.length
      this.add(left)
      if (left.length > 0) return false
    }
    return this.#sending === 0
  }
}

function idOf (removal: Removal): string {
  return removal.kind === 'clear' ? 'clear' : `${removal.kind}:${removal.name}`
}
