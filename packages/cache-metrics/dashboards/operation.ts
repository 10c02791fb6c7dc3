import { RowBuilder, type Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { bars, CHOSEN, dashboard, lines, PATTERNS, ROUTES, stacked, stat, states, steps } from './panels.js'
import { withEdgePanels } from './edge.js'
import { withLedgerPanels } from './ledger.js'

// Of what is cached: impl="null" is observed, or outside of the rollout, and never hits.
const CACHED = `${CHOSEN},impl!="null"`
const OF_PATTERNS = `${CACHED},${PATTERNS}`

const hits = (range: string, by: string) => `sum by (${by}) (rate(cache_hits_total{${OF_PATTERNS}}[${range}]))`
const misses = (range: string, by: string) => `sum by (${by}) (rate(cache_miss_total{${OF_PATTERNS}}[${range}]))`
const hitRate = (range: string, by: string) => `${hits(range, by)} / (${hits(range, by)} + ${misses(range, by)} > 0)`
const quantile = (q: number, metric: string, by: string, matchers = CHOSEN) =>
  `histogram_quantile(${q}, sum by (${by}, le) (rate(${metric}_bucket{${matchers}}[$__rate_interval])))`

/** Seconds of loading that hits made unnecessary, by the mean load of their key pattern since the start. */
const saved = (rateOrIncrease: 'rate' | 'increase', range: string) => `sum by (job, key_pattern) (${rateOrIncrease}(cache_hits_total{${OF_PATTERNS}}[${range}]))
* sum by (job, key_pattern) (cache_load_duration_seconds_sum{${CHOSEN},${PATTERNS}})
/ (sum by (job, key_pattern) (cache_load_duration_seconds_count{${CHOSEN},${PATTERNS}}) > 0)`

/** Requests of the arms that the rollout compares. */
const ARMS = `${CHOSEN},${ROUTES},arm=~"cached|control"`
const readsOf = (arm: string, impl: string) => `label_replace(sum(rate(cache_hits_total{${CHOSEN},${PATTERNS},${impl}}[$__rate_interval])) + sum(rate(cache_miss_total{${CHOSEN},${PATTERNS},${impl}}[$__rate_interval])), "arm", "${arm}", "", "")`
const readsByArm = `(${readsOf('cached', 'impl!="null"')} or ${readsOf('control', 'impl="null"')})`

/** Request time of the arms that the rollout compares. */
const requestTime = `rate(cache_request_duration_seconds_sum{${CHOSEN},arm=~"cached|control"}[$__rate_interval])`

/** Calls per second: operations, or the reads of a process that has no count of operations. */
const callsOf = (metric: string) => `sum by (job, instance, impl) (rate(${metric}{${CACHED}}[$__rate_interval]))`
const calls = `sum(${callsOf('cache_operation_duration_seconds_count')} or ${callsOf('cache_hits_total')} + ${callsOf('cache_miss_total')})`
const errors = `sum(rate(cache_errors_total{${CACHED}}[$__rate_interval]))`

/** What the cache does, whether it helps, and how far the rollout is. */
export function operation (): Dashboard {
  const board = dashboard('cache-operation', 'Cache: operation', 'What the cache does, whether it helps, and how far the rollout is.')
    .withRow(new RowBuilder('State'))
    .withPanel(stat({ '{{impl}}': `sum by (impl) (cache_enabled{${CHOSEN}})` },
      { title: 'Processes in service', description: 'By implementation. null is never in service: it stores nothing.', unit: 'short', width: 6 }))
    .withPanel(stat({ '': `sum(cache_degraded{${CHOSEN}})` },
      { title: 'Degraded processes', description: 'Their cache is out of service because it fails.', unit: 'short', width: 4, alerts: ['CacheDegraded'] }, 1))
    .withPanel(stat({ '{{job}}': hitRate('$__range', 'job') },
      { title: 'Hit rate', description: 'Over the time shown, of what is in the rollout.', unit: 'percentunit', width: 4 }))
    .withPanel(stat({ '': `sum(${saved('increase', '$__range')})` },
      { title: 'Loader time saved', description: 'Over the time shown: hits times the mean load of their key pattern.', unit: 's', width: 5 }))
    .withPanel(stat({ '': `sum(cache_queued_invalidations{${CHOSEN}})` },
      { title: 'Queued invalidations', description: 'Removals that wait for the store.', unit: 'short', width: 5, alerts: ['CacheInvalidationsQueued'] }, 1))
    .withPanel(states({ '{{job}} {{instance}}': `cache_breaker_state{${CHOSEN}}` },
      { title: 'Breaker', description: 'In front of the store; closed where there is none.', unit: 'short', width: 8, alerts: ['CacheBreakerOpen'] }, ['closed', 'half-open', 'open']))
    .withPanel(states({ '{{job}} {{instance}}': `cache_tracking_state{${CHOSEN}}` },
      { title: 'Invalidation channel', description: 'Off without Redis and with consistency "strong".', unit: 'short', width: 8, alerts: ['CacheTrackingInDoubt'] }, ['trusted', 'in doubt', 'off']))
    .withPanel(steps({ '{{job}} lowest': `min by (job) (cache_rollout_percent{${CHOSEN}})`, '{{job}} highest': `max by (job) (cache_rollout_percent{${CHOSEN}})` },
      { title: 'Rollout stage', description: 'The percent of subjects that are in. Lowest and highest differ while processes disagree.', unit: 'percent', width: 8, alerts: ['CacheRolloutStuck', 'CacheRolloutUneven', 'CacheRolloutSteppedBack'] }).max(100).height(6))

    .withRow(new RowBuilder('Volume'))
    .withPanel(stacked({
      hits: `sum(rate(cache_hits_total{${OF_PATTERNS}}[$__rate_interval]))`,
      misses: `sum(rate(cache_miss_total{${OF_PATTERNS}}[$__rate_interval]))`,
      sets: `sum(rate(cache_set_total{${OF_PATTERNS}}[$__rate_interval]))`,
      dels: `sum(rate(cache_del_total{${OF_PATTERNS}}[$__rate_interval]))`,
      invalidations: `sum(rate(cache_invalidate_total{${CACHED}}[$__rate_interval]))`
    }, { title: 'Operation volume', description: 'Of what is in the rollout.', unit: 'ops', width: 12 }))
    .withPanel(stacked({ '{{impl}} {{operation}}': `sum by (impl, operation) (rate(cache_operation_duration_seconds_count{${CHOSEN}}[$__rate_interval]))` },
      { title: 'Calls to the implementation', description: 'By operation, failed ones as well.', unit: 'ops', width: 12 }))
    .withPanel(bars({ '{{key_pattern}}': `topk(10, ${hits('$__range', 'key_pattern')} + ${misses('$__range', 'key_pattern')})` },
      { title: 'Key patterns: reads, top 10', description: 'Reads per second over the time shown, of what is in the rollout.', unit: 'ops', width: 8 }))
    .withPanel(bars({ '{{key_pattern}}': `topk(10, ${hits('$__range', 'key_pattern')} + ${misses('$__range', 'key_pattern')}) * 0 + on (key_pattern) (${hitRate('$__range', 'key_pattern')})` },
      { title: 'Key patterns: hit rate of these', description: 'Over the time shown.', unit: 'percentunit', width: 8 }).max(1))
    .withPanel(bars({ '{{tag}}': `topk(10, sum by (tag) (rate(cache_invalidate_total{${CHOSEN}}[$__range])))` },
      { title: 'Invalidations by tag, top 10', description: 'Per second over the time shown, by the pattern of the tag.', unit: 'ops', width: 8 }))

    .withRow(new RowBuilder('Hits and errors'))
    .withPanel(lines({ '{{job}} {{impl}}': hitRate('$__rate_interval', 'job, impl') },
      { title: 'Hit rate', description: 'hits / (hits + misses), of what is in the rollout. No line: no reads.', unit: 'percentunit', width: 8, alerts: ['CacheHitRateFell'] }).max(1))
    .withPanel(stacked({ '{{impl}} {{error_type}}': `sum by (impl, error_type) (rate(cache_errors_total{${CHOSEN}}[$__rate_interval])) > 0` },
      { title: 'Errors by type', description: 'timeout, unavailable, readonly, auth, out_of_memory, corrupt: the store. The others: calls that are wrong.', unit: 'ops', width: 8 }))
    .withPanel(lines({ errors: `(${errors} or vector(0)) / (${calls} > 0)` },
      { title: 'Share of calls that fail', description: 'Of the operations, or of the reads of a process that has no count of operations. Alert: above 1 % for 5 minutes.', unit: 'percentunit', width: 8, alerts: ['CacheErrorRateHigh'] }))

    .withRow(new RowBuilder('Latency'))
    .withPanel(lines({
      'p50 {{arm}}': quantile(0.5, 'cache_request_duration_seconds', 'arm', `${CHOSEN},${ROUTES}`),
      'p99 {{arm}}': quantile(0.99, 'cache_request_duration_seconds', 'arm', `${CHOSEN},${ROUTES}`)
    }, { title: 'Request latency by arm', description: 'cached, control (observed, or outside of the rollout), none (used no cache). Estimated within buckets.', unit: 's', width: 12, alerts: ['CacheCachedArmSlower'] }))
    .withPanel(lines({ '{{impl}} {{operation}}': quantile(0.99, 'cache_operation_duration_seconds', 'impl, operation') },
      { title: 'p99 of the implementation by operation', description: 'What the store takes.', unit: 's', width: 12 }))
    .withPanel(bars({ '{{route}} {{arm}}': `topk(10, histogram_quantile(0.99, sum by (route, arm, le) (rate(cache_request_duration_seconds_bucket{${ARMS}}[$__range]))))` },
      { title: 'Slowest routes by arm, p99, top 10', description: 'Over the time shown.', unit: 's', width: 24 }))

    .withRow(new RowBuilder('Arms of the rollout'))
    .withPanel(lines({ '{{arm}}': `sum by (arm) (rate(cache_request_failures_total{${ARMS}}[$__rate_interval])) / (sum by (arm) (rate(cache_request_duration_seconds_count{${ARMS}}[$__rate_interval])) > 0)` },
      { title: 'Failures by arm', description: 'Requests that were answered with 500 or more. Both arms alike: the origin fails, not the cache.', unit: 'percentunit', width: 8 }))
    .withPanel(lines({ '{{arm}}': `sum by (arm) (rate(cache_loads_total{${CHOSEN},${PATTERNS}}[$__rate_interval])) / (${readsByArm} > 0)` },
      { title: 'Loads per read by arm', description: 'What the cache takes off the origin: control is about 1.', unit: 'short', width: 8 }))
    .withPanel(lines({ '{{arm}}': `sum by (arm) (rate(cache_request_duration_seconds_count{${ARMS}}[$__rate_interval]))` },
      { title: 'Requests by arm', description: 'Requests that used the cache; the canary compares these.', unit: 'reqps', width: 8 }))
    .withPanel(bars({ '{{key_pattern}} {{arm}}': `topk(10, sum by (key_pattern, arm) (rate(cache_loads_total{${CHOSEN},${PATTERNS}}[$__range])))` },
      { title: 'Loads by key pattern and arm, top 10', description: 'Loads per second over the time shown.', unit: 'ops', width: 8 }))
    .withPanel(steps({ '{{job}}': `max by (job) (cache_rollout_stage{${CHOSEN}})`, '{{job}} paused or off': `max by (job) (cache_rollout_paused{${CHOSEN}})` },
      { title: 'Stage of the canary', description: '0 is the baseline. No line: there is no canary.', unit: 'short', width: 8, alerts: ['CacheCanaryStuck', 'CacheCanarySteppedBack'] }))
    .withPanel(steps({ '{{job}} {{verdict}}': `max by (job, verdict) (cache_rollout_verdict{${CHOSEN}})` },
      { title: 'Verdict on the stage', description: 'go: all criteria hold; wait: not enough data or time; back: one is certainly violated.', unit: 'short', width: 8 }).max(1))

    .withRow(new RowBuilder('Loading'))
    .withPanel(stacked({ '{{job}} {{key_pattern}}': saved('rate', '$__rate_interval') },
      { title: 'Loader time saved', description: 'Seconds of loading per second: hits times the mean load of their key pattern. Stored responses (edge) have no loader of their own and are not in it.', unit: 'short', width: 8 }))
    .withPanel(lines({ '{{key_pattern}}': `sum by (key_pattern) (rate(cache_load_duration_seconds_sum{${CHOSEN},${PATTERNS}}[$__rate_interval])) / (sum by (key_pattern) (rate(cache_load_duration_seconds_count{${CHOSEN},${PATTERNS}}[$__rate_interval])) > 0)` },
      { title: 'Mean load by key pattern', description: 'Of all loads, whatever the arm.', unit: 's', width: 8 }))
    .withPanel(lines({ '{{job}}': `sum by (job) (rate(cache_load_duration_seconds_sum{${CHOSEN}}[$__rate_interval]) and on (job, instance) ${requestTime} > 0) / (sum by (job) (${requestTime}) > 0)` },
      { title: 'Share of request time that is loading', description: 'Of requests that use the cache, by process. Loads that run beside each other can make it more than 100 %.', unit: 'percentunit', width: 8, alerts: ['CacheLoadTimeShareHigh'] }))
  return withEdgePanels(withLedgerPanels(board)).build()
}
