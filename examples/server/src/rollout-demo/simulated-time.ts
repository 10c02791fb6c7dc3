import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'

/** The number of event loop turns without activity after which the work of the present simulated millisecond counts as done. */
const QUIET_TURNS = 6
/**
 * The number of simulated milliseconds after which there is a real pause of a millisecond, since the canary's timer runs in real time and
 * must keep up.
 */
const MS_PER_PAUSE = 4

interface Sleeper { readonly at: number; readonly wake: () => void }

/**
 * A clock that advances by one millisecond when all work of the present millisecond is done. Durations are those of the simulated database,
 * cache and users. A slow machine thus changes no number; the demo only takes longer.
 */
export class SimulatedTime {
  #now = Date.now()
  #sleepers: Sleeper[] = []
  #busy = 0
  #signs = 0

  now (): number { return this.#now }

  /** Resolves after a number of simulated milliseconds. */
  sleep (ms: number): Promise<void> {
    this.#signs++
    return new Promise((resolve) => { this.#sleepers.push({ at: this.#now + ms, wake: resolve }) })
  }

  /** Stops the simulated time during real work, such as a query. */
  async during<T> (work: () => Promise<T>): Promise<T> {
    this.#busy++
    try {
      return await work()
    } finally {
      this.#busy--
      this.#signs++
    }
  }

  /** Advances by one simulated millisecond; resolves when all work that began in it has ended or waits. */
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
