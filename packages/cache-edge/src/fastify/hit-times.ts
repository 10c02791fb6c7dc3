import { ageOf } from '../rules/stored-state.js'
import type { StoredHead } from '../store/stored-response.js'

/** The values of the headers `Age` and `Cache-Status` for a hit, as texts that are written at most once per second. */
export class HitTimes {
  age = ''
  cacheStatus = ''
  #age = NaN
  #ttl = NaN

  /**
   * Writes the values of `Age` and `Cache-Status` for a time; returns whether they have changed.
   * @param now milliseconds of the epoch
   * @param hitWith the member of this cache in `Cache-Status` for a hit that is fresh for `ttl` more seconds
   */
  update (head: Pick<StoredHead, 'freshness' | 'receivedAt'>, now: number, hitWith: (ttl: number) => string): boolean {
    const seconds = ageOf(head, now)
    const age = Math.floor(seconds)
    const ttl = Math.floor(head.freshness.lifetime - seconds)
    if (age === this.#age && ttl === this.#ttl) return false
    this.#age = age
    this.#ttl = ttl
    this.age = String(age)
    this.cacheStatus = hitWith(ttl)
    return true
  }
}
