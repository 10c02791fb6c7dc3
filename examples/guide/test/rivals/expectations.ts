/** Whether a claim is true for a package; `none`: the package has no call for it. */
export type Cell = 'yes' | 'no' | 'none'

/** The compared packages, in the order of the table's columns. */
export const NAMES: readonly string[] = ['this suite', 'BentoCache', 'cache-manager', 'async-cache-dedupe', '@fastify/caching']

/** The compared packages that cache responses, in the order of the table's columns. */
export const HTTP_NAMES: readonly string[] = ['this suite', '@fastify/caching']

/** The finding for each claim about caches, one for each package in the order of `NAMES`. */
export const EXPECTATIONS: Readonly<Record<string, readonly Cell[]>> = {
  'one load for concurrent calls of a key': ['yes', 'yes', 'yes', 'yes', 'none'],
  'a stored null is a hit': ['yes', 'yes', 'yes', 'yes', 'none'],
  'invalidation by tag': ['yes', 'yes', 'none', 'yes', 'none'],
  'a value that is removed while it is loaded is not served later': ['yes', 'no', 'no', 'no', 'none'],
  'a value whose tag is invalidated while it is loaded is not served later': ['yes', 'no', 'none', 'no', 'none'],
  'a call after an invalidation joins no earlier load': ['yes', 'no', 'none', 'no', 'none'],
  'a reader that changes its value changes no other': ['yes', 'yes', 'yes', 'no', 'none'],
  'stale while one load refreshes, after the ttl': ['yes', 'yes', 'no', 'yes', 'none'],
  'stale if the load fails, after the ttl': ['yes', 'yes', 'no', 'yes', 'none'],
  'a store that fails makes no call fail': ['yes', 'yes', 'yes', 'yes', 'none']
}

/** The finding for each claim about responses, one for each package in the order of `HTTP_NAMES`. */
export const HTTP_EXPECTATIONS: Readonly<Record<string, readonly Cell[]>> = {
  'a 304 needs no handler run': ['yes', 'yes'],
  'a whole response needs no handler run': ['yes', 'no'],
  'a response to a request with credentials is not public': ['yes', 'no'],
  'a response with a cookie for one client is not public': ['yes', 'no'],
  'an error is not cacheable': ['yes', 'yes']
}
