import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify'
import { Type, type Static, type TSchema } from 'typebox'
import { Value } from 'typebox/value'
import type { Cache } from '../contract/cache.js'
import type { Clock } from '../lib/clock.js'
import { OptionInvalid } from '../contract/errors.js'
import type { WarmItem } from '../client/fastify-cache.js'
import { isLabel } from '../telemetry/key-pattern.js'
import type { CacheRegistry } from '../service/registry.js'
import { kindOf, shown } from '../contract/shown.js'

/** Makes the implementation, with the instance at hand; what it makes is closed with the instance. */
export type CacheFactory = (fastify: FastifyInstance) => Cache | Promise<Cache>

const call = <T>(allowed: string) => Type.Unsafe<T>(Type.Refine(Type.Unknown(), (value) => typeof value === 'function', () => allowed))
const live = <T>(method: string, allowed: string) => Type.Unsafe<T>(Type.Refine(Type.Unknown(),
  (value) => typeof (value as Record<string, unknown> | null | undefined)?.[method] === 'function', () => allowed))
/** What a list of key patterns takes. A pattern that can be no label would never be matched. */
export const ALLOWED_PATTERNS = '"*" or a letter and up to 63 of A-Z a-z 0-9 _ . / -, and no id'
const milliseconds = () => Type.Number({ minimum: 1, maximum: 600_000 })

const schema = Type.Object({
  /**
   * `false` is the switch that beats all others: NullCache, whatever else is set.
   * @default `true`
   */
  enabled: Type.Optional(Type.Boolean()),
  /**
   * The cache: a name, an instance (whoever made it closes it), or what makes one. `'redis'`: that of
   * `register(cacheRedis, …)`, without which the start fails.
   * @default `'null'`, which observes
   */
  // No union of schemas: filling in defaults clones what a union is given, and a cache must stay itself.
  implementation: Type.Optional(Type.Unsafe<'null' | 'memory' | 'redis' | Cache | CacheFactory>(Type.Refine(Type.Unknown(),
    (value) => value === 'null' || value === 'memory' || value === 'redis' || typeof value === 'function' || (typeof value === 'object' && value !== null),
    () => '"null", "memory", "redis", a cache or a function that makes one'))),
  /** Bounds of the built-in MemoryCache. */
  memory: Type.Optional(Type.Object({
    maxEntries: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 24 })),
    maxBytes: Type.Optional(Type.Integer({ minimum: 1 })),
    isolation: Type.Optional(Type.Union([Type.Literal('clone'), Type.Literal('freeze')])),
    maxTags: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 24 })),
    /**
     * The part of it beyond which stored responses of the edge evict one another and none of the app's values.
     * @default 0.5
     */
    responseShare: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1 }))
  }, { additionalProperties: false })),
  /** A registry to use instead of one of one's own: `CacheRegistry.getInstance()` is shared by the process. */
  registry: Type.Optional(live<CacheRegistry>('register', 'a CacheRegistry')),
  /**
   * Seconds that an entry lives if nothing else is said.
   * @default 3600
   */
  defaultTtl: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 30 * 24 * 3600 })),
  /**
   * Milliseconds after which a read that hangs is an error, and a miss.
   * @default 500
   */
  readTimeoutMs: Type.Optional(milliseconds()),
  /**
   * Milliseconds after which a write that hangs is an error.
   * @default 2000
   */
  writeTimeoutMs: Type.Optional(milliseconds()),
  /**
   * The pattern of a key or tag: a label of at most 64 characters.
   * @default the text before the first `:`
   */
  keyPattern: Type.Optional(call<(key: string) => string>('a function of the key')),
  /**
   * How many patterns get a label; the rest is `other`.
   * @default 100
   */
  maxKeyPatterns: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  /** Who is in. */
  rollout: Type.Optional(Type.Object({
    percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
    /** Key patterns that may be cached; `*` is all of them. */
    allow: Type.Optional(Type.Array(Type.Refine(Type.String(), (value) => value === '*' || isLabel(value), () => ALLOWED_PATTERNS))),
    salt: Type.Optional(Type.String()),
    /**
     * The subject of a request.
     * @default `request.user.id`, else the client's address
     */
    key: Type.Optional(call<(request: FastifyRequest) => string>('a function of the request'))
  }, { additionalProperties: false })),
  /** Critical keys, loaded before the app is ready. */
  warm: Type.Optional(Type.Object({
    items: Type.Unsafe<WarmItem[]>(Type.Array(Type.Object({
      key: Type.String({ minLength: 1 }),
      loader: call('a function'),
      options: Type.Optional(Type.Unknown())
    }, { additionalProperties: false }))),
    concurrency: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 }))
  }, { additionalProperties: false })),
  /** Path prefixes of personal routes: never candidates, never shared. */
  personal: Type.Optional(Type.Array(Type.String({ pattern: '^/' }))),
  /** Shows `GET /internal/cache` in production, too; only together with `guard`. */
  expose: Type.Optional(Type.Boolean()),
  /** An onRequest hook in front of `GET /internal/cache` that refuses strangers. */
  guard: Type.Optional(call<onRequestHookHandler>('an onRequest hook')),
  /** The source of time; for tests. */
  clock: Type.Optional(live<Clock>('now', 'an object with now()'))
}, { additionalProperties: false })

