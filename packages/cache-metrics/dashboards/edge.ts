import { RowBuilder, type DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard'
import { CHOSEN, lines, stacked, stat } from './panels.js'

// The edge reads stored responses under a key pattern of its own; impl="null" is observed, or outside of the rollout, and never hits.
const STORED = `${CHOSEN},key_pattern="edge",impl!="null"`
const rate = (metric: string, range: string, matchers = STORED) => `sum(rate(${metric}{${matchers}}[${range}]))`
const hits = (range: string) => rate('cache_hits_total', range)
const reads = (range: string) => `(${hits(range)} + ${rate('cache_miss_total', range)})`
const candidates = (range: string) => rate('cache_edge_candidates_total', range, CHOSEN)

/** Adds the row of `@x/cache-edge`: stored responses, ETags, and the requests that the edge may answer. They have no label `route`. */
export function withEdgePanels (board: DashboardBuilder): DashboardBuilder {
  return board
    .withRow(new RowBuilder('Stored responses and edge'))
    .withPanel(stat({ '': `${hits('$__range')} / (${reads('$__range')} > 0)` },
      { title: 'Stored responses: hit rate', description: 'Over the time shown, of what is in the rollout.', unit: 'percentunit', width: 4 }))
    .withPanel(stat({ '': `${rate('etag_match_total', '$__range', CHOSEN)} / (${candidates('$__range')} > 0)` },
      { title: 'Answered 304', description: 'Of the requests that the edge may answer under its rules, over the time shown.', unit: 'percentunit', width: 4 }))
    .withPanel(stacked({
      hits: hits('$__rate_interval'),
      misses: rate('cache_miss_total', '$__rate_interval'),
      stores: rate('cache_set_total', '$__rate_interval')
    }, { title: 'Stored responses: operations', description: 'Reads and stores of responses by the edge, of what is in the rollout.', unit: 'ops', width: 8 }))
    .withPanel(lines({
      candidates: candidates('$__rate_interval'),
      'answered 304': rate('etag_match_total', '$__rate_interval', CHOSEN),
      'from the store': hits('$__rate_interval')
    }, { title: 'Requests that the edge may answer', description: 'A stored response may be answered as 304, and is then in both lines. The rest are handler runs.', unit: 'reqps', width: 8 }))
}
