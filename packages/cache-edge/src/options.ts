import { checkOptions, defaultsOf, OptionInvalid } from '@x/cache-core/suite'
import { Type, type Static } from 'typebox'
import { isHash } from './lib/is-hash.js'
import { headerName, policy, text } from './policy-options.js'

const prefix = () => text(/^\//, 'a path that begins with /')

const etag = Type.Object({
  /**
   * The hash function of the entity tags: one of `crypto.getHashes()`.
   * @default the hash function of `@fastify/etag`
   */
  algorithm: Type.Optional(Type.Refine(Type.String(), isHash, () => 'a hash of crypto.getHashes()')),
  /** Whether computed ETags are weak, since compression and proxies change the bytes. */
  weak: Type.Optional(Type.Boolean({ default: true })),
  /**
   * Whether a response with a computed ETag and no lifetime has `no-cache`, since some proxies store a response because it has a validator.
   */
  noCache: Type.Optional(Type.Boolean({ default: true }))
}, { additionalProperties: false })

const purge = Type.Object({
  /** URLs of Varnish instances that run the VCL of this package; user and password are percent-encoded. */
  varnish: Type.Array(Type.String({ pattern: '^https?://' }), { minItems: 1, maxItems: 64 }),
  /** The time limit of one attempt to send a ban, in milliseconds. */
  timeoutMs: Type.Optional(Type.Integer({ minimum: 10, maximum: 60_000, default: 1000 })),
  /** The maximum number of attempts to send a ban. */
  attempts: Type.Optional(Type.Integer({ minimum: 1, maximum: 20, default: 5 })),
  /**
   * Milliseconds after which each ban is sent a second time, when all processes have received the invalidation. `0`: each ban is sent once.
   */
  againAfterMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 600_000, default: 5000 }))
}, { additionalProperties: false })

