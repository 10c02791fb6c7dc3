import { Type, type Static } from 'typebox'
import { MAX_KEY_PATTERNS } from '../telemetry/key-pattern.js'
import { settingsSchema } from '../rollout/rollout-options.js'
import type { Clock } from '../lib/clock.js'
import { patternsOption } from './pattern-options.js'

const milliseconds = (fallback: number) => Type.Number({ minimum: 1, maximum: 600_000, default: fallback })
/** The schema of an option that names a serializer. */
export const serializerOption = () => Type.Union([Type.Literal('json'), Type.Literal('rich')], { default: 'json' })
const functionOf = <T>(allowed: string) => Type.Unsafe<T>(Type.Refine(Type.Unknown(), (value) => typeof value === 'function', () => allowed))

/** The options that a `CacheRegistry` and the plugin have in common. */
export const registryProperties = {
  /** Milliseconds after which a cache read that hangs fails with an error; the caller of the read gets a miss. */
  readTimeoutMs: Type.Optional(milliseconds(500)),
  /** Milliseconds after which a cache write that hangs fails with an error. */
  writeTimeoutMs: Type.Optional(milliseconds(2000)),
  /**
   * A function that returns the pattern of a key or tag: a label of at most 64 characters.
   * @default the text before the first `:`
   */
  keyPattern: Type.Optional(functionOf<(key: string) => string>('a function of the key')),
  /** The maximum number of key patterns with a metric label; further patterns are counted as `other`. */
  maxKeyPatterns: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: MAX_KEY_PATTERNS })),
  /**
   * Lifetimes, tags and limits by key pattern, such as `{ user: { ttl: 300 } }`; see the section Options of key patterns of the README.
   * @default none
   */
  patterns: patternsOption(),
  /**
   * `'rich'`: a Date, Map, Set, BigInt, typed array, `undefined`, `NaN`, `±Infinity` and `-0` are read as they were stored; see the section
   * Rich values of the README. `cacheRedis` uses the same serializer.
   */
  serializer: Type.Optional(serializerOption()),
  /**
   * An object with `now()`, the source of time; for tests.
   * @default the clock of the process
   */
  clock: Type.Optional(Type.Unsafe<Clock>(Type.Refine(Type.Unknown(),
    (value) => typeof (value as Partial<Clock> | null | undefined)?.now === 'function', () => 'an object with now()')))
}

export const registrySchema = Type.Object({
  ...registryProperties,
  /** The settings of the rollout: which keys, and which share of the subjects, are cached. */
  rollout: Type.Optional(settingsSchema)
}, { additionalProperties: false })
/** Options of a `CacheRegistry`. */
export type RegistryOptions = Static<typeof registrySchema>
