import { OptionInvalid, resolveOptions } from '@x/cache-core'
import type { Cluster, Redis } from 'ioredis'
import { Type, type Static } from 'typebox'
import type { InvalidationListener } from './announcer.js'
import { brotliCompression, gzipCompression, type Compression, type Serializer } from './codec.js'

const has = <T>(allowed: string, ...methods: string[]) => Type.Unsafe<T>(Type.Refine(Type.Unknown(),
  (value) => typeof value === 'object' && value !== null && methods.every((method) => typeof Reflect.get(value, method) === 'function'),
  () => allowed))
const milliseconds = (fallback: number) => Type.Number({ minimum: 1, maximum: 600_000, default: fallback })
const URL_PATTERN = '^rediss?://'
const host = () => Type.Object({
  host: Type.String({ minLength: 1 }),
  port: Type.Integer({ minimum: 1, maximum: 65_535, default: 6379 })
}, { additionalProperties: false })

const schema = Type.Object({
  /** `redis://user:password@host:port/db`, `rediss://` for TLS; several of them for the nodes of a Cluster or the Sentinels. */
  url: Type.Optional(Type.Union([
    Type.String({ pattern: URL_PATTERN }),
    Type.Array(Type.String({ pattern: URL_PATTERN }), { minItems: 1 })
  ])),
  mode: Type.Union([Type.Literal('single'), Type.Literal('cluster'), Type.Literal('sentinel')], { default: 'single' }),
  /** Instead of `url`: the nodes of a Cluster, or the Sentinels. */
  nodes: Type.Optional(Type.Array(host(), { minItems: 1 })),
  /** What the Sentinels call the master. Default `mymaster`. */
  sentinelName: Type.Optional(Type.String({ minLength: 1 })),
  sentinelUsername: Type.Optional(Type.String()),
  sentinelPassword: Type.Optional(Type.String()),
  username: Type.Optional(Type.String()),
  password: Type.Optional(Type.String()),
  db: Type.Optional(Type.Integer({ minimum: 0 })),
  /** TLS; an object is what `tls.connect` takes. */
  tls: Type.Optional(Type.Union([Type.Boolean(), Type.Unsafe<import('node:tls').ConnectionOptions>(Type.Object({}))])),
  /** A client of the app's own; it stays open when the cache closes. */
  client: Type.Optional(has<Redis | Cluster>('an ioredis client', 'duplicate', 'sendCommand', 'defineCommand')),
  /** Connections for entries, chosen by key; only without Cluster. Default 1. */
  connections: Type.Integer({ minimum: 1, maximum: 64, default: 1 }),
  /** In front of every key. */
  keyPrefix: Type.String({ minLength: 1, maxLength: 64, default: 'cache:' }),
  /** Seconds. */
  defaultTtl: Type.Number({ exclusiveMinimum: 0, maximum: 30 * 24 * 3600, default: 3600 }),
  /** Milliseconds that one command may take. */
  commandTimeoutMs: milliseconds(400),
  connectTimeoutMs: milliseconds(1000),
  /** Milliseconds without an answer after which a connection is given up, and another node may be found. */
  socketTimeoutMs: milliseconds(1000),
  /** `strong`: tokens are asked for with every read, instead of being remembered while their messages arrive. */
  consistency: Type.Union([Type.Literal('bounded'), Type.Literal('strong')], { default: 'bounded' }),
  /** Replicas that must have an invalidation before it is `ok`. */
  waitReplicas: Type.Integer({ minimum: 0, maximum: 16, default: 0 }),
  heartbeatMs: milliseconds(250),
  /** Milliseconds after a silent cut of the invalidation connection until nothing remembered is relied on. */
  heartbeatTimeoutMs: milliseconds(1000),
  /** Tags that are remembered in this process. */
  maxTags: Type.Integer({ minimum: 1, maximum: 10_000_000, default: 100_000 }),
  /** How values are written. Default JSON. */
  serializer: Type.Optional(has<Serializer>('an object with serialize and deserialize', 'serialize', 'deserialize')),
  /** Values are compressed from so many bytes on; off by default. */
  compressAboveBytes: Type.Optional(Type.Integer({ minimum: 0 })),
  compression: Type.Optional(Type.Union([
    Type.Literal('gzip'), Type.Literal('brotli'), has<Compression>('an object with id, compress and decompress', 'compress', 'decompress')
  ])),
  /** A larger value is not stored; a compressed one does not inflate beyond it. */
  maxValueBytes: Type.Integer({ minimum: 1, maximum: 512 * 1024 * 1024, default: 8 * 1024 * 1024 }),
  breaker: Type.Object({
    windowMs: milliseconds(10_000),
    minimumCalls: Type.Integer({ minimum: 1, default: 20 }),
    errorRate: Type.Number({ exclusiveMinimum: 0, maximum: 1, default: 0.5 }),
    probeMs: milliseconds(1000)
  }, { additionalProperties: false, default: {} }),
  /** Removals that wait for Redis; what does not fit becomes one `clear`. */
  maxQueuedInvalidations: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 10_000 }),
  /** Milliseconds between health checks. */
  healthCheckMs: milliseconds(30_000),
  /** Hears the tags that any process invalidated, over a pub/sub channel; messages may be lost. */
  onInvalidated: Type.Optional(Type.Unsafe<InvalidationListener>(Type.Refine(Type.Unknown(), (value) => typeof value === 'function', () => 'a function')))
}, { additionalProperties: false })

