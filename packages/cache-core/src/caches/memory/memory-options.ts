import { OptionInvalid } from '../../contract/errors.js'
import { refuseNames } from '../../contract/option-names.js'
import { monotonicClock, type Clock } from '../../lib/clock.js'

/** Entries that a `Map` holds in V8. */
const MAX_MAP_SIZE = 2 ** 24

/** Bounds and behaviour of a `MemoryCache`. */
export interface MemoryCacheOptions {
  /**
   * Number of entries, at most 2^24. The least recently used entry makes room.
   * @default 10 000
   */
  maxEntries?: number
  /**
   * Bytes of the heap, and of the contents of Buffers, as `bytes` counts them. One value may take all of it.
   * @default 64 MiB
   */
  maxBytes?: number
  /**
   * `'clone'`: each reader gets a copy of its own, as from Redis. `'freeze'`: all readers share one deeply frozen value,
   * which costs nothing to read (Buffers are copied all the same).
   * @default `'clone'`
   */
  isolation?: 'clone' | 'freeze'
  /**
   * Tags that are remembered for loads under way while no entry has them; default 10 × maxEntries, at most 2^24, and no more
   * than an eighth of `maxBytes`. A value that was loaded under a forgotten tag is not stored. The tags of entries are always
   * known.
   */
  maxTags?: number
  /**
   * The part of `maxEntries` and of `maxBytes` beyond which stored responses of `@x/cache-edge` (keys that begin with `edge:`)
   * evict one another and none of the app's values: clients choose how many URLs they ask for. Above 0, at most 1; default
   * 0.5. Responses may take more while nobody needs the room; one that alone needs more is not stored in a full cache.
   */
  responseShare?: number
  /** The source of time; for tests. */
  clock?: Clock
}

/** Returns the options with their defaults; throws `CACHE_ERR_OPTION_INVALID` for a wrong name or value. */
export function resolveMemoryOptions (options: MemoryCacheOptions): Required<MemoryCacheOptions> {
  refuseNames('MemoryCache', options)
  const { maxEntries = 10_000, maxBytes = 64 * 1024 * 1024, isolation = 'clone', responseShare = 0.5, clock = monotonicClock } = options
  checkWhole('maxEntries', maxEntries, MAX_MAP_SIZE)
  checkWhole('maxBytes', maxBytes, Number.MAX_SAFE_INTEGER)
  const { maxTags = Math.min(10 * maxEntries, MAX_MAP_SIZE) } = options
  checkWhole('maxTags', maxTags, MAX_MAP_SIZE)
  if (isolation !== 'clone' && isolation !== 'freeze') throw new OptionInvalid('isolation', String(isolation), "'clone' or 'freeze'")
  if (typeof responseShare !== 'number' || !(responseShare > 0 && responseShare <= 1)) {
    throw new OptionInvalid('responseShare', String(responseShare), 'a number above 0, at most 1')
  }
  return { maxEntries, maxBytes, maxTags, isolation, responseShare, clock }
}

function checkWhole (name: string, value: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return
  throw new OptionInvalid(name, String(value), `a whole number from 1 to ${max}`)
}