/** Options of `register(cacheCore, …)`. */
export type CacheCoreOptions = Static<typeof schema>

// Fastify puts these into the options of every plugin.
const FASTIFY_KEYS = new Set(['prefix', 'logLevel', 'logSerializers'])

/**
 * Checks raw plugin options against a schema, with its defaults filled in; the raw object is left alone.
 * @throws `CACHE_ERR_OPTION_INVALID` with the path, what it got and what is allowed
 */
export function resolveOptions<S extends TSchema> (of: S, raw: object): Static<S> {
  const own = Object.fromEntries(Object.entries(raw).filter(([name]) => !FASTIFY_KEYS.has(name)))
  const options = Value.Default(of, copyBy(of, own))
  if (Value.Check(of, options)) return options as Static<S>
  throw describe(of, options)
}

/**
 * The objects and lists that the schema describes anew, without what is `undefined`: filling in defaults changes what it is
 * given. Whatever the schema leaves open, live objects above all, stays itself.
 */
function copyBy (of: TSchema | undefined, value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = partOf(of, '0')
    return items === undefined ? value : value.map((item) => copyBy(items, item))
  }
  if (typeof value !== 'object' || value === null || propertiesOf(of) === undefined) return value
  const entries = Object.entries(value).filter(([, part]) => part !== undefined)
  return Object.fromEntries(entries.map(([name, part]) => [name, copyBy(partOf(of, name), part)]))
}

interface SchemaParts { properties?: Record<string, TSchema>; items?: TSchema; anyOf?: TSchema[] }

/** The properties that a schema knows of, if it is one of objects, or of objects among other things. */
function propertiesOf (of: TSchema | undefined): Record<string, TSchema> | undefined {
  const { properties, anyOf } = (of ?? {}) as SchemaParts
  return properties ?? anyOf?.map(propertiesOf).find((each) => each !== undefined)
}

function partOf (of: TSchema | undefined, name: string): TSchema | undefined {
  const properties = propertiesOf(of)
  if (properties !== undefined) return Object.hasOwn(properties, name) ? properties[name] : undefined
  const { items, anyOf } = (of ?? {}) as SchemaParts
  return items ?? anyOf?.map((each) => partOf(each, name)).find((each) => each !== undefined)
}

function describe (of: TSchema, options: unknown): Error {
  // Nested alternatives each report their own: the deepest path is where the mistake is, its last report sums it up.
  const errors = Value.Errors(of, options)
  const unknown = errors.find(({ keyword }) => keyword === 'additionalProperties')
  const worst = unknown ?? errors.reduce((worst, each) => each.instancePath.length >= worst.instancePath.length ? each : worst)
  const at = worst.instancePath.split('/').slice(1)
  if (unknown !== undefined) {
    const { additionalProperties } = unknown.params as { additionalProperties: string[] }
    const known = Object.keys(propertiesOf(at.reduce(partOf, of as TSchema | undefined)) ?? {})
    return new OptionInvalid([...at, additionalProperties[0]!].join('.'), 'an unknown option', known.join(', '))
  }
  const got = at.reduce<any>((part, name) => part?.[name], options)
  const allowed = errors
    .filter(({ instancePath }) => instancePath === worst.instancePath)
    .flatMap(({ keyword, params, message }) => {
      if (keyword === 'anyOf') return []
      if (keyword === 'required') return [`an object with ${(params as { requiredProperties: string[] }).requiredProperties.join(', ')}`]
      return [keyword === 'const' ? JSON.stringify((params as { allowedValue: unknown }).allowedValue) : message.replace(/^must be /, '')]
    })
  return new OptionInvalid(at.join('.') || 'options', SECRET.test(at.join('.')) ? kindOf(got) : shown(got), [...new Set(allowed)].join(' or '))
}

/** Options whose value is never shown: credentials, and those that take a URL, or a list of servers that may be given as URLs. */
const SECRET = /pass|secret|token|credential|auth|user|tls|url|varnish|^nodes(\.\d+)?$/i

/** The options of the core, checked. */
export function resolveCoreOptions (raw: object): CacheCoreOptions {
  return resolveOptions(schema, raw)
}
