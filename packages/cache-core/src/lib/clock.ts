/** A clock in milliseconds that never goes back. */
export interface Clock {
  now (): number
  /** The same for the end of a lifetime: may be up to a millisecond old, and costs less when it is read often. Default: `now`. */
  coarse? (): number
}

/** Milliseconds by which the two clocks of the machine may differ from before: `Date.now` cuts what is less than one. */
const TOLERANCE_MS = 2
/** Readings in one millisecond after which `coarse` leaves out the monotonic clock. */
const BURST = 16

/**
 * Time that has passed in this process: what its monotonic clock or its wall clock says, whichever is more. The monotonic
 * clock stands still while the machine sleeps. So a wall clock that is set forward makes everything older, and one that is
 * set back changes nothing.
 */
export class ElapsedClock implements Clock {
  readonly #monotonic: () => number
  /** The wall clock minus the monotonic one, as last accepted. */
  #difference: number
  /** The sum of the steps by which the wall clock ran ahead of the monotonic one. */
  #ahead = 0
  #wall = NaN
  #coarse = 0
  #readings = 0

  /** @param monotonic milliseconds; the default is `process.hrtime` */
  constructor (monotonic: () => number = sinceStart) {
    this.#monotonic = monotonic
    this.#difference = Date.now() - monotonic()
  }

  now (): number {
    return this.#read(Date.now())
  }

  coarse (): number {
    const wall = Date.now()
    if (wall === this.#wall) {
      if (this.#readings > BURST) return this.#coarse
      // Ends with this turn of the event loop: a wall clock that a test holds still must not hold up the time.
      if (++this.#readings > BURST) setImmediate(() => { this.#readings = 0 }).unref()
    }
    this.#wall = wall
    this.#coarse = this.#read(wall)
    return this.#coarse
  }

  #read (wall: number): number {
    const monotonic = this.#monotonic()
    const change = wall - monotonic - this.#difference
    return change > TOLERANCE_MS || change < -TOLERANCE_MS ? this.#step() : monotonic + this.#ahead
  }

  /** One of the clocks was set, or stood still; or the process was held up between the two readings, so they are read anew. */
  #step (): number {
    let before: number
    let wall: number
    let monotonic: number
    let attempts = 0
    do {
      before = this.#monotonic()
      wall = Date.now()
      monotonic = this.#monotonic()
    } while (monotonic - before >= TOLERANCE_MS / 2 && ++attempts < 10)
    const change = wall - monotonic - this.#difference
    if (change > TOLERANCE_MS) this.#ahead += change
    if (Math.abs(change) > TOLERANCE_MS) this.#difference += change
    return monotonic + this.#ahead
  }
}

/** The clock of this process: one for everything that has a lifetime. */
export const monotonicClock: Clock = new ElapsedClock()

// Node reads hrtime in two thirds of the time of performance.now, and requests wait for it.
function sinceStart (): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
}
