import type { LockOptions, SetOptions } from './cache.js'
import type { CacheError } from './errors.js'
import { keyInvalid, tagInvalid, ttlInvalid, valueInvalid } from './errors.js'
import type { Serializer, SerializerName } from './isolation.js'
import { checkNames } from './option-names.js'
import { countText } from './reserved-tags.js'

/** The maximum length of a key in UTF-16 units. */
export const MAX_KEY_LENGTH = 1024
/** The maximum length of a tag in UTF-16 units. */
export const MAX_TAG_LENGTH = 256
/** The maximum number of tags of an entry. */
export const MAX_TAGS = 64
/** The maximum ttl, in seconds: 30 days, so that no entry lasts without end. */
export const MAX_TTL = 30 * 24 * 3600

// Error messages contain the type or the length of a key or tag, never the text itself, which may hold personal data.
function describe (value: unknown, limit: number): string {
  if (typeof value !== 'string') return value === null ? 'null' : typeof value
  if (value.length === 0) return 'an empty string'
  if (value.length > limit) return `${value.length} characters`
  return 'an unpaired surrogate'
}

/** Returns the error in a key, if any. Unpaired surrogates are refused, since two keys with different ones may have the same UTF-8 form. */
export function checkKey (key: unknown): CacheError | undefined {
  if (typeof key === 'string' && key.length > 0 && key.length <= MAX_KEY_LENGTH && key.isWellFormed()) return undefined
  return keyInvalid(describe(key, MAX_KEY_LENGTH))
}

/** Returns the first error in a list of keys, if any. */
export function checkKeys (keys: unknown): CacheError | undefined {
  if (!Array.isArray(keys)) return keyInvalid(`${typeof keys} instead of an array`)
  for (const key of keys) {
    const error = checkKey(key)
    if (error !== undefined) return error
  }
  return undefined
}

/** Returns the first error in a list of tags, if any. */
export function checkTags (tags: unknown): CacheError | undefined {
  if (!Array.isArray(tags)) return tagInvalid(`${typeof tags} instead of an array`)
  if (tags.length > MAX_TAGS) return tagInvalid(countText(tags as string[]))
  for (const tag of tags) {
    if (typeof tag !== 'string' || tag.length === 0 || tag.length > MAX_TAG_LENGTH || !tag.isWellFormed()) {
      return tagInvalid(describe(tag, MAX_TAG_LENGTH))
    }
  }
  return undefined
}

/**
 * Returns the error in a value that no cache with this serializer could store, if any. Errors that appear only in serialising are found by
 * the implementation.
 */
export function checkValue (value: unknown, serializer: SerializerName | Serializer = 'json'): CacheError | undefined {
  switch (typeof value) {
    case 'undefined': case 'function': case 'symbol':
      return valueInvalid(typeof value)
    case 'bigint':
      return serializer !== 'json' ? undefined : valueInvalid(typeof value)
    case 'number':
      return serializer !== 'json' || Number.isFinite(value) ? undefined : valueInvalid(String(value))
    default:
      return undefined
  }
}

/** Returns the error in a length of time that a caller gave, such as a ttl, if any. `undefined` and `Infinity` are valid. */
export function checkTime (name: string, time: unknown): CacheError | undefined {
  if (time === undefined || (typeof time === 'number' && time >= 0)) return undefined
  return ttlInvalid(name, kindOf(time))
}

/** Returns the first error in the options of a `set`, if any. */
export function checkSetOptions (options: SetOptions): CacheError | undefined {
  if (typeof options !== 'object' || options === null) return ttlInvalid('ttl', kindOf(options))
  return checkTime('ttl', options.ttl) ??
    checkTime('staleWhileRevalidate', options.staleWhileRevalidate) ??
    checkTime('staleIfError', options.staleIfError) ??
    (options.tags === undefined ? undefined : checkTags(options.tags)) ??
    checkNames('set', options)
}

/** Returns the error in the ttl of a `touch`, if any. */
export function checkTtl (ttl: unknown): CacheError | undefined {
  return ttl === undefined ? ttlInvalid('ttl', 'undefined') : checkTime('ttl', ttl)
}

/** Returns the error in the ttl of a lock, if any. */
export function checkLockTtl (ttl: unknown): CacheError | undefined {
  return typeof ttl === 'number' && ttl > 0 ? undefined : ttlInvalid('ttl', `${kindOf(ttl)} for a lock`)
}

/** Returns the first error in the options of a `lock`, if any. */
export function checkLockOptions (options: LockOptions | undefined): CacheError | undefined {
  return checkLockTtl(options?.ttl) ?? checkTime('waitMs', options?.waitMs) ?? checkNames('lock', options)
}

/**
 * Whether the options of a `set` contain only a ttl. The ttl is then passed on as a number, which a cache with no more than `get`, `set`
 * and `del` also accepts.
 */
export function hasOnlyTtl (options: SetOptions): boolean {
  return options.tags === undefined && options.snapshot === undefined &&
    options.staleWhileRevalidate === undefined && options.staleIfError === undefined
}

function kindOf (value: unknown): string {
  return typeof value === 'number' || value === null ? String(value) : typeof value
}
