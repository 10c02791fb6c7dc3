/** The number of requests for one key after which its counts by lag are halved; counts up to twice this number fit into 8 bits. */
const SLOT_HALVED_AT = 120
const ALL_HALVED_AT = 1024

/**
 * Counts of events by lag (the number of requests between two events), for each slot, which holds one key, and for all slots together.
 * Counts are halved regularly, so that recent traffic outweighs older traffic; with `isRoundedUp` a count of 1 stays 1.
 */
export class LagCounts {
  readonly #slots: Uint8Array
  readonly #all: Uint16Array

  constructor (slots: number, readonly size: number, readonly isRoundedUp: boolean) {
    this.#slots = new Uint8Array(slots * size)
    this.#all = new Uint16Array(size)
  }

  get bytes (): number { return this.#slots.byteLength + this.#all.byteLength }

  add (slot: number, lag: number): void {
    const at = slot * this.size + lag
    if (this.#slots[at]! < 255) this.#slots[at]!++
    this.#all[lag]!++
  }

  here (slot: number, lag: number): number { return this.#slots[slot * this.size + lag]! }
  anywhere (lag: number): number { return this.#all[lag]! }

  sumHere (slot: number): number {
    let sum = 0
    for (let at = slot * this.size, end = at + this.size; at < end; at++) sum += this.#slots[at]!
    return sum
  }

  sumAnywhere (): number {
    let sum = 0
    for (let lag = 0; lag < this.size; lag++) sum += this.#all[lag]!
    return sum
  }

  /**
   * Halves the counts of one key's slot, and the counts over all keys, whenever a fixed number of requests has passed. Call it after each
   * request.
   */
  age (slot: number, slotRequests: number, requests: number): void {
    if (slotRequests % SLOT_HALVED_AT === 0) this.#halve(this.#slots, slot * this.size)
    if (requests % ALL_HALVED_AT === 0) this.#halve(this.#all, 0)
  }

  #halve (counts: Uint8Array | Uint16Array, first: number): void {
    for (let at = first, end = first + this.size; at < end; at++) counts[at] = (counts[at]! + Number(this.isRoundedUp)) >>> 1
  }

  clear (slot: number): void { this.#slots.fill(0, slot * this.size, (slot + 1) * this.size) }

  clearAll (): void {
    this.#slots.fill(0)
    this.#all.fill(0)
  }
}
