/** A source of time in milliseconds that never goes back. */
export interface Clock {
  now (): number
  /**
   * Returns the time of `now`, or a time up to a millisecond earlier; frequent calls cost less than those of `now`. It is meant for
   * comparisons with the ends of lifetimes. Default: `now`.
   */
  coarse? (): number
  /**
   * Returns milliseconds for measuring durations only: the zero of this clock differs from that of `now`, and it does not follow the wall
   * clock. A call costs half as much as one of `now`. Default: `now`.
   */
  stopwatch? (): number
  /**
   * Returns the CPU time of this process since its start, in milliseconds, of all its threads. A call costs as much as twenty of `now`. A
   * clock without it, such as that of a test, measures no CPU time.
   */
  cpu? (): number
}

/** Reads the stopwatch of a clock, in milliseconds. Only the difference of two such readings has a meaning. */
export function readStopwatch (clock: Clock): number {
  return clock.stopwatch === undefined ? clock.now() : clock.stopwatch()
}

/**
 * Milliseconds by which the difference between the wall clock and the monotonic clock may vary, since `Date.now` cuts off fractions of a
 * millisecond.
 */
const TOLERANCE_MS = 2
/**
 * The number of readings of the clock, within one turn of the event loop, after which `coarse` reuses the reading of the present
 * millisecond.
 */
const BURST = 16

/**
 * The time that has passed in this process, by its monotonic clock or its wall clock, whichever shows more. The monotonic clock stops while
 * the machine sleeps. Setting the wall clock forward makes every entry older; setting it back changes nothing.
 */
export class ElapsedClock implements Clock {
  readonly #monotonic: () => number
  /** The wall clock minus the monotonic clock, as of the last reading: a change shows that one of the clocks was set or stopped. */
  #difference: number
  /** The sum of all milliseconds by which the wall clock was set forward, or by which the monotonic clock stopped. */
  #ahead = 0
  #wall = NaN
  #coarse = 0
  #readings = 0

  /**
   * Makes a clock that starts now.
   * @param monotonic reads a monotonic clock in milliseconds; the default is `performance.now`
   */
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
      // A reading of the clock is reused only within this turn of the event loop, so that a test that stops the wall clock does not stop
      // this clock.
      if (++this.#readings > BURST) setImmediate(() => { this.#readings = 0 }).unref()
    }
    this.#wall = wall
    this.#coarse = this.#read(wall)
    return this.#coarse
  }

  stopwatch (): number {
    return this.#monotonic()
  }

  cpu (): number {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1000
  }

  #read (wall: number): number {
    const monotonic = this.#monotonic()
    const change = wall - monotonic - this.#difference
    return change > TOLERANCE_MS || change < -TOLERANCE_MS ? this.#step() : monotonic + this.#ahead
  }

  /**
   * Reads both clocks again after a change of their difference: one clock was set or stopped, or the process paused between the two
   * readings.
   */
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

/** The clock of this process, by which all lifetimes are measured. */
export const monotonicClock: Clock = new ElapsedClock()

// `performance.now` makes no object, unlike `process.hrtime`, and takes two thirds of the time of that function; each request reads the
// clock.
function sinceStart (): number {
  return performance.now()
}
