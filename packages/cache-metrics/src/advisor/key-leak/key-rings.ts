/** The maximum credit of a key, which protects its slot: each use adds one, and each request for an unknown key may subtract one. */
const MAX_CREDIT = 15
/** Seconds for which a request is remembered. A return after a longer time depends more on the time of day than on the user. */
const REMEMBERED = 3600

/**
 * Ring buffers for the last requests of a fixed number of keys; the most used keys keep their slots. Callers write the data of a request at
 * `at(slot, 0)` of their own arrays, and then call `push`; `at(slot, 1)` is the position of the previous request.
 */
export class KeyRings {
  readonly #keys: Float64Array
  readonly #credits: Uint8Array
  readonly #requests: Float64Array
  /** The times of the requests, in seconds since the first request, so that 32 bits are enough. */
  readonly #times: Float32Array
  #began: number | undefined

  /**
   * Creates empty ring buffers.
   * @param slots the number of keys
   * @param size the number of remembered requests per key, including the request that is being written
   */
  constructor (readonly slots: number, readonly size: number) {
    this.#keys = new Float64Array(slots).fill(NaN)
    this.#credits = new Uint8Array(slots)
    this.#requests = new Float64Array(slots)
    this.#times = new Float32Array(slots * size)
  }

  get bytes (): number {
    return this.#keys.byteLength + this.#credits.byteLength + this.#requests.byteLength + this.#times.byteLength
  }

  /**
   * The slot of a key, the number of its ring buffer; `undefined`: all slots have keys that are used more often. A slot without requests
   * has just been assigned to this key.
   */
  slotOf (keyHash: number): number | undefined {
    const known = this.#keys.indexOf(keyHash)
    if (known >= 0) {
      if (this.#credits[known]! < MAX_CREDIT) this.#credits[known]!++
      return known
    }
    let least = 0
    for (let slot = 1; slot < this.slots; slot++) if (this.#credits[slot]! < this.#credits[least]!) least = slot
    if (this.#credits[least]! > 0) {
      this.#credits[least]!--
      return undefined
    }
    this.#keys[least] = keyHash
    this.#credits[least] = 1
    this.#requests[least] = 0
    return least
  }

  requests (slot: number): number { return this.#requests[slot]! }

  /** The position, in the ring buffer of a slot, of the request that is `lag` requests before the next one. */
  at (slot: number, lag: number): number {
    return slot * this.size + (this.#requests[slot]! - lag) % this.size
  }

  /** Returns the seconds from the key's request `lag` requests ago to the time `nowSeconds`. */
  age (slot: number, lag: number, nowSeconds: number): number {
    return nowSeconds - (this.#began ?? nowSeconds) - this.#times[this.at(slot, lag)]!
  }

  /** Returns the number of earlier requests in a slot that are remembered and recent enough. */
  reach (slot: number, nowSeconds: number): number {
    const most = Math.min(this.#requests[slot]!, this.size - 1)
    if (most === 0 || this.age(slot, most, nowSeconds) <= REMEMBERED) return most
    let reach = 0
    while (this.age(slot, reach + 1, nowSeconds) <= REMEMBERED) reach++
    return reach
  }

  /**
   * The number of requests for the key since its last request whose place in `values` has `value`; `0`: none of the last `reach` requests
   * has it.
   */
  lastOf (values: Uint16Array | Uint32Array, slot: number, value: number, reach: number): number {
    const first = slot * this.size
    let at = this.at(slot, 0)
    for (let lag = 1; lag <= reach; lag++) {
      at = at === first ? first + this.size - 1 : at - 1
      if (values[at] === value) return lag
    }
    return 0
  }

  push (slot: number, nowSeconds: number): void {
    this.#began ??= nowSeconds
    this.#times[this.at(slot, 0)] = nowSeconds - this.#began
    this.#requests[slot]!++
  }
}
