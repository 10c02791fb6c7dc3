import { createError } from './coded-error.js'

const CODES = [
  'CACHE_ERR_UNAVAILABLE',
  'CACHE_ERR_TIMEOUT',
  'CACHE_ERR_READONLY',
  'CACHE_ERR_OUT_OF_MEMORY',
  'CACHE_ERR_AUTH',
  'CACHE_ERR_CORRUPT',
  'CACHE_ERR_TOO_LARGE',
  'CACHE_ERR_UNSUPPORTED',
  'CACHE_ERR_KEY_INVALID',
  'CACHE_ERR_TAG_INVALID',
  'CACHE_ERR_VALUE_INVALID',
  'CACHE_ERR_TTL_INVALID',
  'CACHE_ERR_OPTION_UNKNOWN',
  'CACHE_ERR_IMPLEMENTATION',
  'CACHE_ERR_LOAD_OVERDUE',
  'CACHE_ERR_SCHEMA'
] as const

/** The codes of errors in a cache call. The label `error_type` is the part after `CACHE_ERR_`, in lower case. */
export type CacheErrorCode = typeof CODES[number]

/** All values of the metric label `error_type`. */
export const ERROR_TYPES: readonly string[] = CODES.map(typeOf)

/** The error inside a failed `Result`. Neither its code nor its message contains a key or a value; `causeOf` returns its cause. */
export interface CacheError extends Error {
  readonly code: CacheErrorCode
  /**
   * Whether the call took effect in this process, and the store gets it later; only calls of `del`, `clear` and `tags.invalidate` are
   * queued.
   */
  readonly queued?: boolean
}

type Fault<A extends unknown[]> = (...args: A) => CacheError

// Errors inside a `Result` have no stack trace. The trace would show the lines of this package, never the cause of the failure, and would
// cost microseconds per call in an outage.
function fault<A extends unknown[]> (code: CacheErrorCode, sentence: string): Fault<A> {
  return createError(code, sentence, 500, Error, false) as unknown as Fault<A>
}

/** The cache call failed because the implementation cannot reach its store. */
export const unavailable = fault<[operation: string, why?: { cause: unknown }]>('CACHE_ERR_UNAVAILABLE',
  'The cache could not carry out "%s": its store cannot be reached')
/** The store replies that it cannot carry out the operation now, or that it never can. */
export const failedReply = fault<[operation: string, reply: string, why?: { cause: unknown }]>('CACHE_ERR_UNAVAILABLE',
  'The cache could not carry out "%s": its store answers "%s"')
/** The cache call did not end in time; it may still take effect. */
export const timeout = fault<[operation: string, ms: number, why?: { cause: unknown }]>('CACHE_ERR_TIMEOUT',
  'The cache did not carry out "%s" within %d ms')
/** The server of the cache's store refuses writes, because it is a replica or cannot persist them. */
export const readonly = fault<[operation: string, why?: { cause: unknown }]>('CACHE_ERR_READONLY',
  'The cache could not carry out "%s": its store takes no writes')
/** The store is full, and its policy evicts no entry. */
export const outOfMemory = fault<[operation: string, why?: { cause: unknown }]>('CACHE_ERR_OUT_OF_MEMORY',
  'The cache could not carry out "%s": its store is out of memory')
/** The store refuses the user, or refuses the command for this user. */
export const auth = fault<[operation: string, why?: { cause: unknown }]>('CACHE_ERR_AUTH',
  'The cache could not carry out "%s": its store refuses the user or the command')
/** The store refuses the user a command, a key or a channel, which `what` names. */
export const refused = fault<[operation: string, what: string, why?: { cause: unknown }]>('CACHE_ERR_AUTH',
  'The cache could not carry out "%s": its store refuses the user %s')
/** The store answers, but lacks a feature that the operation needs. */
export const unserviceable = fault<[operation: string, why: string]>('CACHE_ERR_UNSUPPORTED',
  'The cache could not carry out "%s": %s')
/** The stored value of a key cannot be decoded. */
export const corrupt = fault<[operation: string, what: string, why?: { cause: unknown }]>('CACHE_ERR_CORRUPT',
  'The cache could not carry out "%s": the store holds %s')
/** The implementation lacks the optional member that the operation needs. */
export const unsupported = fault<[operation: string, implName: string]>('CACHE_ERR_UNSUPPORTED',
  '"%s" is not supported by %s')
