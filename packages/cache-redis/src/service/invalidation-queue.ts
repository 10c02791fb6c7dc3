/** One removal that Redis has yet to acknowledge. */
export type Removal =
  | { readonly kind: 'del'; readonly name: string }
  | { readonly kind: 'tag'; readonly name: string }
  | { readonly kind: 'soft'; readonly name: string }
  | { readonly kind: 'clear' }

const BATCH = 100

/**
 * Removals that Redis did not acknowledge, each kept once: all are idempotent, so sending one again does no harm. What does
 * not fit becomes one `clear`, which covers everything.
 */
export class InvalidationQueue {
  readonly #waiting = new Map<string, Removal>()
  readonly #max: number
  #sending = 0

  constructor (max: number) {
    this.#max = max
  }

  /** Those that are on their way included. */
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

  /** Sends what waits, oldest first, a batch at a time; true if nothing is left. `send` never rejects. */
  async replay (send: (removal: Removal) => Promise<boolean>): Promise<boolean> {
    while (this.#waiting.size > 0) {
      const batch = [...this.#waiting.values()].slice(0, BATCH)
      // Taken out before they are sent: one that is added meanwhile is not covered by one that is on its way.
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
