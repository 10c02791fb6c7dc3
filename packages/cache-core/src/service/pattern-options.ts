import { Type, type Static } from 'typebox'
import { checkTags, MAX_TAG_LENGTH, MAX_TTL } from '../contract/arguments.js'
import { OptionInvalid } from '../contract/errors.js'
import { checked, copyBy } from '../contract/option-schema.js'
import { checkReserved } from '../contract/reserved-tags.js'
import { RESPONSE_KEYS } from '../contract/response-keys.js'
import { shown } from '../contract/shown.js'
import { isLabel, OTHER } from '../telemetry/key-pattern.js'
import { isSchema, type ValueSchema } from './value-schema.js'

const window = () => Type.Optional(Type.Number({ minimum: 0, maximum: MAX_TTL }))

/** The schema of the options of one key pattern. */
export const patternSchema = Type.Object({
  /**
   * Seconds that an entry is fresh. It replaces the ttl that a call gives as a number, but neither a ttl of 0 nor a ttl function.
   * @default the ttl of the call
   */
  ttl: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: MAX_TTL })),
  /**
   * Seconds after the ttl in which the stale value is served while one load refreshes it. It replaces the number of a call, except 0.
   * @default the window of the call
   */
  staleWhileRevalidate: window(),
  /**
   * Seconds after the ttl in which the stale value is served if loading fails. It replaces the number of a call, except 0.
   * @default the window of the call
   */
  staleIfError: window(),
  /**
   * Tags that each entry has besides those of its call, so that one invalidation removes the entries of the pattern. At most 8, which count
   * among the 64 tags of an entry.
   * @default none
   */
  tags: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: MAX_TAG_LENGTH }), { maxItems: 8 })),
  /**
   * A Standard Schema, a TypeBox or JSON Schema (a plain object), or a function that returns a boolean. A stored value that does not match
   * is a miss; a new value that does not match is not stored. The schema must be synchronous, and does not change values.
   * @default none
   */
  schema: Type.Optional(Type.Unsafe<ValueSchema>(Type.Refine(Type.Unknown(), isSchema, () => 'a Standard Schema, a TypeBox or JSON Schema, which is a plain object, or a function'))),
  /**
   * The version of the values, a part of the keys in the store: entries of another version are misses. Raise it by one at a time, since the
   * removal of a key reaches only this version, the next lower and higher one, and entries without a version.
   * @default none
   */
  version: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
  /**
   * The maximum number of the pattern's entries in a MemoryCache; beyond it the least recently used entry of the pattern is evicted. Redis
   * ignores it.
   * @default the bounds of the MemoryCache
   */
  maxEntries: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 24 }))
}, { additionalProperties: false })

/** The schema of an option `patterns`. The names of the patterns are checked with their options, by `checkedPattern`. */
export const patternsOption = () => Type.Optional(Type.Unsafe<Record<string, PatternOptions>>(Type.Object({})))

/** Options of one key pattern, in option `patterns` of `cacheCore` and in `registry.patterns`. */
export type PatternOptions = Static<typeof patternSchema>

/**
 * Checks the options of a key pattern, and returns a copy without members that are `undefined`.
 * @throws `CACHE_ERR_OPTION_INVALID` for a name that no key can have, and for wrong options
 */
export function checkedPattern (name: string, options: unknown): PatternOptions {
  if (typeof name !== 'string' || !isLabel(name) || name === OTHER) {
    throw new OptionInvalid('patterns', shown(name), 'names of key patterns: a letter and up to 63 of A-Z a-z 0-9 _ . / -, no id, and not "other"')
  }
  if (name === RESPONSE_KEYS) throw new OptionInvalid('patterns', shown(name), `other key patterns: the policies of @x/cache-edge set the lifetimes of stored responses (${RESPONSE_KEYS})`)
  const path = `patterns.${name}`
  const own = checked(patternSchema, copyBy(patternSchema, options), path)
  const error = own.tags === undefined ? undefined : checkTags(own.tags) ?? checkReserved(own.tags)
  if (error !== undefined) throw new OptionInvalid(`${path}.tags`, 'a tag that is reserved or not well formed', 'tags without a colon before a name')
  return own
}
