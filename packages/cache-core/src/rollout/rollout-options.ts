import { Type, type Static } from 'typebox'
import { isLabel } from '../telemetry/key-pattern.js'

/**
 * The key patterns that the option `rollout.allow` accepts, as text for error messages. A key pattern is always a metric label, so that a text
 * that cannot be a label would match no key.
 */
export const ALLOWED_PATTERNS = '"*" or a letter and up to 63 of A-Z a-z 0-9 _ . / -, and no id'

/** The default share of keys that shadow reads compare, in percent. */
export const SHADOW_PERCENT = 1

/** The members of a rollout that apply to all of its subjects. */
export const rolloutProperties = {
  /** The share of subjects in the cached arm, in percent: 0 to 100, two decimals count. */
  percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100, default: 100 })),
  /** Key patterns that may be cached; `*` is all of them. */
  allow: Type.Optional(Type.Array(Type.Refine(Type.String(), (value) => value === '*' || isLabel(value), () => ALLOWED_PATTERNS), { default: ['*'] })),
  /** Part of the hash of a subject: another salt draws other subjects. */
  salt: Type.Optional(Type.String({ default: '' })),
  /**
   * The share of subjects that are never cached, in percent: the control arm that every stage is compared with.
   * @default 1 with `canary`, else 0
   */
  holdOut: Type.Optional(Type.Number({ minimum: 0, maximum: 50 })),
  /**
   * Shadow reads: loads of the control arm are compared with the cache's entry, which is never served. See Shadow reads.
   * @default off
   */
  shadow: Type.Optional(Type.Object({
    /** The share of keys that are compared and stored, in percent: 0 to 100, two decimals count. */
    percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100, default: SHADOW_PERCENT }))
  }, { additionalProperties: false }))
}

/** The schema of the settings of a rollout that a registry has. */
export const settingsSchema = Type.Object(rolloutProperties, { additionalProperties: false })
/** Settings of a rollout: the key patterns, and the share of the subjects, that are cached. */
export type RolloutSettings = Static<typeof settingsSchema>
