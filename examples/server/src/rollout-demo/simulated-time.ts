import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'

/** Turns of the event loop without a sign of work after which all work of a moment has ended. */
const QUIET_TURNS = 6
/** The canary's timer runs in real time: so many simulated milliseconds take at least one real one. */
const MS_PER_PAUSE = 4

interface Sleeper { readonly at: number; readonly wake: () => void }

/**
 * A clock that goes on by a millisecond once all work of the moment has ended. Durations are those of the simulated database, cache and
 * users, so that a slow machine changes no number, and only takes longer.
 */
export class SimulatedTime {
  #now = Date.now()
  #sleepers: Sleeper[] = []
  #busy = 0
  #signs = 0

  now (): number { return this.#now }

  /** Resolves after so many simulated milliseconds. */
  sleep (ms: number): Promise<void> {
    this.#signs++
    return new Promise((resolve) => { this.#sleepers.push({ at: this.#now + ms, wake: resolve }) })
  }

  /** Holds the time while real work is done. */
  async during<T> (work: () => Promise<T>): Promise<T> {
    this.#busy++
    try {
      return await work()
    } finally {
      this.#busy--
      this.#signs++
    }
  }

  /** Goes on by one millisecond, and resolves once the work that begins in it has ended or sleeps. */
  async next (): Promise<void> {
    this.#now++
    const due = this.#sleepers.filter(({ at }) => at <= this.#now)
    this.#sleepers = this.#sleepers.filter(({ at }) => at > this.#now)
    for (const { wake } of due) wake()
    for (let quiet = 0, seen = this.#signs; quiet < QUIET_TURNS; quiet++) {
      await turn()
      if (this.#busy === 0 && seen === this.#signs) continue
      quiet = -1
      seen = this.#signs
    }
    if (this.#now % MS_PER_PAUSE === 0) await pause(1)
  }
}
