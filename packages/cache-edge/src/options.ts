import { checkOptions, defaultsOf, OptionInvalid } from '@x/cache-core/suite'
import type { FastifyRequest } from 'fastify'
import { createHash } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { RouteOptionInvalid } from './errors.js'

const call = <T>(allowed: string) => Type.Unsafe<T>(Type.Refine(Type.Unknown(), (value) => typeof value === 'function', () => allowed))
const seconds = () => Type.Integer({ minimum: 0, maximum: 365 * 24 * 3600 })
const text = (pattern: RegExp, allowed: string) => Type.Refine(Type.String(), (value) => pattern.test(value), () => allowed)
const headerName = () => text(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/, 'the name of a header')
const STATUSES = [203, 204, 300, 301, 308, 404, 405, 410, 501] as const
/** What a proxy's tag header can carry, and a ban expression quote. */
export const TAG_PATTERN = '^[A-Za-z0-9_:./-]{1,128}$'
/** How many of them an answer may have. */
export const MAX_TAGS = 48

/** The members of a policy: of a rule, and of a route's `config.cache`. */
const policy = {
  /**
   * Which caches may store the answer: all, or with `'private'` the client's own alone, with credentials too; whoever logs in next in
   * that browser may see it for `maxAge`.
   * @default `'shared'`
   */
  scope: Type.Optional(Type.Union([Type.Literal('shared'), Type.Literal('private')])),
  /**
   * Seconds that every cache may take the answer for fresh; `private` without it says `private, no-cache`.
   * @default 60 (shared)
   */
  maxAge: Type.Optional(seconds()),
  /**
   * Seconds for shared caches in place of `maxAge`; forbids stale windows (RFC 9111 section 5.2.2.10).
   * @default none
   */
  sMaxAge: Type.Optional(seconds()),
  /**
   * Seconds in `CDN-Cache-Control` (RFC 9213), for the site's own caches, in place of all others; stale windows, `must-revalidate` and,
   * with `sameForAll`, `public` are said there again.
   * @default none
   */
  cdnMaxAge: Type.Optional(seconds()),
  /**
   * Seconds after the lifetime in which the answer may be served while it is refreshed (RFC 5861 section 3).
   * @default 0
   */
  staleWhileRevalidate: Type.Optional(seconds()),
  /**
   * Seconds after the lifetime in which the answer may be served if the origin fails (RFC 5861 section 4).
   * @default 0
   */
  staleIfError: Type.Optional(seconds()),
  /**
   * Nobody may serve the answer stale.
   * @default `true` without a stale window
   */
  mustRevalidate: Type.Optional(Type.Boolean()),
  /**
   * The answer never changes under this URL; with a `maxAge` above 0.
   * @default `false`
   */
  immutable: Type.Optional(Type.Boolean()),
  /**
   * Request headers that choose between representations, in the key of stored answers too, byte for byte; not `*`, and with `store` no
   * header of credentials. A handler behind `store: true` sees these and no others.
   * @default none
   */
  vary: Type.Optional(Type.Array(headerName(), { maxItems: 8 })),
  /**
   * Query parameters that count, spelled as in the URL, percent-encoding included, at most 64. A request with any other one is neither
   * stored nor answered from the store (`detail=query`): its handler runs. `[]`: none counts.
   * @default all count
   */
  query: Type.Optional(Type.Array(text(/^(?:(?![&=#])[!-~]){1,128}$/, 'the name of a query parameter as in the URL: 1 to 128 printable characters of ASCII, without & = #'), { maxItems: 64 })),
  /**
   * Tags of the answer, or a function of the request; 1 to 128 of `A-Z a-z 0-9 _ : . / -`, at most 48. Invalidating one removes the
   * answer, here and at the proxies. A function that throws or gives something else is logged once for the route; the answer is
   * `private, no-cache`, neither stored nor taken from the store.
   * @default none
   */
  tags: Type.Optional(Type.Unsafe<readonly string[] | ((request: FastifyRequest) => readonly string[])>(Type.Refine(Type.Unknown(),
    (value) => typeof value === 'function' || (Array.isArray(value) && value.length <= MAX_TAGS && value.every((tag) => typeof tag === 'string' && new RegExp(TAG_PATTERN).test(tag))),
    () => `a function of the request, or at most ${MAX_TAGS} tags of 1 to 128 of A-Z a-z 0-9 _ : . / -`))),
  /**
   * `true`: stores answers in `fastify.cache` for the policy's lifetime; `'by-response'`: as their own headers say.
   * @default `false`
   */
  store: Type.Optional(Type.Union([Type.Boolean(), Type.Literal('by-response')])),
  /**
   * Credentials, the address of the client and the ids of the request make no difference to this answer, so that requests with them may
   * share it.
   * @default `false`
   */
  sameForAll: Type.Optional(Type.Boolean()),
  /**
   * Statuses beside 200 that may be stored: 203, 204, 300, 301, 308, 404, 405, 410, 501.
   * @default none
   */
  statuses: Type.Optional(Type.Array(Type.Unsafe<typeof STATUSES[number]>(Type.Union(STATUSES.map((status) => Type.Literal(status)))))),
  /**
   * The tag of the target known beforehand: 304 without a handler run, 412 before an unsafe handler. `7` is sent as `"7"`; `"7"` and
   * `W/"7"` stay, and `If-Match` never matches a weak tag: 412. `undefined`: there is no such target yet. If the function fails or
   * takes longer than 5 s, the log says so once for the route, and the handler runs without it; a write with preconditions is refused:
   * with the function's error, or 503 `CACHE_ERR_CURRENT_TAG`.
   * @default none
   */
  currentTag: Type.Optional(call<(request: FastifyRequest) => string | undefined | Promise<string | undefined>>('a function of the request')),
  /**
   * Milliseconds after which a handler is answered for by a stale answer, where `staleIfError` allows it.
   * @default 5000
   */
  staleAfterMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 600_000 }))
}

/** The members of a policy. */
export const policySchema = Type.Object(policy, { additionalProperties: false })
/** What `config.cache` of a route takes; `false`: the route has no policy, whatever the rules say. */
export type EdgePolicy = Static<typeof policySchema>

const prefix = () => text(/^\//, 'a path that begins with /')

function isHash (name: string): boolean {
  // getHashes() leaves out other spellings that are taken, such as SHA256.
  try {
    createHash(name)
    return true
  } catch {
    return false
  }
}

const etag = Type.Object({
  /**
   * The hash: one of `crypto.getHashes()`.
   * @default that of `@fastify/etag`
   */
  algorithm: Type.Optional(Type.Refine(Type.String(), isHash, () => 'a hash of crypto.getHashes()')),
  /** Whether tags are weak: compression and proxies change the bytes. */
  weak: Type.Optional(Type.Boolean({ default: true })),
  /** Whether an answer with such a tag and no lifetime of its own says `no-cache`, since a validator makes some proxies store it. */
  noCache: Type.Optional(Type.Boolean({ default: true }))
}, { additionalProperties: false })

const purge = Type.Object({
  /** URLs of Varnish instances that run the VCL of this package; user and password percent-encoded. */
  varnish: Type.Array(Type.String({ pattern: '^https?://' }), { minItems: 1, maxItems: 64 }),
  /** Milliseconds per attempt. */
  timeoutMs: Type.Optional(Type.Integer({ minimum: 10, maximum: 60_000, default: 1000 })),
  /** Attempts per ban. */
  attempts: Type.Optional(Type.Integer({ minimum: 1, maximum: 20, default: 5 })),
  /** Milliseconds after which each ban is sent once more; by then every process has heard of the invalidation. `0`: it is not. */
  againAfterMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 600_000, default: 5000 }))
}, { additionalProperties: false })

/** The options of `register(cacheEdge, …)`. */
export const edgeSchema = Type.Object({
  /**
   * Policies by the prefix of the route's pattern, `[{ prefix, …policy }]`, each prefix once; the longest one that matches counts.
   * @default none
   */
  rules: Type.Optional(Type.Array(Type.Object({ prefix: prefix(), ...policy }, { additionalProperties: false }))),
  /**
   * Path prefixes of personal routes: `private, no-cache`, never stored, and no candidates in the metrics.
   * @default none
   */
  personal: Type.Optional(Type.Array(prefix())),
  /**
   * Entity tags of `@fastify/etag`, or `false`.
   * @default `{ weak: true, noCache: true }`
   */
  etag: Type.Optional(Type.Union([Type.Literal(false), etag])),
  /**
   * Proxies to which invalidated tags, and a clear, are sent.
   * @default none
   */
  purge: Type.Optional(purge),
  /**
   * Names of cookies that change no answer: analytics, consent. All others count as credentials.
   * @default none
   */
  ignoreCookies: Type.Optional(Type.Array(text(/^[^=;\s]+$/, 'the name of a cookie, without its value'))),
  /**
   * Request headers by which the app knows its clients: they make a request personal, as `Authorization`, `X-API-Key` and the like do.
   * @default none
   */
  credentialHeaders: Type.Optional(Type.Array(headerName(), { maxItems: 32 })),
  /**
   * Hosts whose answers are stored, as in the `Host` header: `example.com`, or `example.com:8443` where the port is in it. Requests for other
   * hosts are answered by the handler.
   * @default all
   */
  hosts: Type.Optional(Type.Array(text(/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/, 'a host as in the Host header, such as example.com or example.com:8443'), { minItems: 1 })),
  /** The largest body that is stored, in bytes. */
  maxBodyBytes: Type.Optional(Type.Integer({ minimum: 1, maximum: 64 * 1024 * 1024, default: 1024 * 1024 })),
  /** The maximum number of stored representations per URL. */
  maxVariants: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 50 })),
  /** Milliseconds that a request waits for the handler run of another one. */
  coalesceMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 600_000, default: 10_000 })),
  /**
   * The request headers that a constraint of the app's own reads, by its name, such as `{ tenant: ['X-Tenant'] }`: they are part of
   * `Vary`, of the key and of a refresh. `[]`: it reads the URL and the host alone. `host` and `version` are known.
   * @default none
   */
  constraintHeaders: Type.Optional(Type.Record(Type.String(), Type.Array(headerName(), { maxItems: 8 }))),
  /**
   * The name of the app in the keys of stored responses. Two apps that share a registry (`CacheRegistry.getInstance()`) or a Redis under
   * one `keyPrefix` answer for each other at the same host and path, unless their names differ; processes of one app have the same name. Two
   * apps of one process without a name are `CACHE_ERR_APP_UNNAMED`; apps of several processes are not compared: name them, or give each a
   * `keyPrefix`. Tags are common to all.
   * @default none
   */
  app: Type.Optional(text(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/, 'a letter and up to 63 of A-Z a-z 0-9 _ . -')),
  /** The name of this cache in `Cache-Status`. */
  name: Type.Optional(Type.Refine(Type.String({ default: 'fastify' }), (value) => /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/.test(value), () => 'a letter and up to 63 of A-Z a-z 0-9 _ . -')),
  /** The header that carries the tags to proxies. The Varnish of the guide purges by `Surrogate-Key`; `false`: none. */
  tagHeader: Type.Optional(Type.Unsafe<false | 'Surrogate-Key' | 'Cache-Tag'>(Type.Refine(Type.Unknown({ default: 'Surrogate-Key' }),
    (value) => value === false || value === 'Surrogate-Key' || value === 'Cache-Tag', () => '"Surrogate-Key", "Cache-Tag" or false')))
}, { additionalProperties: false })

