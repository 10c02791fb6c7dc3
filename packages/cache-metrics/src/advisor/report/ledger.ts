import { forMarkdown, listItem } from './escape.js'
import { bytes, duration, percent, seconds, table } from './figures.js'

/** The number of reads of a key pattern below which the ledger gives no verdict, since its sums would depend on chance. */
const MIN_READS = 500

/** The seconds that a cache has spent on the keys of one pattern, by kind of operation. */
export interface LedgerCost {
  /** Seconds of cache reads, both hits and misses. */
  readonly read: number
  /** Seconds of stores, including the leases and snapshots of tags that stores need. */
  readonly store: number
  /** Seconds of removals of entries by key. */
  readonly remove: number
  /** Seconds of loads in the background, which refreshed stale entries. */
  readonly refresh: number
  /** The part of `store` in which the event loop was blocked by serialising or copying the values. */
  readonly serialize: number
}

/** The measured numbers of one key pattern on one implementation. */
export interface LedgerNumbers {
  /** The name of the implementation, as in the metric label `impl`. */
  readonly impl: string
  readonly keyPattern: string
  readonly reads: number
  readonly hits: number
  readonly stores: number
  /** Loader seconds that the hits saved, each hit at the recent duration of a load; `undefined`: no load succeeded. */
  readonly savedSeconds: number | undefined
  /** The mean duration of a load that succeeded in seconds; `undefined`: no load succeeded. */
  readonly meanLoadSeconds: number | undefined
  readonly cost: LedgerCost
  /** The bytes of the values of all hits, which no loader had to fetch again; `undefined`: no value was measured. */
  readonly savedBytes: number | undefined
  /** The bytes of all values that were stored in the cache; `undefined`: no value was measured. */
  readonly storedBytes: number | undefined
  /**
   * The estimated bytes that the cache holds of the pattern now; `undefined`: the implementation is not in service, or no value was
   * measured.
   */
  readonly heldBytes: number | undefined
}

/** One row of the cost ledger: the savings of a cache on a key pattern, and its cost. */
export interface LedgerRow extends LedgerNumbers {
  /** The sum of the seconds in `cost`, without `serialize`, which is a part of `store`. */
  readonly costSeconds: number
  /** `savedSeconds - costSeconds`; `undefined`: no load succeeded. */
  readonly netSeconds: number | undefined
  /**
   * The hit rate at which the cache saves as much as it costs; above 1: no hit rate does. `undefined`: no load succeeded, or neither a hit
   * saves time nor a store takes time, so that no hit rate changes the balance.
   */
  readonly breakEvenHitRate: number | undefined
  readonly verdict: 'saves' | 'loses' | 'not enough data'
  /** The row of the cost ledger as a sentence with its numbers. */
  readonly text: string
}

/** The cost ledger of a process: the savings and the cost of its cache. */
export interface Ledger {
  /** Seconds since the process began to fill the ledger. */
  readonly seconds: number
  /** The rows of the ledger: first those that cost more than they save, then by the seconds that they save. */
  readonly rows: readonly LedgerRow[]
}

/** Returns the rows of the ledger with their verdicts, those first that cost more than they save. */
export function ledgerRows (all: readonly LedgerNumbers[]): LedgerRow[] {
  const order = ['loses', 'saves', 'not enough data']
  return all.map(rowOf).sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict) ||
    (a.verdict === 'loses' ? (a.netSeconds ?? 0) - (b.netSeconds ?? 0) : (b.netSeconds ?? 0) - (a.netSeconds ?? 0)))
}

function rowOf (numbers: LedgerNumbers): LedgerRow {
  const { savedSeconds, cost, reads } = numbers
  const costSeconds = cost.read + cost.store + cost.remove + cost.refresh
  const netSeconds = savedSeconds === undefined ? undefined : savedSeconds - costSeconds
  const verdict = netSeconds === undefined || reads < MIN_READS ? 'not enough data' : netSeconds < 0 ? 'loses' : 'saves'
  const row = { ...numbers, costSeconds, netSeconds, breakEvenHitRate: breakEven(numbers), verdict } as const
  return { ...row, text: textOf(row) }
}

/**
 * The hit rate `h` at which `h × load = read + (1 - h) × store + others`. `load` is what a hit saves, `store` the cost per miss; `read` and
 * `others` (removals, refreshes, without misses also stores) are costs per read. A higher hit rate therefore also lowers the cost of stores.
 */
