/** A point of a reuse curve: the hit rate of a cache with this number of entries and this ttl. */
export interface CurvePoint {
  /** The ttl of the simulated cache at this point of the curve, in seconds. */
  readonly ttl: number
  readonly entries: number
  readonly hitRate: number
  /** Half the width of the 95 % confidence interval of `hitRate`. */
  readonly margin: number
}

/** The forecast of stale hits in a cache with one ttl and without invalidation. */
export interface StaleForecast {
  /** The ttl of the cache in this forecast, in seconds. */
  readonly ttl: number
  readonly hits: number
  /** Stale hits per hit; `low` and `high` are the 95 % confidence interval of this rate. */
  readonly rate: number
  readonly low: number
  readonly high: number
}

/** A dimension, a part of the request, that the value depends on and the key lacks. */
export interface MissingDimension {
  /** The name of the dimension: `user`, `header accept-language`, `query sort`, `cookie theme`, … */
  readonly dimension: string
  /** Pairs of requests for one key with different values of the dimension; `differing`: the pairs whose loaded values differed. */
  readonly pairs: number
  readonly differing: number
  /** Requests that were compared with the previous request for their key; `undefined`: not known. */
  readonly compared?: number | undefined
}

/** The numbers that the advisor measured of one key pattern or route. */
export interface Observation {
  readonly kind: 'pattern' | 'route'
  /** The name of the key pattern, or of the route, such as `GET /route/:id`. */
  readonly name: string
  /** Seconds of the observation, the same for all rows of the advisor's report, so that all rates refer to the same time. */
  readonly seconds: number
  readonly requests: number
  /** The mean duration of a load, or of a request of the route, in seconds; `undefined`: not known. */
  readonly meanSeconds: number | undefined
  /** The mean size of a value in bytes; `undefined`: not known, since not all values or none could be measured. */
  readonly meanBytes: number | undefined
  /** The mean length of a cache key, in characters. */
  readonly meanKeyLength: number
  /** The estimated number of different cache keys. */
  readonly distinct: number
  /** The share of the cache keys that had one request only. */
  readonly oneHitShare: number
  readonly points: readonly CurvePoint[]
  readonly staleness: readonly StaleForecast[]
  /**
   * The longest ttl in seconds whose stale hits are within the tolerance with 95 % certainty; `undefined`: there is no such ttl, or too
   * little data.
   */
  readonly provenTtl?: number | undefined
  readonly leak: MissingDimension | undefined
  /** Whether the value changes at nearly every load, although the requests are the same. */
  readonly isNoise: boolean
  /** The share of the responses with a `Set-Cookie`; 0 for key patterns. */
  readonly cookieShare: number
  /** The share of the loads of the key pattern, or of the route's responses, that may be stored; `undefined`: not known. */
  readonly storableShare?: number | undefined
  /** The first change that JSON makes to the loaded values, such as `Date at .createdAt`; `undefined`: no change was seen. */
  readonly change?: string | undefined
  /** The number of loaded values that were compared; `undefined`: the source of the report has no values. */
  readonly compared?: number | undefined
}
