import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify'
import { Type, type Static, type TSchema } from 'typebox'
import type { Cache } from '../contract/cache.js'
import { memorySchema } from '../caches/memory/memory-options.js'
import { warmProperties } from '../client/warm-options.js'
import { defaultTtlSchema } from '../contract/default-ttl.js'
import { defaultsOf } from '../lib/schema-defaults.js'
import { checkedPattern } from '../service/pattern-options.js'
import { rolloutOptionProperties } from '../rollout/canary-options.js'
import { registryProperties } from '../service/registry-options.js'
import type { WarmItem } from '../client/fastify-cache.js'
import type { CacheRegistry } from '../service/registry.js'
import { refuseNames } from '../contract/option-names.js'
import { checked, copyBy, withDefaults } from '../contract/option-schema.js'

/** A function that makes the implementation for a Fastify instance; the implementation is closed with the instance. */
export type CacheFactory = (fastify: FastifyInstance) => Cache | Promise<Cache>

const call = <T>(allowed: string) => Type.Unsafe<T>(Type.Refine(Type.Unknown(), (value) => typeof value === 'function', () => allowed))
const live = <T>(method: string, allowed: string) => Type.Unsafe<T>(Type.Refine(Type.Unknown(),
  (value) => typeof (value as Record<string, unknown> | null | undefined)?.[method] === 'function', () => allowed))
/** The options of `register(cacheCore, …)`. */
export const coreSchema = Type.Object({
  /** Whether the cache may store values. With `false`, `NullCache` is registered, whatever the other options are. */
  enabled: Type.Optional(Type.Boolean({ default: true })),
  /**
   * The cache: `'null'` (observe), `'memory'`, an instance, which the app itself must close, or a function `(fastify) => cache`, which may
   * return a promise. `'redis'`: the implementation of `register(cacheRedis, …)`, without which the start fails with
   * `CACHE_ERR_IMPLEMENTATION_MISSING`.
   * @default `'null'`
   */
  // The option is no union of schemas: to fill in defaults, TypeBox clones the value of a union, and a cache must remain the same object.
  // The schema has no default, since another registration may choose the implementation if this option is left out.
  implementation: Type.Optional(Type.Unsafe<'null' | 'memory' | 'redis' | Cache | CacheFactory>(Type.Refine(Type.Unknown(),
    (value) => value === 'null' || value === 'memory' || value === 'redis' || typeof value === 'function' || (typeof value === 'object' && value !== null),
    () => '"null", "memory", "redis", a cache or a function that makes one'))),
  /** Bounds of the built-in MemoryCache; see the section Memory and time of the README. */
  memory: Type.Optional(memorySchema),
  /** Seconds for which an entry is fresh if the call gives no ttl. */
  defaultTtl: Type.Optional(defaultTtlSchema()),
  ...registryProperties,
  /** Which keys, and which share of the subjects, are cached; see the section Rollout of the README. */
  rollout: Type.Optional(Type.Object({
    ...rolloutOptionProperties,
    /**
     * Returns the subject of a request, by which the rollout assigns the arm.
     * @default `request.user.id`, else the client's address
     */
    key: Type.Optional(call<(request: FastifyRequest) => string>('a function of the request'))
  }, { additionalProperties: false })),
  /**
   * Critical keys, loaded before the app is ready. An item fails after its `timeoutMs`, else 30 s. Items that are not loaded after 80 % of
   * Fastify's `pluginTimeout` are loaded in the background.
   */
  warm: Type.Optional(Type.Object({
    /** The keys, each as `{ key, loader, options }`; `options` are those of `getOrSet`. */
    items: Type.Unsafe<WarmItem[]>(Type.Array(Type.Object({
      key: Type.String({ minLength: 1 }),
      loader: call('a function'),
      options: Type.Optional(Type.Unknown())
    }, { additionalProperties: false }))),
    ...warmProperties
  }, { additionalProperties: false })),
  /**
   * Prefixes of the paths of personal routes. The advisor proposes no cache for such routes, and their responses are never shared.
   * @default none
   */
  personal: Type.Optional(Type.Array(Type.String({ pattern: '^/' }))),
  /** Opens `GET /internal/cache` for every value of `NODE_ENV`; requires `guard`. */
  expose: Type.Optional(Type.Boolean({ default: false })),
  /**
   * An `onRequest` hook in front of `GET /internal/cache` that refuses clients which may not read it.
   * @default none
   */
  guard: Type.Optional(call<onRequestHookHandler>('an onRequest hook')),
  /**
   * The registry of implementation, counters and events. All apps of a process can share `CacheRegistry.getInstance()`.
   * @default a registry of the app's own
   */
  registry: Type.Optional(live<CacheRegistry>('register', 'a CacheRegistry'))
}, { additionalProperties: false })

/** Options of `register(cacheCore, …)`. */
export type CacheCoreOptions = Static<typeof coreSchema>

// Fastify adds these properties to the options of every plugin, so they are removed before the options are checked.
const FASTIFY_KEYS = new Set(['prefix', 'logLevel', 'logSerializers'])

/**
 * Checks raw plugin options against a schema, and returns a copy with the defaults of the schema. Throws `CACHE_ERR_OPTION_INVALID` with
 * the path, the value and the allowed values.
 */
export function resolveOptions<S extends TSchema> (of: S, raw: object): Static<S> {
  return checked(of, withDefaults(of, ownOf(raw)))
}

/**
 * Checks raw plugin options against a schema, and returns a copy without defaults, for a package that applies the defaults where it reads
 * the options. Throws as `resolveOptions` does.
 */
export function checkOptions<S extends TSchema> (of: S, raw: object): Static<S> {
  return checked(of, copyBy(of, ownOf(raw)))
}

function ownOf (raw: object): object {
  return Object.fromEntries(Object.entries(raw).filter(([name]) => !FASTIFY_KEYS.has(name)))
}

/**
 * Checks the options of the core and returns them without defaults; throws `CACHE_ERR_OPTION_INVALID`. An option that is left out does not
 * change the setting of a shared registry, or of a sibling package. The defaults are in `CORE_DEFAULTS` and in the schemas of the nested
 * options.
 */
export function resolveCoreOptions (raw: object): CacheCoreOptions {
  const options = checkOptions(coreSchema, raw)
  for (const [name, own] of Object.entries(options.patterns ?? {})) checkedPattern(name, own)
  for (const [at, { options: ofItem }] of (options.warm?.items ?? []).entries()) {
    if (typeof ofItem !== 'number') refuseNames('getOrSet', ofItem, `warm.items.${at}.options`)
  }
  return options
}

/** The defaults of the options `enabled` and `expose`, which the core itself reads. */
export const CORE_DEFAULTS = defaultsOf(coreSchema, 'enabled', 'expose')
