import type { Counters, ImplStats, Stats } from './counters.js'
import { DURATION_BUCKETS } from './histogram.js'

/** The counts and durations of one operation of an implementation. */
export interface OperationCounts {
  readonly operation: string
  readonly count: number
  readonly meanSeconds: number
  /** The upper bound of the 95th percentile in seconds; `null`: above 10 s. */
  readonly p95Seconds: number | null
  readonly sumSeconds: number
  /** The number of durations per bound of `durationBounds`, not cumulative; the last number is that of durations above all bounds. */
  readonly buckets: readonly number[]
}

/** The counts under one value of the metric label `impl`, since the start of the process. */
export interface ImplementationCounts {
  readonly impl: string
  readonly isInService: boolean
  readonly hits: number
  readonly misses: number
  readonly errors: number
  /** The number of errors by value of the metric label `error_type`. */
  readonly errorTypes: Readonly<Record<string, number>>
  /** The operations; empty unless durations are measured, which `@x/cache-metrics` turns on. */
  readonly operations: readonly OperationCounts[]
}

/** The counts of one key pattern on one implementation, since the start of the process. */
export interface PatternCounts {
  readonly impl: string
  readonly keyPattern: string
  readonly hits: number
  readonly misses: number
  readonly sets: number
  readonly dels: number
  readonly loads: number
  /** The mean duration of a load of the pattern, on any implementation; absent without a load. */
  readonly meanLoadSeconds?: number
}

/** The counts of a process, as in the response of `GET /internal/cache/counts`. */
export interface CacheCounts {
  /** The time at which the counts were read, in ISO 8601. */
  readonly at: string
  /** The upper bounds of `buckets` in seconds. */
  readonly durationBounds: readonly number[]
  readonly implementations: readonly ImplementationCounts[]
  readonly patterns: readonly PatternCounts[]
}

/** Returns the counts of a process by implementation and key pattern; `inService` are those of the implementation in service. */
export function cacheCounts (stats: Stats, inService: ImplStats): CacheCounts {
  const impls = [...stats.impls.values()]
  return {
    at: new Date().toISOString(),
    durationBounds: DURATION_BUCKETS,
    implementations: impls.map((impl) => implementationCounts(impl, impl === inService)),
    patterns: impls.flatMap(({ label, counters }) => [...counters.values()].map((each) => patternCounts(label, each)))
  }
}

function implementationCounts (stats: ImplStats, isInService: boolean): ImplementationCounts {
  const { hits, misses, errors } = stats.totals()
  return {
    impl: stats.label,
    isInService,
    hits,
    misses,
    errors,
    errorTypes: Object.fromEntries(stats.errors),
    operations: [...stats.durations].map(([operation, durations]) => {
      const { count, sum: sumSeconds, counts: buckets } = durations
      const p95 = durations.quantile(0.95)
      return { operation, count, meanSeconds: sumSeconds / count, p95Seconds: p95 === Infinity ? null : p95, sumSeconds, buckets }
    })
  }
}

function patternCounts (impl: string, { keyPattern, hits, misses, sets, dels, loaded, loads: { durations } }: Counters): PatternCounts {
  const counts = { impl, keyPattern, hits, misses, sets, dels, loads: loaded }
  return durations.count === 0 ? counts : { ...counts, meanLoadSeconds: durations.sum / durations.count }
}