function breakEven (numbers: LedgerNumbers): number | undefined {
  const { reads, hits, cost } = numbers
  const load = savedPerHit(numbers)
  if (load === undefined || reads === 0) return undefined
  const perMiss = reads === hits ? 0 : cost.store / (reads - hits)
  const others = cost.remove + cost.refresh + (reads === hits ? cost.store : 0)
  const needed = (cost.read + others) / reads + perMiss
  if (needed === 0) return 0
  // JSON has no `Infinity`, the quotient if hits save nothing and stores take no time.
  return load + perMiss === 0 ? undefined : needed / (load + perMiss)
}

/**
 * Returns the seconds that a hit saves: the mean of the hits so far, as in the verdict, since loads may have become faster or slower; without
 * hits the mean of the loads. `undefined`: no load succeeded.
 */
function savedPerHit ({ hits, savedSeconds, meanLoadSeconds }: LedgerNumbers): number | undefined {
  return savedSeconds === undefined || hits === 0 ? meanLoadSeconds : savedSeconds / hits
}

function textOf (row: Omit<LedgerRow, 'text'>): string {
  const { keyPattern, reads, hits, savedSeconds, costSeconds, netSeconds, cost, heldBytes, verdict } = row
  const of = `${hits.toLocaleString('en-US')} hits of ${reads.toLocaleString('en-US')} reads`
  const held = heldBytes === undefined ? '' : `; it holds ${bytes(Math.round(heldBytes))}`
  const parts = [`reads ${seconds(cost.read)}`, `stores ${seconds(cost.store)} with ${seconds(cost.serialize)} of serialising`]
  if (cost.remove > 0) parts.push(`removals ${seconds(cost.remove)}`)
  if (cost.refresh > 0) parts.push(`refreshes ${seconds(cost.refresh)}`)
  const costs = `the cache took ${seconds(costSeconds)} (${parts.join(', ')})${held}`
  if (savedSeconds === undefined || netSeconds === undefined) return `${keyPattern}: no load succeeded, so the saving of ${of} is not known; ${costs}`
  const saved = `${of} saved ${seconds(savedSeconds)} of loading; ${costs}`
  if (verdict === 'not enough data') return `${keyPattern}: fewer than ${MIN_READS} reads; ${saved}`
  return `${keyPattern} ${verdict} ${seconds(Math.abs(netSeconds))}: ${saved}. ${remedyOf(row)}`
}

/** Returns the sentence about the hit rate at which the cache begins to save, or to lose, time on a key pattern. */
function remedyOf (row: Omit<LedgerRow, 'text'>): string {
  const { breakEvenHitRate, reads, hits, cost } = row
  if (breakEvenHitRate === undefined || breakEvenHitRate > 1) return `No hit rate pays: a read of the cache takes ${seconds(cost.read / reads)}, a load ${seconds(savedPerHit(row) ?? 0)}`
  return `It pays from ${percent(breakEvenHitRate)} hits on, and has ${percent(hits / reads)}`
}

/** Describes the cost ledger as parts of the report in Markdown: sentences about the rows that lose, and a table of all rows. */
export function ledgerText ({ seconds: since, rows }: Ledger): string[] {
  if (rows.length === 0) return []
  const losing = rows.filter(({ verdict }) => verdict === 'loses')
  const known = (value: number | undefined, text: (value: number) => string): string => value === undefined ? '–' : text(value)
  return [
    '## Cost ledger',
    `Loader time that the hits saved, minus the time that the cache took, in ${duration(since)} of this process.`,
    ...losing.length === 0 ? [] : [losing.map(({ text }) => listItem(text)).join('\n')],
    table(['Key Pattern', 'Cache', 'Reads', 'Hit Rate', 'Saved', 'Cost', 'Serialising', 'Net', 'Bytes Saved', 'Held', 'Verdict'], rows.map((row) => [
      row.keyPattern, row.impl, row.reads.toLocaleString('en-US'), percent(row.reads === 0 ? 0 : row.hits / row.reads),
      known(row.savedSeconds, seconds), seconds(row.costSeconds), seconds(row.cost.serialize), known(row.netSeconds, signed),
      known(row.savedBytes, wholeBytes), known(row.heldBytes, wholeBytes), row.verdict
    ].map(forMarkdown)))
  ]
}

function signed (value: number): string {
  return value < 0 ? `−${seconds(-value)}` : seconds(value)
}

function wholeBytes (value: number): string {
  return bytes(Math.round(value))
}
