import { createError } from '@x/cache-core/suite'

export { PolicyInvalid } from './rules/policy-invalid.js'

/** Thrown for an invalid member of `config.cache` of a route. The code is `CACHE_ERR_OPTION_INVALID`, as for an invalid plugin option. */
export const RouteOptionInvalid = createError<[route: string, why: string, cause?: { cause: unknown }]>('CACHE_ERR_OPTION_INVALID',
  'config.cache of %s: %s')
/** Thrown if `@fastify/etag` is registered as well, since that plugin sends 304 itself. */
export const EtagClash = createError('CACHE_ERR_ETAG_CLASH',
  '@fastify/etag is registered as well: @x/cache-edge brings it along and answers conditional requests itself. Remove that registration, or give @x/cache-edge etag: false')
/** Thrown if two apps without a name store responses in one registry, since each app would serve the responses of the other. */
export const AppUnnamed = createError('CACHE_ERR_APP_UNNAMED',
  'Another app without a name stores responses in the same registry, and each would answer requests for the other: give @x/cache-edge option "app", a name for each app, or one name for both if they are the same app')
/** Thrown if the plugin is registered twice in one app. */
export const EdgeRegistered = createError('CACHE_ERR_EDGE_REGISTERED',
  '@x/cache-edge is registered already: keep one registration')
/** Thrown for a write whose preconditions cannot be evaluated, since the current ETag of the target resource is unknown. */
export const CurrentTagFailed = createError<[route: string, why: string]>('CACHE_ERR_CURRENT_TAG',
  'config.cache.currentTag of %s %s', 503)
