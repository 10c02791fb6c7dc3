import { HASHES } from '../hash.js'

/** The first number of slots. It is doubled up to 1280 slots, of which the maximum of 1024 keys uses four fifths. */
const FIRST_SLOTS = 40
const MAX_KEYS = 1024

/**
 * The keys of a sample: `once`, those that were requested once, and `more`, those that were requested more often. All of them have hashes
 * below `limit`.
 */
export interface SampledKeys { readonly limit: number; readonly once: readonly number[]; readonly more: readonly number[] }

/**
 * A sample of at most 1024 cache keys: the keys whose hashes are below `limit`. When the sample has more, `limit` is halved and the keys
 * above `limit` are removed (Wegman's adaptive sampling; Flajolet, "On adaptive sampling", 1990). Each sampled key has been in the sample
 * since its first request.
 */
export class KeySample {
  /** The limit of the sample: a requested key is in the sample if its hash is lower. */
  limit = HASHES
  #keys = 0
  #hashes = new Uint32Array(FIRST_SLOTS)
  /**
   * The state of each slot of the table for a key. 0: the slot is free; 1: its key was requested once; 2: its key was requested more than
   * once.
   */
  #noted = new Uint8Array(FIRST_SLOTS)

  get bytes (): number { return this.#hashes.byteLength + this.#noted.byteLength }
  get distinct (): number { return Math.round(this.#keys * HASHES / this.limit) }
  get onceShare (): number {
    if (this.#keys === 0) return 0
    return this.#noted.reduce((once, noted) => noted === 1 ? once + 1 : once, 0) / this.#keys
  }

  note (hash: number): void {
    const slot = this.#slotOf(hash)
    if (this.#noted[slot] !== 0) {
      this.#noted[slot] = 2
      return
    }
    this.#hashes[slot] = hash
    this.#noted[slot] = 1
    this.#keys++
    while (this.#keys > MAX_KEYS) this.#rebuild(this.#hashes.length, this.limit /= 2)
    if (this.#keys * 5 > this.#hashes.length * 4) this.#rebuild(this.#hashes.length * 2, this.limit)
  }

  get sampled (): SampledKeys {
    const of = (wanted: number): number[] => [...this.#hashes].filter((_hash, at) => this.#noted[at] === wanted)
    return { limit: this.limit, once: of(1), more: of(2) }
  }

  /** Replaces the sample by the union of other samples. A key that occurs in two of them counts as requested more than once. */
  replaceBy (others: readonly SampledKeys[]): void {
    this.#keys = 0
    this.limit = Math.min(HASHES, ...others.map(({ limit }) => limit))
    this.#hashes = new Uint32Array(FIRST_SLOTS)
    this.#noted = new Uint8Array(FIRST_SLOTS)
    for (const { once, more } of others) {
      for (const hash of once) if (hash < this.limit) this.note(hash)
      for (const hash of [...more, ...more]) if (hash < this.limit) this.note(hash)
    }
  }

  #slotOf (hash: number): number {
    const slots = this.#hashes.length
    let slot = Math.floor(hash / this.limit * slots)
    while (this.#noted[slot] !== 0 && this.#hashes[slot] !== hash) slot = slot + 1 === slots ? 0 : slot + 1
    return slot
  }

  #rebuild (slots: number, limit: number): void {
    const hashes = this.#hashes
    const noted = this.#noted
    this.#hashes = new Uint32Array(slots)
    this.#noted = new Uint8Array(slots)
    this.#keys = 0
    for (let at = 0; at < hashes.length; at++) {
      if (noted[at] === 0 || hashes[at]! >= limit) continue
      const slot = this.#slotOf(hashes[at]!)
      this.#hashes[slot] = hashes[at]!
      this.#noted[slot] = noted[at]!
      this.#keys++
    }
  }
}
