import type { LedgerNumbers } from '../advisor/report/ledger.js'
import { CostLedger } from '../ledger/cost-ledger.js'
import type { Metric } from './metric.js'

const PARTS = ['read', 'store', 'remove', 'refresh'] as const
const BY_PATTERN = ['impl', 'key_pattern']

/** Returns type, labels and reader of a metric of the cost ledger; a key pattern for which `read` gives no number has no series. */
function ofTheLedger (type: 'counter' | 'gauge', read: (row: LedgerNumbers) => number | undefined): Pick<Metric, 'type' | 'labelNames' | 'ofCache' | 'isFractional'> {
  return {
    type,
    labelNames: BY_PATTERN,
    isFractional: true,
    ofCache (cache, emit) {
      for (const row of CostLedger.of(cache).numbers(type === 'gauge')) {
        const value = read(row)
        if (value !== undefined) emit(value, row.impl, row.keyPattern)
      }
    }
  }
}

/** The metrics of the cost ledger: the savings of a key pattern's hits, and the cost of the cache. */
export const LEDGER_METRICS: readonly Metric[] = [
  {
    name: 'cache_saved_load_seconds_total',
    help: 'Loader seconds that hits saved, each at the recent duration of a load.',
    ...ofTheLedger('counter', ({ savedSeconds }) => savedSeconds)
  },
  {
    name: 'cache_cost_seconds_total',
    type: 'counter',
    help: 'Seconds that the cache took: reads, stores, removals by key, and loads in the background.',
    labelNames: [...BY_PATTERN, 'part'],
    isFractional: true,
    ofCache (cache, emit) {
      for (const { impl, keyPattern, cost } of CostLedger.of(cache).numbers(false)) {
        for (const part of PARTS) emit(cost[part], impl, keyPattern, part)
      }
    }
  },
  {
    name: 'cache_serialize_seconds_total',
    help: 'The part of the store seconds in which the event loop was blocked by serialising or copying values.',
    ...ofTheLedger('counter', ({ cost }) => cost.serialize)
  },
  {
    name: 'cache_saved_bytes_total',
    help: 'Bytes of values that hits served in place of the source, from the sizes of a sample.',
    ...ofTheLedger('counter', ({ savedBytes }) => savedBytes)
  },
  {
    name: 'cache_stored_bytes_total',
    help: 'Bytes of values that were stored, from the sizes of a sample.',
    ...ofTheLedger('counter', ({ storedBytes }) => storedBytes)
  },
  {
    name: 'cache_held_bytes',
    help: 'Estimated bytes that the implementation in service holds.',
    ...ofTheLedger('gauge', ({ heldBytes }) => heldBytes)
  }
]