/** The options of `register(cacheEdge, …)`. */
export const edgeSchema = Type.Object({
  /**
   * Policies by the prefix of the route's pattern, `[{ prefix, …policy }]`, each prefix once; the longest prefix that matches applies. With
   * `exact: true` a rule applies only to routes with this pattern, whatever the names of its parameters, not to routes below it.
   * @default none
   */
  rules: Type.Optional(Type.Array(Type.Object({
    prefix: prefix(),
    /** Whether the rule applies only to routes with this pattern, whatever the names of its parameters, not to routes below it. */
    exact: Type.Optional(Type.Boolean({ default: false })),
    ...policy
  }, { additionalProperties: false }))),
  /**
   * Path prefixes of personal routes. Their responses are `private, no-cache` and never stored; the metrics do not count them as
   * candidates. A prefix under which no URL of a route lies is logged at the start, as a rule that covers no route is.
   * @default none
   */
  personal: Type.Optional(Type.Array(prefix())),
  /**
   * Settings of the entity tags that `@fastify/etag` computes; `false`: no tag is computed.
   * @default `{ weak: true, noCache: true }`
   */
  etag: Type.Optional(Type.Union([Type.Literal(false), etag])),
  /**
   * `'cookie-aware'`: each cache in front of the app forwards requests with cookies, except those of `ignoreCookies`, as the nginx and
   * Varnish configurations of this package do. Without it, the responses of a shared policy without `sameForAll` have `Vary: Cookie`.
   * @default none
   */
  proxies: Type.Optional(Type.Unsafe<'cookie-aware'>(Type.Refine(Type.Unknown(), (value) => value === 'cookie-aware', () => '"cookie-aware"'))),
  /**
   * Suffixes that a proxy in front adds to ETags, inside the quotes, when it compresses a response: `['-gzip', '-br']` for Apache httpd.
   * `If-None-Match` then also matches an ETag with a suffix; `If-Match` and `If-Range` never do.
   * @default none
   */
  etagSuffixes: Type.Optional(Type.Array(text(/^[!#-~]{1,16}$/, 'a suffix of an ETag: 1 to 16 printable characters of ASCII, without quotes'), { maxItems: 8 })),
  /**
   * Proxies that receive a ban for each invalidated tag, and one of all objects for `clear`.
   * @default none
   */
  purge: Type.Optional(purge),
  /**
   * Names of cookies that no response depends on, such as those of analytics and consent. All other cookies are credentials.
   * @default none
   */
  ignoreCookies: Type.Optional(Type.Array(text(/^[^=;\s]+$/, 'the name of a cookie, without its value'))),
  /**
   * Further request headers that identify a client to the app. They are credentials, as `Authorization` and `X-API-Key` are.
   * @default none
   */
  credentialHeaders: Type.Optional(Type.Array(headerName(), { maxItems: 32 })),
  /**
   * Hosts whose responses are stored, as in the `Host` header: `example.com`, or `example.com:8443` where it has a port. Requests for other
   * hosts bypass the store.
   * @default all
   */
  hosts: Type.Optional(Type.Array(text(/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/, 'a host as in the Host header, such as example.com or example.com:8443'), { minItems: 1 })),
  /** The maximum size of a stored body, in bytes. */
  maxBodyBytes: Type.Optional(Type.Integer({ minimum: 1, maximum: 64 * 1024 * 1024, default: 1024 * 1024 })),
  /** The maximum number of stored variants per URL. */
  maxVariants: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 50 })),
  /** Milliseconds for which a request waits for the handler run of another request. */
  coalesceMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 600_000, default: 10_000 })),
  /**
   * The request headers that a custom constraint reads, by the name of the constraint, such as `{ tenant: ['X-Tenant'] }`. The headers
   * become part of `Vary`, of the cache key and of a refresh. `[]`: the constraint reads only the URL and the host. `host` and `version`
   * need no declaration.
   * @default none
   */
  constraintHeaders: Type.Optional(Type.Record(Type.String(), Type.Array(headerName(), { maxItems: 8 }))),
  /**
   * The name of the app in the keys of stored responses. Two apps that share a registry (`CacheRegistry.getInstance()`) or a Redis under
   * one `keyPrefix` send each other's stored responses at the same host and path, unless their names differ. Processes of one app have the
   * same name. Two apps of one process without a name cause `CACHE_ERR_APP_UNNAMED`. Apps of several processes are not compared: name them,
   * or give each a `keyPrefix`. Tags are common to all apps.
   * @default none
   */
  app: Type.Optional(text(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/, 'a letter and up to 63 of A-Z a-z 0-9 _ . -')),
  /** The name of this cache in the response header `Cache-Status`. */
  name: Type.Optional(Type.Refine(Type.String({ default: 'fastify' }), (value) => /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/.test(value), () => 'a letter and up to 63 of A-Z a-z 0-9 _ . -')),
  /**
   * Whether the tags of a policy are also cache groups of the response (RFC 9875). They are then sent in `Cache-Groups`, and
   * `Cache-Group-Invalidation` invalidates them within their origin.
   */
  cacheGroups: Type.Optional(Type.Boolean({ default: false })),
  /** The response header with the tags for proxies; the Varnish configuration of this package reads `Surrogate-Key`. `false`: no header. */
  tagHeader: Type.Optional(Type.Unsafe<false | 'Surrogate-Key' | 'Cache-Tag'>(Type.Refine(Type.Unknown({ default: 'Surrogate-Key' }),
    (value) => value === false || value === 'Surrogate-Key' || value === 'Cache-Tag', () => '"Surrogate-Key", "Cache-Tag" or false')))
}, { additionalProperties: false })

/** The defaults of the limits, of the name, of the cache groups and of the tag header. */
export const EDGE_DEFAULTS = defaultsOf(edgeSchema, 'maxBodyBytes', 'maxVariants', 'coalesceMs', 'name', 'cacheGroups', 'tagHeader')
/** The defaults of option `purge`. */
export const PURGE_DEFAULTS = defaultsOf(Type.Partial(purge), 'timeoutMs', 'attempts', 'againAfterMs')
/** The defaults of option `etag`. */
export const ETAG_DEFAULTS = defaultsOf(etag, 'weak', 'noCache')

/** Options of `register(cacheEdge, …)`. */
export type CacheEdgeOptions = Static<typeof edgeSchema>

/**
 * The options of the plugin, checked and with their defaults.
 * @throws `CACHE_ERR_OPTION_INVALID`
 */
export function resolveEdgeOptions (raw: object): CacheEdgeOptions {
  const options = checkOptions(edgeSchema, raw)
  const prefixes = (options.rules ?? []).map(({ prefix }) => prefix)
  const twice = prefixes.findIndex((prefix, at) => prefixes.indexOf(prefix) < at)
  if (twice >= 0) throw new OptionInvalid(`rules.${twice}.prefix`, JSON.stringify(prefixes[twice]), 'a prefix that no other rule has')
  return options
}
