import type { ImplementationStatus } from '@x/cache-core/implementing'
import { DURATION_BUCKETS, ERROR_TYPES } from '@x/cache-core/suite'
import { EdgeCounts } from '../traffic/edge-counts.js'
import { LEDGER_METRICS } from './ledger-metrics.js'
import { ofTheWhole, statusOf, type Metric } from './metric.js'
import { ROLLOUT_METRICS, SHADOW_METRICS } from './rollout-metrics.js'

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

/** Returns type, labels and reader of a metric of the near cache; without a near cache the metric has no series. */
function ofTheNearCache (type: 'counter' | 'gauge', read: (near: NonNullable<ImplementationStatus['near']>) => number): Pick<Metric, 'type' | 'labelNames' | 'ofCache'> {
  return {
    type,
    labelNames: [],
    ofCache (cache, emit) {
      const { near } = statusOf(cache)
      if (near !== undefined) emit(read(near))
    }
  }
}

/**
 * All metrics of the suite. The histograms have the buckets of the core, which range from the duration of an in-process read to that of a
 * slow query.
 */
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
      // Each type of error has a series even without errors, since `rate()` does not count the step from no series to a first count.
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
  ...LEDGER_METRICS,
  ...SHADOW_METRICS,
  {
    name: 'cache_advised_hit_rate',
    type: 'gauge',
    help: 'The hit rate, 0 to 1, that the advisor estimates for a cache with the advised ttl and size. No series while the advisor does not observe.',
    labelNames: ['key_pattern'],
    ofTraffic ({ advisedHitRates }, emit) {
      for (const [keyPattern, hitRate] of advisedHitRates?.() ?? []) emit(hitRate, keyPattern)
    }
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
  ...ROLLOUT_METRICS,
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
  },
  {
    name: 'cache_near_hits_total',
    help: 'Reads that the near cache of the process answered without a round trip. No series without a near cache.',
    ...ofTheNearCache('counter', ({ hits }) => hits)
  },
  {
    name: 'cache_near_entries',
    help: 'Entries of which the near cache of the process has a copy.',
    ...ofTheNearCache('gauge', ({ entries }) => entries)
  },
  {
    name: 'cache_near_bytes',
    help: 'Bytes of the copies in the near cache of the process.',
    ...ofTheNearCache('gauge', ({ bytes }) => bytes)
  },
  {
    name: 'cache_near_age_bound_seconds',
    help: 'The longest time for which the near cache serves an entry that another process has removed, if messages end silently.',
    ...ofTheNearCache('gauge', ({ ageBoundMs }) => ageBoundMs / 1000)
  }
]
