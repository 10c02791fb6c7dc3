import type { CacheRegistry } from '@x/cache-core'
import type { ImplementationStatus } from '@x/cache-core/implementing'
import { CONTROL_LABEL, DURATION_BUCKETS, ERROR_TYPES, type CanaryStatus } from '@x/cache-core/suite'
import { EdgeCounts } from '../traffic/edge-counts.js'
import type { Traffic } from '../traffic/traffic.js'

// The members of the status of @x/cache-redis that are exported as metrics. They are declared here, since packages of the suite do not
// import one another.
declare module '@x/cache-core/implementing' {
  interface ImplementationStatus {
    breaker?: 'closed' | 'half-open' | 'open'
    tracking?: 'trusted' | 'in doubt' | 'off'
    queuedInvalidations?: number
  }
}

/**
 * The value of a histogram: counts by bucket, the number of observations, and their sum in seconds. The counts are not cumulative; the last
 * one counts observations above the highest bound.
 */
export interface HistogramValue { readonly counts: readonly number[]; readonly count: number; readonly sum: number }

/** The value of a series of a metric: a histogram, or a number. */
export type Value = number | HistogramValue

/** Receives one series of a metric: its value, and its label values in the order of `labelNames`. */
export type Emit<V extends Value = Value> = (value: V, ...labels: string[]) => void

/** One metric: its name, type and labels, and the function that reads it from the cache or the app's traffic. */
export interface Metric {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labelNames: readonly string[]
  /** Upper bounds of a histogram's buckets, in seconds. */
  readonly buckets?: readonly number[]
  readonly ofCache?: (cache: CacheRegistry, emit: Emit) => void
  readonly ofTraffic?: (traffic: Traffic, emit: Emit) => void
  /** Emits each new observation of a histogram; returns the function that removes the listener. */
  readonly followCache?: (cache: CacheRegistry, emit: Emit<number>) => () => void
  readonly followTraffic?: (traffic: Traffic, emit: Emit<number>) => () => void
}

const ARMS = ['cached', 'control', 'none'] as const
const VERDICTS = ['go', 'wait', 'back'] as const
const BREAKER_STATES = ['closed', 'half-open', 'open']

function byPattern (count: 'hits' | 'misses' | 'sets' | 'dels'): Pick<Metric, 'type' | 'labelNames' | 'ofCache'> {
  return {
    type: 'counter',
    labelNames: ['impl', 'key_pattern'],
    ofCache ({ stats }, emit) {
      for (const { label, counters } of stats.impls.values()) {
        for (const each of counters.values()) emit(each[count], label, each.keyPattern)
      }
    }
  }
}

function ofTheWhole (type: 'counter' | 'gauge', read: (cache: CacheRegistry) => number): Pick<Metric, 'type' | 'labelNames' | 'ofCache'> {
  return { type, labelNames: [], ofCache: (cache, emit) => emit(read(cache)) }
}

function ofTheCanary (read: (status: CanaryStatus, emit: Emit) => void, ...labelNames: string[]): Pick<Metric, 'type' | 'labelNames' | 'ofCache'> {
  const ofCache: NonNullable<Metric['ofCache']> = (cache, emit) => {
    const status = cache.canaryStatus?.()
    if (status !== undefined) read(status, emit)
  }
  return { type: 'gauge', labelNames, ofCache }
}

