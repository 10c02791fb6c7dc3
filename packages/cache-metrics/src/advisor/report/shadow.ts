import { SHADOW_AGES, type ShadowCounts } from '@x/cache-core/suite'
import { effective, spreadOf, total, wilson, Z, type Cluster } from '../staleness/ratio-interval.js'
import type { GateVerdict } from './go-no-go-gates.js'

/** The number of shadow reads of a key pattern below which its verdict is `not enough data`. */
const MIN_COMPARED = 100

/** The counts of shadow reads for entries of one range of ages. */
export interface ShadowAge {
  /** The end of the range of ages in seconds, which begins where the previous range ends; `undefined`: the range of a day and more. */
  readonly upTo: number | undefined
  readonly compared: number
  readonly stale: number
}

/** The stale entries that shadow reads found under one key pattern. */
export interface ShadowFinding {
  readonly keyPattern: string
  /** The number of entries that were compared with a loaded value. Entries whose whole value differs on every load are left out. */
  readonly compared: number
  readonly stale: number
  /** Stale entries per shadow read; `low` and `high` are the 95 % interval, 0 to 1 if there is too little data. */
  readonly rate: number
  readonly low: number
  readonly high: number
  /** The verdict whether the rate of stale entries is within the tolerance for stale hits. */
  readonly verdict: GateVerdict
  /** The ranges of ages in which entries were compared, youngest first. Entries of unknown age are left out. */
  readonly byAge: readonly ShadowAge[]
  /** The paths of members that were stale, most frequent first; an empty text stands for the value itself. */
  readonly stalePaths: readonly string[]
  /** The paths of members of the values that differ on every load. */
  readonly volatilePaths: readonly string[]
  /** The finding of shadow reads about the key pattern, as a sentence. */
  readonly text: string
}

/** Returns the findings of shadow reads for each key pattern that had shadow reads, sorted by name. */
export function shadowFindings (patterns: Iterable<ShadowCounts>, staleTolerance: number): ShadowFinding[] {
  return [...patterns].map((counts) => findingOf(counts, staleTolerance)).sort((a, b) => a.keyPattern < b.keyPattern ? -1 : 1)
}

function findingOf (counts: ShadowCounts, staleTolerance: number): ShadowFinding {
  const { keyPattern } = counts
  const clusters = counts.groups.map(({ fresh, stale }): Cluster => ({ hits: fresh + stale, stale })).filter(({ hits }) => hits > 0)
  const { hits: compared, stale } = total(clusters)
  const rate = compared === 0 ? 0 : stale / compared
  const seen = {
    keyPattern,
    compared,
    stale,
    rate,
    ...intervalOf(clusters, rate, counts.stored),
    byAge: agesOf(counts),
    stalePaths: byCount(counts.mismatchPaths),
    volatilePaths: byCount(counts.volatilePaths)
  }
  const verdict = verdictOf(seen, staleTolerance)
  return { ...seen, verdict, text: textOf({ ...seen, verdict }, counts) }
}

/**
 * The interval of the rate of stale entries. Comparisons are not independent: one stale entry may cause many mismatches. The groups of keys
 * are the clusters of the jackknife variance, which is at least that of independent comparisons. Without a mismatch the upper bound is 3 /
 * n (rule of three). n is the number of values that shadow reads stored, or the effective number of groups if that is larger; it is at most
 * the number of comparisons.
 */
function intervalOf (clusters: readonly Cluster[], rate: number, stored: number): { low: number, high: number } {
  const { hits } = total(clusters)
  if (clusters.length < 2) return { low: 0, high: 1 }
  if (rate === 0 || rate === 1) {
    const bound = Math.min(1, 3 / Math.min(hits, Math.max(stored, effective(clusters))))
    return rate === 0 ? { low: 0, high: bound } : { low: 1 - bound, high: 1 }
  }
  const alone = rate * (1 - rate) * Z ** 2
  return wilson(rate, alone / Math.max(spreadOf(clusters, rate), alone / hits))
}

function verdictOf ({ compared, rate, low, high }: Pick<ShadowFinding, 'compared' | 'rate' | 'low' | 'high'>, tolerance: number): GateVerdict {
  if (compared < MIN_COMPARED) return 'not enough data'
  if (high <= tolerance) return 'go'
  if (low > tolerance) return 'no-go'
  return rate === 0 ? 'not enough data' : 'inconclusive'
}

function agesOf ({ ages }: ShadowCounts): ShadowAge[] {
  return [...SHADOW_AGES, undefined].map((upTo, at) => {
    const stale = ages.mismatch.counts[at]!
    return { upTo, compared: ages.match.counts[at]! + ages.differs.counts[at]! + stale, stale }
  }).filter(({ compared }) => compared > 0)
}

function byCount (paths: ReadonlyMap<string, number>): string[] {
  return [...paths].sort(([, a], [, b]) => b - a).map(([path]) => path)
}

function textOf (finding: Omit<ShadowFinding, 'text'>, { outcomes }: ShadowCounts): string {
  const { keyPattern, compared, rate, low, high, byAge, stalePaths, volatilePaths, verdict } = finding
  const parts = [compared === 0
    ? `${keyPattern}: no comparison`
    : `${keyPattern}: stale rate ${share(rate)} (${share(low, '')}–${share(high)}) of ${compared.toLocaleString('en-US')} comparisons, ${verdict}`]
  if (byAge.length > 0) {
    parts.push(`by age: ${byAge.map(({ upTo, stale, compared }) =>
      `${upTo === undefined ? `above ${SHADOW_AGES.at(-1)!}` : `up to ${upTo}`} s ${share(stale / compared)}`).join(', ')}`)
  }
  if (stalePaths.length > 0) parts.push(`stale: ${stalePaths.map(placeOf).join(', ')}`)
  if (volatilePaths.length > 0) parts.push(`differs on every load: ${volatilePaths.map(placeOf).join(', ')} (${outcomes.differs.toLocaleString('en-US')} comparisons)`)
  const others = (['explained', 'undecided', 'failed', 'dropped'] as const).filter((outcome) => outcomes[outcome] > 0)
  if (others.length > 0) parts.push(`not counted: ${others.map((outcome) => `${outcomes[outcome].toLocaleString('en-US')} ${outcome}`).join(', ')}`)
  return parts.join('; ')
}

function placeOf (path: string): string {
  return path === '' ? 'the value itself' : `at ${path}`
}

/** Returns a small share as text: 0.00512 → `0.51 %` */
function share (value: number, unit = ' %'): string {
  return `${Number((value * 100).toPrecision(2))}${unit}`
}
