import { RowBuilder, type DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard'
import { bars, CHOSEN, lines, PATTERNS, stacked } from './panels.js'

const OF_PATTERNS = `${CHOSEN},${PATTERNS}`
const rate = (metric: string, by: string) => `sum by (${by}) (rate(${metric}{${OF_PATTERNS}}[$__rate_interval]))`

/** The rate of a metric in processes that had costs and savings at every scrape: what hits saved is not known before the first load. */
const known = (metric: string) => `sum by (key_pattern) (rate(${metric}{${OF_PATTERNS}}[1h])
and ignoring (part) max without (part) (count_over_time(cache_cost_seconds_total{${OF_PATTERNS}}[1h])) == count_over_time(cache_saved_load_seconds_total{${OF_PATTERNS}}[1h]))`

/** Adds the row of the cost ledger: what the hits of each key pattern saved, and what the cache cost; and the values that no schema let pass. */
export function withLedgerPanels (board: DashboardBuilder): DashboardBuilder {
  return board
    .withRow(new RowBuilder('Cost ledger'))
    .withPanel(lines({ '{{key_pattern}}': `${known('cache_cost_seconds_total')} / (${known('cache_saved_load_seconds_total')} > 0)` },
      { title: 'Cost per second saved, by key pattern', description: 'Of the last hour, in processes that had loaded the pattern before. Above 1 the cache takes more time than it saves. No line: no hit, or no load that succeeded.', unit: 'short', width: 8, alerts: ['CacheCostsMoreThanItSaves'] }))
    .withPanel(stacked({
      '{{part}}': rate('cache_cost_seconds_total', 'part')
    }, { title: 'What the cache costs', description: 'Seconds per second: reads, stores, removals by key, and loads in the background.', unit: 'short', width: 8 }))
    .withPanel(lines({ '{{job}}': rate('cache_serialize_seconds_total', 'job') },
      { title: 'Event loop blocked by serialising', description: 'Seconds per second of all processes, in stores: values are serialised or copied.', unit: 'short', width: 8 }))
    .withPanel(lines({
      'saved from the source': `sum(rate(cache_saved_bytes_total{${OF_PATTERNS}}[$__rate_interval]))`,
      'stored in the cache': `sum(rate(cache_stored_bytes_total{${OF_PATTERNS}}[$__rate_interval]))`
    }, { title: 'Bytes saved and stored', description: 'From the sizes of a sample of the values.', unit: 'Bps', width: 8 }))
    .withPanel(bars({ '{{key_pattern}}': `topk(10, sum by (key_pattern) (cache_held_bytes{${OF_PATTERNS}}))` },
      { title: 'Bytes held, top 10', description: 'Of all processes: with Redis each of them estimates what it stored itself.', unit: 'bytes', width: 8 }))
    .withPanel(lines({ '{{job}} {{impl}}': `sum by (job, impl) (rate(cache_errors_total{${CHOSEN},error_type="schema"}[$__rate_interval]))` },
      { title: 'Values that do not pass their schema', description: 'Stored ones are misses, loaded ones are not stored. Many after a release: the key pattern needs another version. The log names the pattern.', unit: 'ops', width: 8 }))
}
