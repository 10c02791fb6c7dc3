import { RowBuilder, type Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { bars, CHOSEN, dashboard, heatMap, lines, PATTERNS, ROUTES, stat } from './panels.js'

const candidates = (range: string) => `rate(cache_candidate_requests{${CHOSEN},${ROUTES}}[${range}])`
// Observed or cached: what the app asks its cache for.
const reads = (range: string) => `sum by (key_pattern) (rate(cache_hits_total{${CHOSEN},${PATTERNS}}[${range}])) + sum by (key_pattern) (rate(cache_miss_total{${CHOSEN},${PATTERNS}}[${range}]))`

/** What is worth caching, as observing shows it; needs no cache in service. */
export function candidatesDashboard (): Dashboard {
  return dashboard('cache-candidates', 'Cache: candidates', 'What is worth caching, as observing shows it. Needs no cache in service.')
    .withRow(new RowBuilder('Volume'))
    .withPanel(stat({ '': `sum(${candidates('$__range')})` },
      { title: 'Candidates', description: 'Answered GET and HEAD requests per second that matched a route and are not personal. Worth it: more than 100.', unit: 'reqps', width: 6, alerts: ['CacheNoCandidates'] }))
    .withPanel(stat({ '': `count(sum by (route) (${candidates('$__range')}) > 0)` },
      { title: 'Candidate routes', description: 'Worth it: at least 5.', unit: 'short', width: 6 }))
    .withPanel(stat({ '': `sum(rate(cache_edge_candidates_total{${CHOSEN}}[$__range]))` },
      { title: 'Edge candidates', description: 'Requests per second that the edge may answer under its rules.', unit: 'reqps', width: 6 }))
    .withPanel(stat({ '': `sum(rate(etag_match_total{${CHOSEN}}[$__range])) / (sum(${candidates('$__range')}) > 0)` },
      { title: 'Edge hit rate', description: '304 answers per candidate request of the chosen routes. Go on: above 30 %, stop: below 10 %.', unit: 'percentunit', width: 6 }))

    .withRow(new RowBuilder('Where'))
    .withPanel(heatMap({ '{{route}}': `sum by (route) (${candidates('$__rate_interval')})` },
      { title: 'Candidate heat map', description: 'Candidate requests per second: a row for each route.', unit: 'reqps', width: 24 }))
    .withPanel(bars({ '{{method}} {{route}}': `topk(10, sum by (route, method) (${candidates('$__range')}))` },
      { title: 'Candidate routes, top 10', description: 'Requests per second over the time shown.', unit: 'reqps', width: 8 }))
    .withPanel(bars({ '{{key_pattern}}': `topk(10, ${reads('$__range')})` },
      { title: 'Key patterns, top 10', description: 'Reads per second over the time shown, observed and cached.', unit: 'ops', width: 8 }))
    .withPanel(bars({ '{{key_pattern}}': `topk(10, sum by (key_pattern) (increase(cache_load_duration_seconds_sum{${CHOSEN},${PATTERNS}}[$__range])))` },
      { title: 'Loading by key pattern, top 10', description: 'Seconds of loading over the time shown: at most this is to be saved.', unit: 's', width: 8 }))

    .withRow(new RowBuilder('What the advisor estimates'))
    .withPanel(lines({ '{{key_pattern}}': `max by (key_pattern) (cache_advised_hit_rate{${CHOSEN},${PATTERNS}})` },
      { title: 'Advised hit rate by key pattern', description: 'The hit rate of a cache with the advised ttl and size, estimated by the advisor of one process; the highest of all processes.', unit: 'percentunit', width: 24 }))

    .withRow(new RowBuilder('What it costs'))
    .withPanel(bars({ '{{route}}': `topk(10, histogram_quantile(0.99, sum by (route, le) (rate(cache_request_duration_seconds_bucket{${CHOSEN},${ROUTES}}[$__range]))))` },
      { title: 'Slowest routes, p99, top 10', description: 'Over the time shown. Slow: above 500 ms.', unit: 's', width: 12 }))
    .withPanel(lines({ '{{key_pattern}}': `sum by (key_pattern) (rate(cache_load_duration_seconds_sum{${CHOSEN},${PATTERNS}}[$__rate_interval])) / (sum by (key_pattern) (rate(cache_load_duration_seconds_count{${CHOSEN},${PATTERNS}}[$__rate_interval])) > 0)` },
      { title: 'Mean load by key pattern', description: 'What a hit would save.', unit: 's', width: 12 }).height(10))
    .build()
}
