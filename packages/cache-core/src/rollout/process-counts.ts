import { CONTROL_LABEL, type ImplStats, type Stats } from '../telemetry/counters.js'
import { noCounts, type ArmCounts } from './minute-counts.js'
import type { ProcessCounts } from './minute-recorder.js'

/** Types of errors that the app's arguments or the app's loader caused; they are not counted as errors of the cache. */
export const NOT_OF_THE_CACHE = new Set<string>(['key_invalid', 'tag_invalid', 'value_invalid', 'ttl_invalid', 'option_unknown', 'load_overdue', 'schema'])

/**
 * Returns the counts of cache calls in a process since its start, by arm. Calls in the control arm are counted under the value `null` of
 * the metric label `impl`, all others under the name of their implementation.
 */
export function processCounts (stats: Stats): ProcessCounts {
  const counts = { cached: noCounts(), control: noCounts() }
  for (const [label, ofImpl] of stats.impls) add(counts[label === CONTROL_LABEL ? 'control' : 'cached'], ofImpl)
  return counts
}

function add (sum: ArmCounts, { counters, errors }: ImplStats): void {
  let cacheErrors = 0
  for (const [type, count] of errors) if (!NOT_OF_THE_CACHE.has(type)) cacheErrors += count
  sum.cacheErrors += cacheErrors
  sum.operations += cacheErrors
  for (const { hits, misses, sets, dels, loaded } of counters.values()) {
    sum.hits += hits
    sum.reads += hits + misses
    sum.loads += loaded
    sum.operations += hits + misses + sets + dels
  }
}
