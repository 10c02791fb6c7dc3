import { checkTags } from '../contract/arguments.js'
import type { SetOptions } from '../contract/cache.js'
import { OptionInvalid, tagInvalid, ttlInvalid, type CacheError } from '../contract/errors.js'
import type { GetOrSetOptions } from '../contract/loader.js'
import { refuseNames } from '../contract/option-names.js'
import { shown } from '../contract/shown.js'
import { isPromise } from '../lib/harmless.js'
import type { NamespaceOptions } from './fastify-cache.js'

const NUMBERS = ['jitter', 'staleWhileRevalidate', 'staleIfError', 'softTimeoutMs', 'retryAfterMs', 'timeoutMs', 'earlyRefresh'] as const

/**
 * Checks the defaults that the app gives for a namespace.
 * @throws `CACHE_ERR_OPTION_INVALID`
 */
export function checkDefaults (defaults: NamespaceOptions): void {
  refuseNames('namespace', defaults)
  const { ttl, tags, coveringTags, lock } = defaults
  const refuse = (name: string, value: unknown, allowed: string): never => { throw new OptionInvalid(`namespace.${name}`, shown(value), allowed) }
  for (const name of NUMBERS) if (defaults[name] !== undefined && !isAmount(defaults[name])) refuse(name, defaults[name], 'a number, 0 or more')
  if (ttl !== undefined && typeof ttl !== 'function' && !isAmount(ttl)) refuse('ttl', ttl, 'a number, 0 or more, or a function')
  if (lock !== undefined && typeof lock !== 'boolean') refuse('lock', lock, 'true or false')
  const ofTags = 'an array of at most 64 strings of 1 to 256 characters'
  if (tags !== undefined && typeof tags !== 'function' && checkTags(tags) !== undefined) refuse('tags', tags, `${ofTags}, or a function`)
  if (coveringTags !== undefined && checkTags(coveringTags) !== undefined) refuse('coveringTags', coveringTags, ofTags)
}

/**
 * Returns the defaults of a namespace that a namespace within it inherits: numbers and switches. Functions are not inherited, since they
 * expect the values of the outer namespace alone.
 */
export function inheritedDefaults ({ ttl, tags: _tags, coveringTags: _coveringTags, ...rest }: NamespaceOptions): NamespaceOptions {
  return typeof ttl === 'number' ? { ...rest, ttl } : rest
}

/**
 * Returns the options of a `getOrSet`: those of the call, and the namespace's defaults for options that the call does not give. Tags of
 * both are joined. A default that is a list of tags is left out here, since the namespace adds these tags to each entry itself.
 */
export function withDefaults<T> (defaults: NamespaceOptions, options: GetOrSetOptions<T>): GetOrSetOptions<T> {
  const merged = overlay(defaults, options)
  const coveringTags = Array.isArray(defaults.coveringTags) && Array.isArray(options.coveringTags)
    ? [...defaults.coveringTags, ...options.coveringTags]
    : merged.coveringTags
  if (typeof defaults.tags !== 'function') return { ...merged, tags: options.tags, coveringTags }
  const late: (value: Exclude<T, undefined>) => string[] = defaults.tags
  const { tags } = options
  if (tags === undefined) return { ...merged, tags: late, coveringTags }
  if (typeof tags === 'function') return { ...merged, tags: (value) => joined(late(value), tags(value)), coveringTags }
  if (!Array.isArray(tags)) return { ...merged, coveringTags }
  // An entry with a `tags` function is stored only with covering tags. If there are none, the listed tags of the call must not become
  // covering tags. Covering tags that are no array are passed on, so that the cache refuses them.
  const isCovered = Array.isArray(coveringTags) && coveringTags.length > 0
  return { ...merged, tags: late, coveringTags: isCovered ? [...coveringTags, ...tags] : coveringTags }
}

/**
 * Returns the options of a `set` with the defaults of the namespace. Functions among the defaults are called with the value; if one throws,
 * an error is returned.
 */
export function withSetDefaults (defaults: NamespaceOptions, value: unknown, options: SetOptions): SetOptions | CacheError {
  const { ttl, staleWhileRevalidate, staleIfError, tags, coveringTags } = defaults
  const merged: SetOptions = overlay({ staleWhileRevalidate, staleIfError }, options)
  // The cache refuses the value `undefined`, so the functions among the defaults are not called with it.
  if (value === undefined) return merged
  try {
    if (merged.ttl === undefined && ttl !== undefined) merged.ttl = typeof ttl === 'function' ? ttl(value) : ttl
  } catch (cause) {
    return ttlInvalid('ttl', 'a function that threw', { cause })
  }
  if (isPromise(merged.ttl)) return ttlInvalid('ttl', 'a promise')
  // The entry of a `set` with a snapshot and without `tags` has the tags of the snapshot.
  if (options.snapshot !== undefined && options.tags === undefined) return merged
  if (options.tags !== undefined && !Array.isArray(options.tags)) return merged
  try {
    const all = joined(typeof tags === 'function' ? tags(value) : [], [...coveringTags ?? [], ...options.tags ?? []])
    if (!Array.isArray(all)) return tagInvalid('what is no array')
    if (all.length > 0) merged.tags = all
  } catch (cause) {
    return tagInvalid('a tags function that threw', { cause })
  }
  return merged
}

/** Returns an object with the members of `over`, and those of `under` where a member of `over` is missing or `undefined`. */
export function overlay<O extends object> (under: Partial<O>, over: O): O {
  return { ...under, ...Object.fromEntries(Object.entries(over).filter(([, value]) => value !== undefined)) } as O
}

/**
 * Joins two lists of tags. If a function of the app returned something else in place of a list, that value is returned, and the cache
 * refuses it. If it is a promise, its rejection is handled.
 */
function joined (some: string[], more: string[]): string[] {
  const wrong = [some, more].filter((list) => !Array.isArray(list))
  for (const each of wrong) isPromise(each)
  return wrong[0] ?? [...some, ...more]
}

function isAmount (value: unknown): boolean {
  return typeof value === 'number' && value >= 0
}
