import { createError } from '@x/cache-core/suite'

export { PolicyInvalid } from './rules/policy-invalid.js'

/** A member of a route's `config.cache` is wrong; the code is that of a wrong plugin option. */
export const RouteOptionInvalid = createError<[route: string, why: string, cause?: { cause: unknown }]>('CACHE_ERR_OPTION_INVALID',
  'config.cache of %s: %s')
/** `@fastify/etag` is there already, and answers 304 by itself. */
export const EtagClash = createError('CACHE_ERR_ETAG_CLASH',
  '@fastify/etag is registered as well: @x/cache-edge brings it along and answers conditional requests itself. Remove that registration, or give @x/cache-edge etag: false')
/** Two apps without a name store responses in one registry, and would answer for each other. */
export const AppUnnamed = createError('CACHE_ERR_APP_UNNAMED',
  'Another app without a name stores responses in the same registry, and each would answer requests for the other: give @x/cache-edge option "app", a name for each app, or one name for both if they are the same app')
/** Two registrations. */
export const EdgeRegistered = createError('CACHE_ERR_EDGE_REGISTERED',
  '@x/cache-edge is registered already: keep one registration')
/** A route's current tag is unknown, and with it whether a write may be done. */
export const CurrentTagFailed = createError<[route: string, why: string]>('CACHE_ERR_CURRENT_TAG',
  'config.cache.currentTag of %s %s', 503)
