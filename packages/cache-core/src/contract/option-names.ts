import { OptionInvalid, optionUnknown, type CacheError } from './errors.js'
import { kindOf } from './shown.js'

const OF_SET = ['ttl', 'staleWhileRevalidate', 'staleIfError', 'tags', 'snapshot']
const OF_LOAD = ['ttl', 'jitter', 'staleWhileRevalidate', 'staleIfError', 'softTimeoutMs', 'retryAfterMs', 'tags', 'coveringTags', 'timeoutMs', 'lock', 'earlyRefresh']

/**
 * The names of the options that each call of the cache, or the constructor of `MemoryCache`, accepts, and of the members of one item of
 * `setMany` or `warm`.
 */
const NAMES = {
  set: new Set(OF_SET),
  getOrSet: new Set(OF_LOAD),
  namespace: new Set(OF_LOAD),
  wrap: new Set(['name', 'key', ...OF_LOAD]),
  lock: new Set(['ttl', 'waitMs']),
  invalidate: new Set(['soft']),
  getEntry: new Set(['tags', 'stale', 'near']),
  warm: new Set(['concurrency']),
  setItem: new Set(['key', 'value', 'options']),
  warmItem: new Set(['key', 'loader', 'options']),
  MemoryCache: new Set(['maxEntries', 'maxBytes', 'isolation', 'maxTags', 'responseShare', 'serializer', 'clock'])
} as const

/**
 * Returns the error in the names of a call's options, if any: a misspelled option would leave its default in force, unnoticed. An option
 * that is `undefined` counts as absent.
 */
export function checkNames (of: keyof typeof NAMES, options: unknown): CacheError | undefined {
  const wrong = wrongIn(of, options)
  return wrong === undefined ? undefined : optionUnknown(allowedIn(of), wrong)
}

/**
 * Checks the names in the options of a constructor, or in options that are part of a plugin's options.
 * @param path the place of the options, for the message
 * @throws `CACHE_ERR_OPTION_INVALID` for an unknown name
 */
export function refuseNames (of: keyof typeof NAMES, options: unknown, path: string = of): void {
  const wrong = wrongIn(of, options)
  if (wrong !== undefined) throw new OptionInvalid(path, wrong, `an object with no other members than ${allowedIn(of)}`)
}

/** Whether an object is an array, Date, Map or another built-in object: it has none of the members that options have. */
export function isBuiltIn (value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.prototype.toString.call(value) !== '[object Object]'
}

function wrongIn (of: keyof typeof NAMES, options: unknown): string | undefined {
  if (options === undefined) return undefined
  if (typeof options !== 'object' || options === null || isBuiltIn(options)) return kindOf(options)
  const known: ReadonlySet<string> = NAMES[of]
  for (const name in options) {
    // A library may have added the name to `Object.prototype`; such a name is no option that the caller gave.
    if (known.has(name) || !Object.hasOwn(options, name) || Reflect.get(options, name) === undefined) continue
    // A long name is not shown, since it may be data, which an error must not contain.
    return /^\w{1,32}$/.test(name) ? `"${name}"` : 'another member'
  }
  return undefined
}

function allowedIn (of: keyof typeof NAMES): string {
  return [...NAMES[of]].join(', ')
}
