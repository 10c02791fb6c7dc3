import { checkOptions } from '@x/cache-core/suite'
import type { FastifyRequest } from 'fastify'
import { Type, type Static } from 'typebox'
import { RouteOptionInvalid } from './errors.js'

const call = <T>(allowed: string) => Type.Unsafe<T>(Type.Refine(Type.Unknown(), (value) => typeof value === 'function', () => allowed))
const seconds = () => Type.Integer({ minimum: 0, maximum: 365 * 24 * 3600 })
/** The schema of a text that matches a pattern; `allowed` describes the pattern in error messages. */
export const text = (pattern: RegExp, allowed: string) => Type.Refine(Type.String(), (value) => pattern.test(value), () => allowed)
/** The schema of an option that is the name of a header. */
export const headerName = () => text(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/, 'the name of a header')
const STATUSES = [203, 204, 300, 301, 308, 404, 405, 410, 501] as const
/** The syntax of a tag, whose characters are allowed in the tag header of a proxy and in a ban expression. */
export const TAG_PATTERN = '^[A-Za-z0-9_:./-]{1,128}$'
/** The maximum number of tags of a response. */
export const MAX_TAGS = 48

/** The members that a policy may have, in a rule or in `config.cache` of a route. */
export const policy = {
  /**
   * The caches that may store the response. `'shared'`: all caches. `'private'`: only the client's own cache, also for requests with
   * credentials. For `maxAge` seconds, another user of the same browser may receive that response.
   * @default `'shared'`
   */
  scope: Type.Optional(Type.Union([Type.Literal('shared'), Type.Literal('private')])),
  /**
   * Seconds for which the response is fresh in every cache; `scope: 'private'` without it means `private, no-cache`.
   * @default 60 (shared)
   */
  maxAge: Type.Optional(seconds()),
  /**
   * Seconds for which the response is fresh in shared caches, instead of `maxAge`; excludes stale windows (RFC 9111 section 5.2.2.10).
   * @default none
   */
  sMaxAge: Type.Optional(seconds()),
  /**
   * Seconds in `CDN-Cache-Control` (RFC 9213), which overrides the other lifetimes in caches that the site operates, such as a CDN. The
   * field repeats the stale windows, `must-revalidate` and, with `sameForAll`, `public`.
   * @default none
   */
  cdnMaxAge: Type.Optional(seconds()),
  /**
   * Seconds after the lifetime in which the response may be served while it is refreshed (RFC 5861 section 3).
   * @default 0
   */
  staleWhileRevalidate: Type.Optional(seconds()),
  /**
   * Seconds after the lifetime in which the response may be served if the origin fails (RFC 5861 section 4).
   * @default 0
   */
  staleIfError: Type.Optional(seconds()),
  /**
   * Whether no cache may serve the response stale.
   * @default `true` without a stale window
   */
  mustRevalidate: Type.Optional(Type.Boolean()),
  /**
   * Whether the response of a URL never changes; requires a `maxAge` above 0.
   * @default `false`
   */
  immutable: Type.Optional(Type.Boolean()),
  /**
   * Request headers that select between representations. They are part of the key of stored responses, byte for byte. `*` is refused; with
   * `store`, so is a header with credentials. With `store: true` the handler sees no other headers.
   * @default none
   */
  vary: Type.Optional(Type.Array(headerName(), { maxItems: 8 })),
  /**
   * Names of the query parameters that the handler reads, at most 64, with the percent-encoding that the URL has. A request with any other
   * parameter bypasses the store (`detail=query`). `[]`: the handler reads no parameter.
   * @default all
   */
  query: Type.Optional(Type.Array(text(/^(?:(?![&=#])[!-~]){1,128}$/, 'the name of a query parameter as in the URL: 1 to 128 printable characters of ASCII, without & = #'), { maxItems: 64 })),
  /**
   * Whether `No-Vary-Search` of a response decides which query parameters are in the key: URLs of one host and path that differ only in
   * other parameters share the key. Requires `store`.
   * @default `false`
   */
  noVarySearch: Type.Optional(Type.Boolean()),
  /**
   * Tags of the response, or a function of the request that returns them: at most 48, each of 1 to 128 characters of `A-Z a-z 0-9 _:. / -`.
   * `invalidate` of a tag removes the stored response, in the store and in the proxies. A function that throws or returns another value is
   * logged once for the route. The response is then `private, no-cache`, and the request bypasses the store.
   * @default none
   */
  tags: Type.Optional(Type.Unsafe<readonly string[] | ((request: FastifyRequest) => readonly string[])>(Type.Refine(Type.Unknown(),
    (value) => typeof value === 'function' || (Array.isArray(value) && value.length <= MAX_TAGS && value.every((tag) => typeof tag === 'string' && new RegExp(TAG_PATTERN).test(tag))),
    () => `a function of the request, or at most ${MAX_TAGS} tags of 1 to 128 of A-Z a-z 0-9 _ : . / -`))),
  /**
   * Whether responses are stored in `fastify.cache`. `true`: for the lifetime of the policy; `'by-response'`: for the lifetime in their own
   * headers.
   * @default `false`
   */
  store: Type.Optional(Type.Union([Type.Boolean(), Type.Literal('by-response')])),
  /**
   * Whether stored responses in the memory of this process are sent **before the hooks of the app**: without authentication, address or
   * certificate checks, rate limits, logs, CORS and other headers of hooks. Requires `store`; excludes `scope: 'private'`, `sameForAll`,
   * `currentTag` and a `schema.headers` of the route.
   * @default `false`
   */
  early: Type.Optional(Type.Boolean()),
  /**
   * Whether the response is the same for all clients: it does not depend on credentials, the address of the client or the ids of the
   * request, so all requests share it.
   * @default `false`
   */
  sameForAll: Type.Optional(Type.Boolean()),
  /**
   * Statuses other than 200 whose responses may be stored: 203, 204, 300, 301, 308, 404, 405, 410, 501.
   * @default none
   */
  statuses: Type.Optional(Type.Array(Type.Unsafe<typeof STATUSES[number]>(Type.Union(STATUSES.map((status) => Type.Literal(status)))))),
  /**
   * A function that returns the current entity tag of the target, so that a 304, or the 412 of an unsafe method, needs no handler run. The
   * result `7` is sent as `"7"`; `"7"` and `W/"7"` are sent unchanged. `If-Match` never matches a weak ETag, so such a request gets 412.
   * `undefined`: the target does not exist yet. If the function fails or takes longer than 5 s, this is logged once for the route, and the
   * handler runs without the ETag. A write with preconditions is refused instead, with the error of the function, or with 503
   * `CACHE_ERR_CURRENT_TAG`.
   * @default none
   */
  currentTag: Type.Optional(call<(request: FastifyRequest) => string | undefined | Promise<string | undefined>>('a function of the request')),
  /**
   * Milliseconds after which a stale response is served instead of the handler's response, where `staleIfError` allows it.
   * @default 5000
   */
  staleAfterMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 600_000 }))
}

/** The schema of the policy in a rule or in `config.cache` of a route. */
export const policySchema = Type.Object(policy, { additionalProperties: false })
/** The policy in `config.cache` of a route. */
export type EdgePolicy = Static<typeof policySchema>

/**
 * The checked policy in `config.cache` of a route; `false`: the route has no policy.
 * @throws `CACHE_ERR_OPTION_INVALID`, whose message names the route
 */
export function resolvePolicy (route: string, given: unknown): EdgePolicy | false {
  if (given === false) return false
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw new RouteOptionInvalid(route, 'allowed is an object with members of a policy, or false')
  try {
    return checkOptions(policySchema, given)
  } catch (cause) {
    throw new RouteOptionInvalid(route, (cause as Error).message, { cause })
  }
}
