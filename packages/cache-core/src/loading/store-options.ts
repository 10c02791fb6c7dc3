import { checkSetOptions, checkTags, checkTime } from '../contract/arguments.js'
import type { SetOptions, TagSnapshot } from '../contract/cache.js'
import { tagInvalid, ttlInvalid, type CacheError } from '../contract/errors.js'
import type { GetOrSetOptions } from '../contract/loader.js'
import type { Flight } from './single-flight.js'
import { isPromise } from '../lib/harmless.js'
import { checkNames } from '../contract/option-names.js'
import { checkReserved, joinedTags } from '../contract/reserved-tags.js'

const NO_TAGS: string[] = []

/**
 * Returns the tags of an entry that are known before its load; an empty list if the option `tags` is no list, which `checkTagOptions`
 * reports.
 */
export function knownTags (options: GetOrSetOptions<never>): string[] {
  const { tags, coveringTags } = options
  const named = Array.isArray(tags) ? tags : NO_TAGS
  return Array.isArray(coveringTags) ? [...named, ...coveringTags] : named
}

/** Returns the seconds for which an entry is stored: its ttl plus the longer of its stale windows. */
export function lifetimeOf ({ ttl = 0, staleWhileRevalidate = 0, staleIfError = 0 }: SetOptions): number {
  return ttl + Math.max(staleWhileRevalidate, staleIfError)
}

/** Returns the error in the options `tags` and `coveringTags` of a `getOrSet` call, if any. */
export function checkTagOptions (options: GetOrSetOptions<never>): CacheError | undefined {
  const { tags, coveringTags } = options
  const error = coveringTags === undefined ? undefined : checkAppTags(coveringTags)
  if (error !== undefined || tags === undefined) return error
  if (typeof tags !== 'function') return checkAppTags(tags)
  return coveringTags === undefined || coveringTags.length === 0 ? tagInvalid('a tags function without coveringTags') : undefined
}

function checkAppTags (tags: string[]): CacheError | undefined {
  return checkTags(tags) ?? checkReserved(tags)
}

/**
 * Returns the options for the store of a loaded value; `undefined` if the value must not be stored, an error if an option is invalid.
 * Never throws: the caller gets the loaded value even if the options are invalid.
 */
export function storeOptions<T> (
  options: GetOrSetOptions<T>,
  flight: Flight<T>,
  value: T,
  snapshot: TagSnapshot | undefined,
  ttlFor: (ttl: number | undefined) => number
): SetOptions | CacheError | undefined {
  if (value === undefined) return undefined
  const unknown = checkNames('getOrSet', options)
  if (unknown !== undefined) return unknown
  let ttl: number | undefined
  try {
    ttl = typeof options.ttl === 'function' ? options.ttl(value as Exclude<T, undefined>) : options.ttl
  } catch (cause) {
    return ttlInvalid('ttl', 'a function that threw', { cause })
  }
  if (isPromise(ttl)) return ttlInvalid('ttl', 'a promise')
  if (ttl === 0) return undefined
  let tags = flight.tags as string[]
  try {
    if (typeof options.tags === 'function') {
      const late = options.tags(value as Exclude<T, undefined>)
      if (isPromise(late)) return tagInvalid('a promise')
      const error = checkAppTags(late)
      if (error !== undefined) return error
      tags = joinedTags(tags, late, options.coveringTags)
    }
  } catch (cause) {
    return tagInvalid('a tags function that threw', { cause })
  }
  const { staleWhileRevalidate, staleIfError, jitter } = options
  if (jitter !== undefined && (typeof jitter !== 'number' || Number.isNaN(jitter))) return ttlInvalid('jitter', String(jitter))
  const softTimeout = checkTime('softTimeoutMs', options.softTimeoutMs)
  if (softTimeout !== undefined) return softTimeout
  const stored: SetOptions = { ttl, staleWhileRevalidate, staleIfError }
  if (tags.length > 0) stored.tags = tags
  if (snapshot !== undefined) stored.snapshot = snapshot
  const error = checkSetOptions(stored)
  if (error !== undefined) return error
  const { invalidated } = flight
  if (invalidated !== undefined && tags.some((tag) => invalidated.has(tag))) return undefined
  stored.ttl = ttlFor(ttl)
  if (jitter !== undefined) stored.ttl *= 1 - Math.random() * Math.min(Math.max(jitter, 0), 1)
  return stored
}
