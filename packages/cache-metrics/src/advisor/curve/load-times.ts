/**
 * The number of ticks per ttl in a compact table. Of the 256 ages that 8 bits can express, the first 240 are those of fresh loads. The
 * others are those of expired loads, whose ages the next sweep sets back to 240.
 */
const COMPACT_TICKS = 240

/**
 * The load times of simulated cache entries under each ttl, as ticks of a clock per ttl. A compact table has 8 bits per load and 240 ticks
 * per ttl, so a load expires at most 0.42 % of its ttl early and never late. Other tables have 32 bits, and ticks of a millisecond.
 */
export class LoadTimes {
  readonly #ttls: readonly number[]
  readonly #isCompact: boolean
  readonly #mask: number
  /** The length of each ttl in ticks of its clock. */
  readonly #lives: Float64Array
  /** The present time in ticks of each ttl; `#low` has its lower 32 bits. */
  readonly #ticks: Float64Array
  readonly #low: Int32Array
  readonly #swept: Float64Array
  #loads: Uint8Array | Uint32Array
  #clock = 0
  #now = 0

  /** Creates a table without room for entries, which `grow` extends; `ttls` are in milliseconds. */
  constructor (ttls: readonly number[], isCompact: boolean) {
    this.#ttls = ttls
    this.#isCompact = isCompact
    this.#mask = isCompact ? 0xff : -1
    this.#lives = Float64Array.from(ttls, (ttl) => isCompact ? COMPACT_TICKS : ttl)
    this.#ticks = new Float64Array(ttls.length)
    this.#low = new Int32Array(ttls.length)
    this.#swept = new Float64Array(ttls.length)
    this.#loads = this.#table(0)
  }

  get bytes (): number { return this.#loads.byteLength + this.#ttls.length * 28 }

  /** Extends the table so that it has room for the entries 1 to `room`. */
  grow (room: number): void {
    const loads = this.#table(room)
    loads.set(this.#loads)
    this.#loads = loads
  }

  /**
   * Sets the present time. If the clock has gone back, all loads count as expired.
   * @param now whole milliseconds modulo 2^32
   */
  advance (now: number): void {
    if (now === this.#now) return
    this.#clock += (now - this.#now) >>> 0
    this.#now = now
    const slackOf = this.#isCompact ? 0xff : 0xffff_ffff
    for (let at = 0; at < this.#ttls.length; at++) {
      const tick = this.#isCompact ? Math.floor(this.#clock * COMPACT_TICKS / this.#ttls[at]!) : this.#clock
      // The age of an expired load is stored modulo the range of the table's numbers. The load must be swept in time, before it would count
      // as fresh again.
      if (tick - this.#swept[at]! > slackOf - this.#lives[at]!) this.#sweep(at, tick)
      this.#ticks[at] = tick
      this.#low[at] = tick
    }
  }

  /** Loads an entry for each ttl under which its load has expired; returns these ttls as bits. */
  touch (entry: number): number {
    const loads = this.#loads
    const low = this.#low
    const lives = this.#lives
    const mask = this.#mask
    let misses = 0
    for (let at = 0, load = entry * low.length; at < low.length; at++, load++) {
      if (((low[at]! - loads[load]!) & mask) >>> 0 < lives[at]!) continue
      loads[load] = low[at]!
      misses |= 1 << at
    }
    return misses
  }

  /** Stores the present time as the load time of an entry under each ttl. */
  load (entry: number): void {
    // The load times are written in a loop, which is faster than `fill()` for a few ttls.
    for (let at = 0, load = entry * this.#low.length; at < this.#low.length; at++, load++) this.#loads[load] = this.#low[at]!
  }

  /** Makes the load of an entry expired under each ttl. */
  expire (entry: number): void {
    const first = entry * this.#low.length
    for (let at = 0; at < this.#low.length; at++) this.#loads[first + at] = this.#low[at]! - this.#lives[at]!
  }

  /** Sets the age of all expired loads of one ttl to exactly that ttl, so that their ages stay within the range of the table's numbers. */
  #sweep (at: number, tick: number): void {
    const loads = this.#loads
    const mask = this.#mask
    const step = this.#low.length
    const last = this.#low[at]!
    const gap = tick - this.#ticks[at]!
    const life = this.#lives[at]!
    const expired = tick - life
    for (let load = at; load < loads.length; load += step) {
      if ((((last - loads[load]!) & mask) >>> 0) + gap >= life) loads[load] = expired
    }
    this.#swept[at] = tick
  }

  #table (room: number): Uint8Array | Uint32Array {
    const length = (room + 1) * this.#ttls.length
    return this.#isCompact ? new Uint8Array(length) : new Uint32Array(length)
  }
}