/** The key is not a string of 1 to 1024 UTF-16 units without unpaired surrogates. */
export const keyInvalid = fault<[why: string]>('CACHE_ERR_KEY_INVALID',
  'A cache key must be a string of 1 to 1024 characters without unpaired surrogates: got %s')
/** A tag is not a string of 1 to 256 UTF-16 units without unpaired surrogates. */
export const tagInvalid = fault<[why: string, because?: { cause: unknown }]>('CACHE_ERR_TAG_INVALID',
  'Tags must be an array of at most 64 strings of 1 to 256 characters without unpaired surrogates: got %s')
/** The value cannot be stored: it has no JSON text and is no Buffer, or cannot be read. */
export const valueInvalid = fault<[why: string, because?: { cause: unknown }]>('CACHE_ERR_VALUE_INVALID',
  'A cache value must be JSON or a Buffer: got %s')
/** A length of time is not a number of at least 0. */
export const ttlInvalid = fault<[name: string, why: string, because?: { cause: unknown }]>('CACHE_ERR_TTL_INVALID',
  '%s must be a number, 0 or more: got %s')
/** An option of a cache call has an unknown name, or the options are no object. */
export const optionUnknown = fault<[allowed: string, got: string]>('CACHE_ERR_OPTION_UNKNOWN',
  'The options of a cache call must be an object with no other members than %s: got %s')
/** The value is larger than the size limit of the cache. */
export const tooLarge = fault<[bytes: number, limit: number]>('CACHE_ERR_TOO_LARGE',
  'The value takes %d bytes: the limit is %d')
/** A method of the implementation threw, rejected, or returned a value that is no `Result`. */
export const implementationFailed = fault<[operation: string, how: string, why?: { cause: unknown }]>('CACHE_ERR_IMPLEMENTATION',
  'The cache implementation failed in "%s": it %s')
/** A load without `timeoutMs` exceeded the limit of 30 s; counted as one error, which the callers that wait for the load do not get. */
export const loadOverdue = fault<[ms: number]>('CACHE_ERR_LOAD_OVERDUE',
  'A load has not ended within %d ms: its key is free for another load, and its value will not be stored. Set timeoutMs to the time that the load may take')
/** A value does not pass the schema of its key pattern: a stored one is a miss, a new one is not stored. */
export const schemaRefused = fault<[operation: string]>('CACHE_ERR_SCHEMA',
  'The cache could not carry out "%s": the value does not pass the schema of its key pattern')

/** A plugin option has an invalid value or name. */
export const OptionInvalid = createError('CACHE_ERR_OPTION_INVALID',
  'Option "%s" is invalid: got %s, allowed is %s')
/** An environment variable has an invalid value. */
export const EnvInvalid = createError('CACHE_ERR_ENV_INVALID',
  'Environment variable %s is invalid: got %s, allowed is %s')
/** The plugin `@fastify/caching` has taken the decorator `fastify.cache`. */
export const CachingClash = createError('CACHE_ERR_CACHING_CLASH',
  'fastify.cache belongs to @fastify/caching here: remove it (its headers are what @x/cache-edge does), or register one of the two in a context of its own')
/** Another plugin has taken the decorator that the suite needs. */
export const DecoratorTaken = createError('CACHE_ERR_DECORATOR_TAKEN',
  '%s is already decorated by something else: register @x/cache-core before it, or rename the other decorator')
/** Two plugin registrations choose the implementation, such as `cacheCore` with option `implementation` and `cacheRedis`. */
export const ImplementationClash = createError<[one: string, other: string]>('CACHE_ERR_IMPLEMENTATION_CLASH',
  'Two registrations choose the implementation of the cache: %s, then %s. Keep one of them; fastify.cache.registry.register() swaps implementations at run time')
/** The option `implementation` names an implementation that no plugin registered. */
export const ImplementationMissing = createError('CACHE_ERR_IMPLEMENTATION_MISSING',
  'The cache is to run on Redis (implementation "redis", as of CACHE_IMPL or FEATURE_CACHE_REDIS), and @x/cache-redis is not registered: add register(cacheRedis, redisOptionsFromEnv()), or set CACHE_IMPL to "null" or "memory"')
