import { Type, type Static } from 'typebox'
import { isLabel } from '../telemetry/key-pattern.js'

/**
 * The key patterns that option `rollout.allow` accepts, as text for error messages. Every key pattern is a valid metric label, so a text
 * that is no valid label would match no key.
 */
export const ALLOWED_PATTERNS = '"*" or a letter and up to 63 of A-Z a-z 0-9 _ . / -, and no id'

/** The default share of keys that shadow reads compare, in percent. */
export const SHADOW_PERCENT = 1

/** The options of a rollout that apply to all subjects, not to one request. */
export const rolloutProperties = {
  /** The share of subjects that use the cache, in percent: 0 to 100, rounded to two decimals. */
  percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100, default: 100 })),
  /** Key patterns whose keys may be cached; `*` stands for all patterns, `edge` is the pattern of stored responses of `@x/cache-edge`. */
  allow: Type.Optional(Type.Array(Type.Refine(Type.String(), (value) => value === '*' || isLabel(value), () => ALLOWED_PATTERNS), { default: ['*'] })),
  /** A text that is hashed together with the subject: another salt selects other subjects for the same percent. */
  salt: Type.Optional(Type.String({ default: '' })),
  /**
   * The share of subjects that never use the cache, in percent: at every stage they are the control arm, or a part of it.
   * @default 1 with `canary`, else 0
   */
  holdOut: Type.Optional(Type.Number({ minimum: 0, maximum: 50 })),
  /**
   * Shadow reads: values that are loaded in the control arm are compared with the cache's entries, which are not served. See the section
   * Shadow reads of the README.
   * @default off
   */
  shadow: Type.Optional(Type.Object({
    /**
     * The share of keys for which shadow reads compare the loaded value with the entry, and store it, in percent: 0 to 100, rounded to two
     * decimals.
     */
    percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100, default: SHADOW_PERCENT }))
  }, { additionalProperties: false }))
}

/** The schema of the rollout settings of a `CacheRegistry`. */
export const settingsSchema = Type.Object(rolloutProperties, { additionalProperties: false })
/** Settings of a rollout: the key patterns, and the share of the subjects, that are cached. */
export type RolloutSettings = Static<typeof settingsSchema>
