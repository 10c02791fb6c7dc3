import type { Flight } from './single-flight.js'
import type { Call, Proof } from './call.js'
import type { LoadStore } from './load-store.js'

/**
 * Asks the cache's store whether a pending load is current, for callers that want to join the load: another process may have removed the
 * key, or invalidated a tag, since the load began. At most one such call of the store per flight is pending; callers that come later share
 * the next one.
 */
export class FlightProofs {
  readonly #store: LoadStore
  readonly #asked = new WeakMap<Flight, Promise<Proof>>()
  readonly #next = new WeakMap<Flight, Promise<Proof>>()

  constructor (store: LoadStore) {
    this.#store = store
  }

  /**
   * Asks the cache's store whether the load of a flight is current, and returns the reply. A question that was sent before this call is not
   * shared, since its reply may be outdated.
   */
  prove<T> (call: Call<T>, flight: Flight<T>): Promise<Proof> {
    const key = flight as Flight
    const next = this.#next.get(key)
    if (next !== undefined) return next
    const asked = this.#asked.get(key)
    if (asked === undefined) return this.#ask(call, flight)
    const later = asked.then(() => {
      this.#next.delete(key)
      return this.#ask(call, flight)
    })
    this.#next.set(key, later)
    return later
  }

  #ask<T> (call: Call<T>, flight: Flight<T>): Promise<Proof> {
    const key = flight as Flight
    const asked = this.#store.prove(call, flight)
    this.#asked.set(key, asked)
    void asked.then(() => { if (this.#asked.get(key) === asked) this.#asked.delete(key) })
    return asked
  }
}
