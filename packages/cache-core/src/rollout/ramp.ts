import type { Clock } from '../lib/clock.js'
import { effectivePercent, type CanaryState } from './canary-state.js'

/**
 * The progress of a ramp in this process. The store's clock says how far the ramp is when the process first sees it, so that all processes
 * agree; the local clock says how it goes on, since a store's clock that is set back would hold the ramp.
 */
export class Ramp {
  readonly #clock: () => Clock
  #since = NaN
  #ms = 0
  #rampedMs = 0
  /** The time by the local clock at which `#rampedMs` was computed. */
  #seenAt = 0

  constructor (clock: () => Clock) {
    this.#clock = clock
  }

  /**
   * Follows the ramp of a state; a state of the same ramp changes nothing.
   * @param now the time of the store's clock
   */
  follow ({ since, ramp }: CanaryState, now: number): void {
    if (since === this.#since) return
    this.#since = since
    this.#ms = ramp?.ms ?? 0
    this.#rampedMs = Math.max(0, now - since)
    this.#seenAt = this.#clock().now()
  }

  get isOver (): boolean { return this.#goOn() >= this.#ms }

  /** Returns the percent of the state that is followed. */
  percentOf (state: CanaryState): number {
    return effectivePercent(state, this.#goOn())
  }

  #goOn (): number {
    const now = this.#clock().now()
    // A local clock of the app may be set back, too.
    this.#rampedMs += Math.max(0, now - this.#seenAt)
    this.#seenAt = now
    return this.#rampedMs
  }
}