/** All metrics of the suite. The histograms have the buckets of the core, which range from an in-process read to a slow query. */
export const METRICS: readonly Metric[] = [
  { name: 'cache_hits_total', help: 'Reads that found a value.', ...byPattern('hits') },
  { name: 'cache_miss_total', help: 'Reads that found nothing, or were not let through to the cache.', ...byPattern('misses') },
  { name: 'cache_set_total', help: 'Values that were stored, or would have been.', ...byPattern('sets') },
  { name: 'cache_del_total', help: 'Keys that were removed.', ...byPattern('dels') },
  {
    name: 'cache_errors_total',
    type: 'counter',
    help: 'Cache calls that failed.',
    labelNames: ['impl', 'error_type'],
    ofCache ({ stats }, emit) {
      // Each type of error has a series from the start: `rate()` does not count the step from no series to a first count.
      for (const { label, errors } of stats.impls.values()) {
        for (const type of ERROR_TYPES) emit(errors.get(type) ?? 0, label, type)
      }
    }
  },
  {
    name: 'cache_invalidate_total',
    type: 'counter',
    help: 'Invalidations, by the pattern of the tag.',
    labelNames: ['impl', 'tag'],
    ofCache ({ stats }, emit) {
      for (const { label, invalidations } of stats.impls.values()) {
        for (const [tag, count] of invalidations) emit(count, label, tag)
      }
    }
  },
  {
    name: 'cache_enabled',
    type: 'gauge',
    help: 'Whether the implementation is in service and stores: 1 or 0.',
    labelNames: ['impl'],
    ofCache ({ stats, active }, emit) {
      for (const impl of stats.impls.values()) emit(impl === active.stats && !active.passThrough ? 1 : 0, impl.label)
    }
  },
  {
    name: 'cache_candidate_requests',
    type: 'counter',
    help: 'Answered GET and HEAD requests that matched a route and are not personal.',
    labelNames: ['route', 'method'],
    ofTraffic ({ routes }, emit) {
      for (const { label, candidates } of routes) {
        if (candidates.GET > 0) emit(candidates.GET, label, 'GET')
        if (candidates.HEAD > 0) emit(candidates.HEAD, label, 'HEAD')
      }
    }
  },
  {
    name: 'cache_edge_candidates_total',
    help: 'Requests that the edge may answer under its rules.',
    ...ofTheWhole('counter', (cache) => EdgeCounts.of(cache).candidates)
  },
  {
    name: 'etag_match_total',
    help: 'Conditional requests that were answered 304.',
    ...ofTheWhole('counter', (cache) => EdgeCounts.of(cache).etagMatches)
  },
  {
    name: 'cache_operation_duration_seconds',
    type: 'histogram',
    help: 'How long operations of the implementation took.',
    labelNames: ['impl', 'operation'],
    buckets: DURATION_BUCKETS,
    ofCache ({ stats }, emit) {
      for (const { label, durations } of stats.impls.values()) {
        for (const [operation, histogram] of durations) emit(histogram, label, operation)
      }
    },
    followCache: ({ events }, emit) => events.on('operated', (impl, operation, seconds) => emit(seconds, impl, operation))
  },
  {
    name: 'cache_load_duration_seconds',
    type: 'histogram',
    help: 'How long loading the values took.',
    labelNames: ['key_pattern'],
    buckets: DURATION_BUCKETS,
    ofCache ({ stats }, emit) {
      for (const { keyPattern, durations } of stats.loads.values()) {
        // A histogram without observations has no series, as in OpenTelemetry.
        if (durations.count > 0) emit(durations, keyPattern)
      }
    },
    followCache: ({ events }, emit) => events.on('loaded', (_key, keyPattern, seconds) => emit(seconds, keyPattern))
  },
  {
    name: 'cache_request_duration_seconds',
    type: 'histogram',
    help: 'How long it took until the answer to a request was ready to send, by the arm of the rollout.',
    labelNames: ['route', 'arm'],
    buckets: DURATION_BUCKETS,
    ofTraffic ({ routes }, emit) {
      for (const { label, durations } of routes) {
        for (const [arm, histogram] of Object.entries(durations)) {
          if (histogram !== undefined) emit(histogram, label, arm)
        }
      }
    },
    followTraffic: (traffic, emit) => traffic.listen(emit)
  },
  {
    name: 'cache_request_failures_total',
    type: 'counter',
    help: 'Requests that were answered with a status of 500 or more, by the arm of the rollout.',
    labelNames: ['route', 'arm'],
    ofTraffic ({ routes }, emit) {
      for (const { label, durations, failures } of routes) {
        // An arm with requests has a series from the start: `rate()` does not count the step from no series to a first count.
        for (const arm of ARMS) if (durations[arm] !== undefined) emit(failures[arm], label, arm)
      }
    }
  },
  {
    name: 'cache_loads_total',
    type: 'counter',
    help: 'Loads that ended, by the arm of the rollout.',
    labelNames: ['key_pattern', 'arm'],
    ofCache ({ stats }, emit) {
      for (const { label, counters } of stats.impls.values()) {
        for (const { keyPattern, loaded } of counters.values()) emit(loaded, keyPattern, label === CONTROL_LABEL ? 'control' : 'cached')
      }
    }
  },
  {
    name: 'cache_rollout_percent',
    help: 'The share of subjects that are in, in percent; 0 while nothing is cached for anybody.',
    // Without an implementation that stores values the share is 0, so that a rollout that starts at 50 % is no decrease. An outage of the
    // implementation does not change the share.
    ...ofTheWhole('gauge', (cache) => cache.active.passThrough && statusOf(cache).degraded !== true ? 0 : cache.rollout.percent)
  },
  {
    name: 'cache_rollout_stage',
    help: 'The stage of the canary: 0 is the baseline. No series without a canary.',
    ...ofTheCanary(({ stage }, emit) => emit(stage))
  },
  {
    name: 'cache_rollout_paused',
    help: 'Whether the canary raises nothing, since an operator paused it or used the kill switch: 1 or 0. No series without a canary.',
    ...ofTheCanary(({ paused, killed }, emit) => emit(paused || killed ? 1 : 0))
  },
  {
    name: 'cache_rollout_verdict',
    help: 'The last verdict on the stage of the canary: 1 for that verdict, else 0. Only the process that decides has these series.',
    ...ofTheCanary(({ lastVerdict }, emit) => {
      if (lastVerdict !== undefined) for (const each of VERDICTS) emit(each === lastVerdict ? 1 : 0, each)
    }, 'verdict')
  },
  {
    name: 'cache_breaker_state',
    help: 'The circuit breaker in front of the store: 0 closed, 1 half-open, 2 open.',
    ...ofTheWhole('gauge', (cache) => Math.max(0, BREAKER_STATES.indexOf(String(statusOf(cache).breaker))))
  },
  {
    name: 'cache_tracking_state',
    help: 'The invalidation channel of the store: 0 trusted, 1 in doubt, 2 off.',
    ...ofTheWhole('gauge', (cache) => statusOf(cache).tracking === 'trusted' ? 0 : statusOf(cache).tracking === 'in doubt' ? 1 : 2)
  },
  {
    name: 'cache_queued_invalidations',
    help: 'Removals that wait for the store.',
    ...ofTheWhole('gauge', (cache) => statusOf(cache).queuedInvalidations ?? 0)
  },
  {
    name: 'cache_degraded',
    help: 'Whether the implementation is out of service because it fails: 1 or 0.',
    ...ofTheWhole('gauge', (cache) => statusOf(cache).degraded === true ? 1 : 0)
  }
]

function statusOf ({ active }: CacheRegistry): ImplementationStatus {
  try {
    return active.impl.status?.() ?? {}
  } catch {
    // The `status()` of an app's own implementation may throw; the other metrics are still exported.
    return {}
  }
}