/** The defaults of the options that have a single value. */
export const EDGE_DEFAULTS = defaultsOf(edgeSchema, 'maxBodyBytes', 'maxVariants', 'coalesceMs', 'name', 'tagHeader')
/** The defaults of option `purge`. */
export const PURGE_DEFAULTS = defaultsOf(Type.Partial(purge), 'timeoutMs', 'attempts', 'againAfterMs')
/** The defaults of option `etag`. */
export const ETAG_DEFAULTS = defaultsOf(etag, 'weak', 'noCache')

/** Options of `register(cacheEdge, …)`. */
export type CacheEdgeOptions = Static<typeof edgeSchema>

/** The options, checked. Throws `CACHE_ERR_OPTION_INVALID`. */
export function resolveEdgeOptions (raw: object): CacheEdgeOptions {
  const options = checkOptions(edgeSchema, raw)
  const prefixes = (options.rules ?? []).map(({ prefix }) => prefix)
  const twice = prefixes.findIndex((prefix, at) => prefixes.indexOf(prefix) < at)
  if (twice >= 0) throw new OptionInvalid(`rules.${twice}.prefix`, JSON.stringify(prefixes[twice]), 'a prefix that no other rule has')
  return options
}

/** A route's `config.cache`, checked. Throws `CACHE_ERR_OPTION_INVALID` with the route. */
export function resolvePolicy (route: string, given: unknown): EdgePolicy | false {
  if (given === false) return false
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw new RouteOptionInvalid(route, 'allowed is an object with members of a policy, or false')
  try {
    return checkOptions(policySchema, given)
  } catch (cause) {
    throw new RouteOptionInvalid(route, (cause as Error).message, { cause })
  }
}
