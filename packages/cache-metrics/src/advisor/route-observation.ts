import { KeyLeak } from './key-leak/key-leak.js'
import type { Observation } from './report/observation.js'
import { DEFAULT_TTLS, type ReuseCurveOptions } from './curve/curve-options.js'
import { ReuseCurve } from './curve/reuse-curve.js'
import { Staleness } from './staleness/staleness.js'
import { provenTtl } from './staleness/staleness-forecast.js'

/** The loads of a key pattern: their mean duration, the share that may be stored, and the change that storing makes to the values. */
export type LoadObservation = Pick<Observation, 'meanSeconds' | 'storableShare' | 'change'>

/** The requests and values of one key pattern or route that the advisor observed. */
export class RouteObservation {
  readonly curve: ReuseCurve
  readonly staleness: Staleness
  readonly leak = new KeyLeak({ maxKeys: 32 })
  #keyLength = 0
  #values = 0
  #valueBytes = 0
  #unseen = 0
  #answers = 0
  #cookies = 0
  #storable = 0
  #count = 0
  #seconds = 0

  constructor (readonly kind: Observation['kind'], readonly name: string, options: ReuseCurveOptions) {
    this.curve = new ReuseCurve(options)
    // The hit-rate curve and the staleness forecast have the same ttls, so that both can be compared.
    this.staleness = new Staleness({ ttls: options.ttls ?? DEFAULT_TTLS, maxKeys: 256 })
  }

  get bytes (): number { return this.curve.bytes + this.staleness.bytes + this.leak.bytes }

  noteRead (hash: number, keyLength: number, now: number): void {
    this.#keyLength += keyLength
    this.curve.note(hash, now)
  }

  noteValue (hash: number, now: number, value: { readonly hash: number; readonly bytes: number }): void {
    this.#values++
    this.#valueBytes += value.bytes
    this.staleness.note(hash, now / 1000, value.hash)
  }

  /** Counts a value that cannot be compared or is too large; the mean size of the values is then unknown. */
  noteUnseen (): void {
    this.#unseen++
  }

  noteDuration (seconds: number): void {
    this.#count++
    this.#seconds += seconds
  }

  /** Counts a response of the route: whether it sets a cookie, and whether a shared cache may store it. */
  noteAnswer (hasCookie: boolean, isStorable: boolean): void {
    this.#answers++
    if (hasCookie) this.#cookies++
    if (isStorable) this.#storable++
  }

  /**
   * Returns the observation of the key pattern or route for the report.
   * @param seconds the duration of the observation
   * @param staleTolerance the share of hits that may be stale
   * @param loads the loads of the key pattern; `undefined` for a route
   */
  observation (seconds: number, staleTolerance: number, loads?: LoadObservation): Observation {
    const { curve } = this
    const leak = this.leak.leak()
    const forecasts = this.staleness.forecast()
    return {
      kind: this.kind,
      name: this.name,
      seconds,
      requests: curve.requests,
      meanSeconds: this.#count === 0 ? undefined : this.#seconds / this.#count,
      meanBytes: this.#values === 0 || this.#unseen > 0 ? undefined : this.#valueBytes / this.#values,
      meanKeyLength: curve.requests === 0 ? 0 : this.#keyLength / curve.requests,
      distinct: curve.distinctKeys,
      oneHitShare: curve.oneHitShare,
      points: curve.points().map(({ ttl, entries, hitRate, margin }) => ({ ttl, entries, hitRate, margin })),
      staleness: this.#values === 0 ? [] : forecasts,
      provenTtl: provenTtl(forecasts, staleTolerance),
      leak: leak === undefined ? undefined : { dimension: leak.dimension, pairs: leak.other.compared, differing: leak.other.differing },
      isNoise: this.leak.noise,
      cookieShare: this.#answers === 0 ? 0 : this.#cookies / this.#answers,
      storableShare: this.#answers === 0 ? undefined : this.#storable / this.#answers,
      compared: this.#values,
      ...loads
    }
  }
}
