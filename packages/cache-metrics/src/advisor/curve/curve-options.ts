import { MAX_TTL } from '@x/cache-core/implementing'
import { OptionInvalid } from '@x/cache-core/suite'

/** The default ttls of a reuse curve, in seconds. */
export const DEFAULT_TTLS: readonly number[] = [1, 10, 60, 300, 900, 3600, 86_400]
export const DEFAULT_ENTRIES: readonly number[] = [100, 1000, 5000, 20_000, 100_000]
/** The settings of a reuse curve: its ttls and cache sizes, and the limit of its sample of keys. */
export interface ReuseCurveOptions {
  /**
   * The ttls of the curve in seconds, above 0 and at most 30 days; 1 to 32 of them.
   * @default 1, 10, 60, 300, 900, 3600 and 86 400
   */
  ttls?: readonly number[]
  /**
   * The cache sizes of the curve in entries, whole numbers from 1.
   * @default 100, 1000, 5000, 20 000 and 100 000
   */
  entries?: readonly number[]
  /**
   * The maximum number of simulated entries per cache size, a whole number from 1 to 2^24. A size up to this number is simulated in full,
   * and its hit rates are exact. Default 512. Each entry takes about 20 bytes, or 40 if the tables are not compact.
   */
  sampleEntries?: number
  /**
   * Whether the tables of sampled sizes are compact: a simulated entry then expires up to 0.42 % of its ttl early.
   * @default true
   */
  isCompact?: boolean
}

/**
 * Checks the settings of a reuse curve and adds the defaults; ttls and sizes are sorted.
 * @throws `CACHE_ERR_OPTION_INVALID` for a ttl, a size or a sample out of its range
 */
export function resolveCurveOptions (options: ReuseCurveOptions): Required<ReuseCurveOptions> {
  const { ttls = DEFAULT_TTLS, entries = DEFAULT_ENTRIES, sampleEntries = 512, isCompact = true } = options
  const resolved = {
    ttls: sortedSet('ttls', ttls, (ttl) => ttl > 0 && ttl <= MAX_TTL, `1 to 32 numbers above 0, ${MAX_TTL} at most`),
    entries: sortedSet('entries', entries, (size) => isWhole(size), 'whole numbers from 1')
  }
  if (!isWhole(sampleEntries, 2 ** 24)) throw new OptionInvalid('sampleEntries', String(sampleEntries), 'a whole number from 1 to 2^24')
  return { ...resolved, sampleEntries, isCompact }
}

function isWhole (value: number, max = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isSafeInteger(value) && value >= 1 && value <= max
}

function sortedSet (name: string, values: readonly number[], isAllowed: (value: number) => boolean, allowed: string): number[] {
  const sorted = [...new Set(values)].sort((a, b) => a - b)
  if (sorted.length >= 1 && sorted.length <= 32 && sorted.every(isAllowed)) return sorted
  throw new OptionInvalid(name, String(values), allowed)
}
