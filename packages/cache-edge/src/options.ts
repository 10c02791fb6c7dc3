import { OptionInvalid, resolveOptions } from '@x/cache-core/suite'
import type { FastifyRequest } from 'fastify'
import { createHash } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { RouteOptionInvalid } from './errors.js'

const call = <T>(allowed: string) => Type.Unsafe<T>(Type.Refine(Type.Unknown(), (value) => typeof value === 'function', () => allowed))
const seconds = () => Type.Integer({ minimum: 0, maximum: 365 * 24 * 3600 })
const text = (pattern: RegExp, allowed: string) => Type.Refine(Type.String(), (value) => pattern.test(value), () => allowed)
const headerName = () => text(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/, 'the name of a header')
const STATUSES = [203, 204, 300, 301, 308, 404, 405, 410, 501] as const
/** Tags that fit the tag header of a proxy and a ban expression. */
export const TAG_PATTERN = '^[A-Za-z0-9_:./-]{1,128}$'
/** Largest number of tags of a response. */
export const MAX_TAGS = 48

/** The members of a policy: of a rule, and of a route's `config.cache`. */
const policy = {
  /** Caches that may store the response: every cache, or the client's own alone, logged in or not. Default `'shared'`. */
  scope: Type.Optional(Type.Union([Type.Literal('shared'), Type.Literal('private')])),
  /** Seconds that every cache may take it for fresh. Default 60. */
  maxAge: Type.Optional(seconds()),
  /** Seconds for shared caches in place of `maxAge`. */
  sMaxAge: Type.Optional(seconds()),
  /** Seconds for caches that the site itself runs (`CDN-Cache-Control`, RFC 9213), in place of all others. */
  cdnMaxAge: Type.Optional(seconds()),
  /** Seconds after its freshness in which it may be served while it is refreshed (RFC 5861 §3). */
  staleWhileRevalidate: Type.Optional(seconds()),
  /** Seconds after its freshness in which it may be served if the origin fails (RFC 5861 §4). */
  staleIfError: Type.Optional(seconds()),
  /** Nobody may serve it stale. Default: `true` without a stale window. */
  mustRevalidate: Type.Optional(Type.Boolean()),
  /** It never changes under this URL. */
  immutable: Type.Optional(Type.Boolean()),
  /** Request headers that choose between representations. A handler behind `store: true` sees these and no others. */
  vary: Type.Optional(Type.Array(headerName(), { maxItems: 8 })),
  /**
   * The query parameters that count, spelled as in the URL, percent-encoding included. A request with any other one is neither
   * stored nor answered from the store: clients could make up as many URLs as they like. Default: all count.
   */
  query: Type.Optional(Type.Array(text(/^(?:(?![&=#])[!-~]){1,128}$/, 'the name of a query parameter as in the URL: 1 to 128 printable characters of ASCII, without & = #'), { maxItems: 64 })),
  /** Tags of the answer: invalidating one removes it, here and at the proxies. */
  tags: Type.Optional(Type.Unsafe<readonly string[] | ((request: FastifyRequest) => readonly string[])>(Type.Refine(Type.Unknown(),
    (value) => typeof value === 'function' || (Array.isArray(value) && value.length <= MAX_TAGS && value.every((tag) => typeof tag === 'string' && new RegExp(TAG_PATTERN).test(tag))),
    () => `a function of the request, or at most ${MAX_TAGS} tags of 1 to 128 of A-Z a-z 0-9 _ : . / -`))),
  /** Stores responses in `fastify.cache`: `true` with the lifetimes of the policy, `'by-response'` with those of their own headers. */
  store: Type.Optional(Type.Union([Type.Boolean(), Type.Literal('by-response')])),
  /** The answer is the same with credentials and without, so that requests with them may share it. */
  sameForAll: Type.Optional(Type.Boolean()),
  /** Statuses beside 200 whose responses may be stored. */
  statuses: Type.Optional(Type.Array(Type.Unsafe<typeof STATUSES[number]>(Type.Union(STATUSES.map((status) => Type.Literal(status)))))),
  /**
   * The current tag of a target, known without its representation: 304 without a handler run, 412 before an unsafe one. A
   * text such as a version becomes a strong tag, `7` is sent as `"7"`; `"7"` and `W/"7"` stay. `If-Match` never matches a
   * weak one: 412. `undefined`: there is no such target yet.
   */
  currentTag: Type.Optional(call<(request: FastifyRequest) => string | undefined | Promise<string | undefined>>('a function of the request')),
  /** Milliseconds that a handler may take while a stale answer is allowed in its place. Default 5000. */
  staleAfterMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 600_000 }))
}

const policySchema = Type.Object(policy, { additionalProperties: false })
/** The policy in `config.cache` of a route; `false` there: the route has no policy, not even that of a rule. */
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

const schema = Type.Object({
  /** Policies by the prefix of the route's pattern; the longest one that matches counts. */
  rules: Type.Optional(Type.Array(Type.Object({ prefix: prefix(), ...policy }, { additionalProperties: false }))),
  /** Path prefixes of personal routes: `private, no-cache`, never stored. */
  personal: Type.Optional(Type.Array(prefix())),
  /** Entity tags of `@fastify/etag`, or `false`. Weak by default: compression and proxies change the bytes. */
  etag: Type.Optional(Type.Union([Type.Literal(false), Type.Object({
    algorithm: Type.Optional(Type.Refine(Type.String(), isHash, () => 'a hash of crypto.getHashes()')),
    weak: Type.Optional(Type.Boolean()),
    /** Whether an answer with such a tag and no lifetime of its own says `no-cache`, since a validator makes some proxies store it. Default true. */
    noCache: Type.Optional(Type.Boolean())
  }, { additionalProperties: false })])),
  /** Proxies to which invalidated tags are sent as bans, and a ban of everything when the cache is cleared. */
  purge: Type.Optional(Type.Object({
    /** URLs of Varnish instances that run the VCL of this package; user and password percent-encoded. */
    varnish: Type.Array(Type.String({ pattern: '^https?://' }), { minItems: 1, maxItems: 64 }),
    /** Milliseconds per attempt. Default 1000. */
    timeoutMs: Type.Optional(Type.Integer({ minimum: 10, maximum: 60_000 })),
    /** Attempts per ban. Default 5. */
    attempts: Type.Optional(Type.Integer({ minimum: 1, maximum: 20 })),
    /** Milliseconds after which a ban is sent once more, when every process has seen the invalidation. Default 5000. */
    againAfterMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 600_000 }))
  }, { additionalProperties: false })),
  /** Cookies that change no answer, by name: analytics, consent. All others count as credentials. */
  ignoreCookies: Type.Optional(Type.Array(text(/^[^=;\s]+$/, 'the name of a cookie, without its value'))),
  /** Request headers by which the app knows its clients, beside `Authorization`, `X-API-Key` and the like: they make a request personal. */
  credentialHeaders: Type.Optional(Type.Array(headerName(), { maxItems: 32 })),
  /** Hosts whose responses are stored, with a port where `Host` has one; requests for others are answered by the handler. Default: all. */
  hosts: Type.Optional(Type.Array(text(/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/, 'a host as in the Host header, such as example.com or example.com:8443'), { minItems: 1 })),
  /** Largest body that is stored, in bytes. Default 1 MiB. */
  maxBodyBytes: Type.Optional(Type.Integer({ minimum: 1, maximum: 64 * 1024 * 1024 })),
  /** Representations stored per URL. Default 50. */
  maxVariants: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
  /** Milliseconds that a request waits for the handler run of another. Default 10 000. */
  coalesceMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 600_000 })),
  /**
   * The request headers that a constraint of the app's own reads, by its name, such as `{ tenant: ['X-Tenant'] }`: they are part of
   * `Vary`, of the key and of a refresh. `[]`: it reads the URL and the host alone. `host` and `version` are known.
   */
  constraintHeaders: Type.Optional(Type.Record(Type.String(), Type.Array(headerName(), { maxItems: 8 }))),
  /**
   * The name of the app in the keys of stored responses: apps that share a registry, or a Redis under one prefix, answer for each
   * other where host and path are the same, unless their names differ. Processes of one app have the same name. Default: none.
   */
  app: Type.Optional(text(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/, 'a letter and up to 63 of A-Z a-z 0-9 _ . -')),
  /** The name of this cache in `Cache-Status`. Default `fastify`. */
  name: Type.Optional(text(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/, 'a letter and up to 63 of A-Z a-z 0-9 _ . -')),
  /** The header that carries the tags to proxies: default `Surrogate-Key`; `false`: none. */
  tagHeader: Type.Optional(Type.Unsafe<false | 'Surrogate-Key' | 'Cache-Tag'>(Type.Refine(Type.Unknown(),
    (value) => value === false || value === 'Surrogate-Key' || value === 'Cache-Tag', () => '"Surrogate-Key", "Cache-Tag" or false')))
}, { additionalProperties: false })

/** Options of `register(cacheEdge, …)`. */
export type CacheEdgeOptions = Static<typeof schema>

/** The options, checked. Throws `CACHE_ERR_OPTION_INVALID`. */
export function resolveEdgeOptions (raw: object): CacheEdgeOptions {
  const options = resolveOptions(schema, raw)
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
    return resolveOptions(policySchema, given)
  } catch (cause) {
    throw new RouteOptionInvalid(route, (cause as Error).message, { cause })
  }
}