/** Two registrations give different values for one option. */
export const OptionClash = createError<[name: string, other: string]>('CACHE_ERR_OPTION_CLASH',
  'Option "%s" is given twice with different values, to @x/cache-core and to %s: give it to one of them')
/** A package is registered in two contexts of one app, and neither context contains the other. */
export const SiblingContexts = createError<[name: string]>('CACHE_ERR_SIBLING_CONTEXTS',
  '%s is registered in two contexts of one app: register it once, in a context that contains both')
/** Two explicit registrations of the core are in one app. */
export const AlreadyRegistered = createError('CACHE_ERR_ALREADY_REGISTERED',
  '@x/cache-core is registered twice with options of its own: keep one registration, and swap implementations with fastify.cache.registry.register()')
/** The option `expose` opens the status route in an environment such as production, but no `guard` hook refuses unknown clients there. */
export const StatusUnguarded = createError('CACHE_ERR_STATUS_UNGUARDED',
  'expose opens %s outside of development, test and staging only together with a guard: set option "guard" to an onRequest hook that refuses strangers')
/**
 * An implementation without `clear` cannot be put back into service: it may hold entries that were invalidated while another implementation
 * was in service.
 */
export const ImplementationStale = createError('CACHE_ERR_IMPLEMENTATION_STALE',
  'Cache "%s" was in service before and has no clear(): it may hold what was invalidated since. Register a new instance')
/** The object given to the registry is not a cache. */
export const NotACache = createError('CACHE_ERR_NOT_A_CACHE',
  'A cache needs the methods get, set and del: %s lacks %s')
/** An operator's action on the rollout has an invalid form. */
export const RolloutActionInvalid = createError<[got: string, allowed: string]>('CACHE_ERR_ROLLOUT_ACTION',
  'The rollout cannot do that: got %s, allowed is %s', 400)
/** An operator's action came from a page of another origin. */
export const RolloutForeign = createError('CACHE_ERR_ROLLOUT_FOREIGN',
  'The rollout does nothing for a page of another origin: open the console of this app, or use cache-advisor', 403)
/** The state of the rollout does not allow an operator's action. */
export const RolloutConflict = createError<[why: string, instead: string]>('CACHE_ERR_ROLLOUT_CONFLICT',
  'The rollout cannot do that now: %s. Instead: %s', 409)
/** The state of the rollout cannot be read or written. */
export const RolloutUnavailable = createError<[why?: { cause: unknown }]>('CACHE_ERR_ROLLOUT_UNAVAILABLE',
  'The state of the rollout cannot be reached; each process caches nothing from five seconds after its last read on. Send the action again once the store is back', 503)
/** A load has exceeded its time limit (option `timeoutMs`). */
export const LoadTimeout = createError('CACHE_ERR_LOAD_TIMEOUT',
  'The loader did not answer within %d ms', 504)
/** A loader called `unchanged()`, which stores the stale value again, although no stored value was given to the loader. */
export const NothingStale = createError('CACHE_ERR_NOTHING_STALE',
  'A loader called unchanged(), and there is no stored value: check "stale" first, which is undefined then')
/** The loader of several keys returned neither a Map nor a list with one value for each key. */
export const LoadedManyInvalid = createError<[got: string]>('CACHE_ERR_LOADED_MANY',
  'A loader of several keys must return a Map by key, or an array with one value for each key in their order: got %s')
/** The key of a call of a wrapped function cannot be derived from its arguments. */
export const KeyNotDerived = createError<[what: string, why?: { cause: unknown }]>('CACHE_ERR_KEY_NOT_DERIVED',
  'A call of a wrapped function has no key, because of %s: pass plain values, or give "wrap" an option "key" that returns a string')
/** Loaders call one another, or themselves, without end. */
export const LoadCycle = createError('CACHE_ERR_LOAD_CYCLE',
  'The loader asks for the key that it loads, directly or through other loaders, without end: load the value without getOrSet there')

/** Whether an error is one that a `Result` may hold. */
export function isCacheError (error: unknown): error is CacheError {
  return error instanceof Error && CODES.includes((error as CacheError).code)
}

/** Returns the label `error_type` of an error: `CACHE_ERR_TOO_LARGE` → `too_large`. */
export function errorType (error: CacheError): string {
  return typeOf(error.code)
}

function typeOf (code: CacheErrorCode): string {
  return code.slice('CACHE_ERR_'.length).toLowerCase()
}