/** Options of a `RedisCache`. */
export type RedisCacheOptions = Partial<Omit<Static<typeof schema>, 'breaker'>> & { breaker?: Partial<Static<typeof schema>['breaker']> }

/** The options with their defaults. */
export type RedisCacheSettings = Static<typeof schema>

/** Checks the options, and that they do not contradict each other. Throws `CACHE_ERR_OPTION_INVALID`. */
export function resolveRedisOptions (raw: object): RedisCacheSettings {
  const settings = resolveOptions(schema, raw)
  const { mode, url, nodes, client, keyPrefix, compression } = settings
  const urls = url === undefined ? 0 : typeof url === 'string' ? url.split(',').length : url.length
  const refuse = (name: string, got: string, allowed: string): never => { throw new OptionInvalid(name, got, allowed) }
  if (client !== undefined && (url !== undefined || nodes !== undefined)) refuse('client', 'a client beside url or nodes', 'one of client, url and nodes')
  if (typeof client?.options.keyPrefix === 'string' && client.options.keyPrefix !== '') {
    refuse('client', 'a client with a keyPrefix of its own, which the names of invalidated keys would not have', 'a client without one; keyPrefix is an option here')
  }
  if (url !== undefined && nodes !== undefined) refuse('nodes', 'nodes beside url', 'one of client, url and nodes')
  if (mode === 'single' && (urls > 1 || nodes !== undefined)) refuse('mode', '"single" with several nodes', '"cluster" or "sentinel", or one url')
  if (mode !== 'sentinel' && settings.sentinelName !== undefined) refuse('sentinelName', `mode "${mode}"`, 'mode "sentinel"')
  if (typeof compression === 'object' && compression !== gzipCompression && compression !== brotliCompression &&
    !(Number.isInteger(compression.id) && compression.id >= 128 && compression.id <= 255)) {
    refuse('compression.id', String(compression.id), 'a whole number from 128 to 255')
  }
  if (keyPrefix.includes('{') && !/^[^{]*\{[^}]+\}/.test(keyPrefix)) {
    refuse('keyPrefix', JSON.stringify(keyPrefix), 'one without a brace, or with a whole hash tag: the keys of a lock would lie in different slots')
  }
  if (mode === 'cluster' && (settings.db ?? 0) !== 0) refuse('db', String(settings.db), '0 in a Cluster')
  if (mode === 'cluster' && settings.connections > 1) refuse('connections', String(settings.connections), '1 in a Cluster')
  if (settings.heartbeatMs * 2 > settings.heartbeatTimeoutMs) {
    refuse('heartbeatMs', String(settings.heartbeatMs), 'at most half of heartbeatTimeoutMs')
  }
  return settings
}
