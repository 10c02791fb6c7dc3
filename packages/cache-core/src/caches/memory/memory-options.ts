import { Type, type Static } from 'typebox'
import { OptionInvalid } from '../../contract/errors.js'
import type { SerializerName } from '../../contract/isolation.js'
import { refuseNames } from '../../contract/option-names.js'
import { monotonicClock, type Clock } from '../../lib/clock.js'
import { defaultsOf } from '../../lib/schema-defaults.js'

/** The maximum number of entries of a `Map` in V8. */
const MAX_MAP_SIZE = 2 ** 24

/** Bounds of a `MemoryCache`: the maximum number of its entries, bytes and tags. */
export const memorySchema = Type.Object({
  /** The maximum number of entries, at most 2^24. Beyond it the least recently used entry is evicted. */
  maxEntries: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_MAP_SIZE, default: 10_000 })),
  /**
   * The maximum bytes in the heap and in the contents of Buffers, counted as by the property `bytes` of the cache. A single value may use
   * all of them.
   */
  maxBytes: Type.Optional(Type.Integer({ minimum: 1, default: 64 * 1024 * 1024 })),
  /**
   * `'clone'`: each reader gets a copy, as from Redis. `'freeze'`: all readers share one deeply frozen value, which is read without a copy
   * (Buffers are copied in any case).
   */
  isolation: Type.Optional(Type.Union([Type.Literal('clone'), Type.Literal('freeze')], { default: 'clone' })),
  /**
   * The maximum number of tags without an entry that are remembered for loads in progress: at most 2^24. They also use at most an eighth of
   * `maxBytes`. A value that was loaded under a forgotten tag is not stored. The tags of entries are never forgotten.
   * @default 10 × maxEntries
   */
  maxTags: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_MAP_SIZE })),
  /**
   * The fraction of `maxEntries` and of `maxBytes`, above 0 and at most 1, beyond which stored responses of `@x/cache-edge` (keys that
   * begin with `edge:`) evict one another and no value of the app. Responses may use more while the cache is not full. A response that
   * alone exceeds the fraction is not stored in a full cache.
   */
  responseShare: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1, default: 0.5 }))
}, { additionalProperties: false })

/** Limits of a `MemoryCache`, and how it stores values. */
export type MemoryCacheOptions = Static<typeof memorySchema> & {
  /**
   * `'rich'`: dates, maps, sets, BigInts, typed arrays, `undefined` and `NaN` are read as they were stored.
   * @default the serializer of the registry, else `'json'`
   */
  serializer?: SerializerName
  /** The clock of the cache, which a test can replace by a fake one. */
  clock?: Clock
}

const DEFAULTS = defaultsOf(memorySchema, 'maxEntries', 'maxBytes', 'isolation', 'responseShare')

/** Returns the options with their defaults; throws `CACHE_ERR_OPTION_INVALID` for a wrong name or value. */
export function resolveMemoryOptions (options: MemoryCacheOptions): Required<Omit<MemoryCacheOptions, 'serializer'>> {
  refuseNames('MemoryCache', options)
  const {
    maxEntries = DEFAULTS.maxEntries, maxBytes = DEFAULTS.maxBytes, isolation = DEFAULTS.isolation, responseShare = DEFAULTS.responseShare,
    clock = monotonicClock
  } = options
  checkWhole('maxEntries', maxEntries, MAX_MAP_SIZE)
  checkWhole('maxBytes', maxBytes, Number.MAX_SAFE_INTEGER)
  const { maxTags = Math.min(10 * maxEntries, MAX_MAP_SIZE) } = options
  checkWhole('maxTags', maxTags, MAX_MAP_SIZE)
  if (isolation !== 'clone' && isolation !== 'freeze') throw new OptionInvalid('isolation', String(isolation), "'clone' or 'freeze'")
  const { serializer } = options
  if (serializer !== undefined && serializer !== 'json' && serializer !== 'rich') {
    throw new OptionInvalid('serializer', String(serializer), "'json' or 'rich'")
  }
  if (typeof responseShare !== 'number' || !(responseShare > 0 && responseShare <= 1)) {
    throw new OptionInvalid('responseShare', String(responseShare), 'a number above 0, at most 1')
  }
  return { maxEntries, maxBytes, maxTags, isolation, responseShare, clock }
}

function checkWhole (name: string, value: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return
  throw new OptionInvalid(name, String(value), `a whole number from 1 to ${max}`)
}
