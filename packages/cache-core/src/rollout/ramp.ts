import type { Clock } from '../lib/clock.js'
import { effectivePercent, type CanaryState } from './canary-state.js'

/**
 * The progress of a gradual raise of the percent (a ramp) in this process. When the process first sees the ramp, its progress follows from
 * the store's clock, so that all processes agree. From then on the progress follows from the local clock, since the ramp would stop if the
 * rollout store's clock were set back.
 */
export class Ramp {
  readonly #clock: () => Clock
  #since = NaN
  #ms = 0
  #rampedMs = 0
  #seenAt = 0

  constructor (clock: () => Clock) {
    this.#clock = clock
  }

  /**
   * Begins to follow the ramp of the canary's state; does nothing if that ramp is already followed.
   * @param now the time of the rollout store's clock
   */
  follow ({ since, ramp }: CanaryState, now: number): void {
    if (since === this.#since) return
    this.#since = since
    this.#ms = ramp?.ms ?? 0
    this.#rampedMs = Math.max(0, now - since)
    this.#seenAt = this.#clock().now()
  }

  get isOver (): boolean { return this.#goOn() >= this.#ms }

  /** Returns the percent of cached subjects in the given state, at the present progress of the ramp. */
  percentOf (state: CanaryState): number {
    return effectivePercent(state, this.#goOn())
  }

  #goOn (): number {
    const now = this.#clock().now()
    // A clock that the app provides may be set back, which must not make the percent of the ramp fall.
    this.#rampedMs += Math.max(0, now - this.#seenAt)
    this.#seenAt = now
    return this.#rampedMs
  }
}
