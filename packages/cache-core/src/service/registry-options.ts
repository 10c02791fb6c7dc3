import { Type, type Static } from 'typebox'
import { isLabel, MAX_KEY_PATTERNS } from '../telemetry/key-pattern.js'
import type { Clock } from '../lib/clock.js'

/**
 * The key patterns that the option `rollout.allow` accepts, as text for error messages. A key pattern is always a metric label, so that a text
 * that cannot be a label would match no key.
 */
export const ALLOWED_PATTERNS = '"*" or a letter and up to 63 of A-Z a-z 0-9 _ . / -, and no id'

const milliseconds = (fallback: number) => Type.Number({ minimum: 1, maximum: 600_000, default: fallback })
const functionOf = <T>(allowed: string) => Type.Unsafe<T>(Type.Refine(Type.Unknown(), (value) => typeof value === 'function', () => allowed))

/** The members of a rollout that apply to all of its subjects. */
export const rolloutProperties = {
  /** The share of subjects in the cached arm, in percent: 0 to 100, two decimals count. */
  percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100, default: 100 })),
  /** Key patterns that may be cached; `*` is all of them. */
  allow: Type.Optional(Type.Array(Type.Refine(Type.String(), (value) => value === '*' || isLabel(value), () => ALLOWED_PATTERNS), { default: ['*'] })),
  /** Part of the hash of a subject: another salt draws other subjects. */
  salt: Type.Optional(Type.String({ default: '' }))
}

/** The schema of the settings of a rollout. */
export const rolloutSchema = Type.Object(rolloutProperties, { additionalProperties: false })
/** Settings of a rollout: the key patterns, and the share of the subjects, that are cached. */
export type RolloutSettings = Static<typeof rolloutSchema>

/** The options that a registry has in common with the plugin. */
export const registryProperties = {
  /** Milliseconds after which a read that hangs is an error, and a miss. */
  readTimeoutMs: Type.Optional(milliseconds(500)),
  /** Milliseconds after which a write that hangs is an error. */
  writeTimeoutMs: Type.Optional(milliseconds(2000)),
  /**
   * The pattern of a key or tag: a label of at most 64 characters.
   * @default the text before the first `:`
   */
  keyPattern: Type.Optional(functionOf<(key: string) => string>('a function of the key')),
  /** The maximum number of patterns with a label; further patterns are counted as `other`. */
  maxKeyPatterns: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: MAX_KEY_PATTERNS })),
  /**
   * An object with `now()`, the source of time; for tests.
   * @default the clock of the process
   */
  clock: Type.Optional(Type.Unsafe<Clock>(Type.Refine(Type.Unknown(),
    (value) => typeof (value as Partial<Clock> | null | undefined)?.now === 'function', () => 'an object with now()')))
}

export const registrySchema = Type.Object(registryProperties)
/** Options of a `CacheRegistry`. */
export type RegistryOptions = Static<typeof registrySchema> & {
  /** Which keys, and which share of the subjects, are cached. */
  rollout?: RolloutSettings
}
