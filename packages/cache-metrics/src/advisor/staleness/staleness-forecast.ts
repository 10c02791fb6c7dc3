/** The staleness forecast of one ttl: the simulated hits, and how many of them were stale. */
export interface StalenessForecast {
  /** The ttl of the simulated cache of this forecast, in seconds. */
  readonly ttl: number
  /** The number of simulated hits of the sampled keys. */
  readonly hits: number
  /** The number of simulated hits whose value had changed since the load. */
  readonly stale: number
  /** Stale hits per hit in the simulated cache; `0` without hits. */
  readonly rate: number
  /**
   * The lower bound of the 95 % confidence interval of the rate; `high` is the upper bound. They are 0 and 1 if there is too little data.
   */
  readonly low: number
  readonly high: number
}

/**
 * The longest ttl for which the upper bound of the rate of stale hits is within `tolerance`, for it and for all shorter ttls. `undefined`:
 * there is no such ttl, or too little data.
 * @param forecasts the forecasts, shortest ttl first
 * @param tolerance stale hits per hit: 0.001 is one in a thousand
 */
export function provenTtl (forecasts: readonly Pick<StalenessForecast, 'ttl' | 'high'>[], tolerance: number): number | undefined {
  let recommended: number | undefined
  for (const { ttl, high } of forecasts) {
    if (high > tolerance) break
    recommended = ttl
  }
  return recommended
}
