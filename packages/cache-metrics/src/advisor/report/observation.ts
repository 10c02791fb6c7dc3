/** A point of a hit-rate curve: the hit rate of a cache with this number of entries and this ttl. */
export interface CurvePoint {
  /** Seconds. */
  readonly ttl: number
  readonly entries: number
  readonly hitRate: number
  /** Half the width of the 95 % interval of `hitRate`. */
  readonly margin: number
}

/** The stale hits of a cache with this ttl and without invalidation. */
export interface StaleForecast {
  /** Seconds. */
  readonly ttl: number
  readonly hits: number
  /** Stale hits per hit, and its 95 % interval. */
  readonly rate: number
  readonly low: number
  readonly high: number
}

/** A dimension that the value depends on and the key lacks. */
export interface MissingDimension {
  /** `user`, `header accept-language`, `query sort`, `cookie theme`, … */
  readonly dimension: string
  /** Pairs of requests for one key whose dimension differed, and how many of them had different values. */
  readonly pairs: number
  readonly differing: number
}

/** The observation of one key pattern or route. */
export interface Observation {
  readonly kind: 'pattern' | 'route'
  /** The key pattern, or `GET /route/:id`. */
  readonly name: string
  /** Seconds of the observation, the same for all of a report: its rates have one base, whenever the first request came. */
  readonly seconds: number
  readonly requests: number
  /** Seconds that a loader took, or a request of the route; `undefined`: not known. */
  readonly meanSeconds: number | undefined
  /** Bytes of a value as it would be stored; `undefined`: none was looked at. */
  readonly meanBytes: number | undefined
  /** Characters of a key, on average. */
  readonly meanKeyLength: number
  /** Estimated number of different keys. */
  readonly distinct: number
  /** Share of the keys that were asked for once. */
  readonly oneHitShare: number
  readonly points: readonly CurvePoint[]
  readonly staleness: readonly StaleForecast[]
  /** Seconds: the longest ttl that keeps within the tolerance for certain (95 %); `undefined`: none, or too little was seen. */
  readonly provenTtl?: number | undefined
  readonly leak: MissingDimension | undefined
  /** The value is another one on nearly every load, for the same request. */
  readonly isNoise: boolean
  /** Share of the answers with a `Set-Cookie`; 0 for key patterns. */
  readonly cookieShare: number
  /** Of the loads, or of the answers: the share that may be stored; `undefined`: not known. */
  readonly storableShare?: number | undefined
  /** The first change that JSON makes to the values, such as `Date at .createdAt`; `undefined`: none was seen. */
  readonly change?: string | undefined
  /** How many values were compared; `undefined`: there are none to compare. */
  readonly compared?: number | undefined
}
