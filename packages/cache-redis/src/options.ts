import { defaultsOf, defaultTtlSchema, patternsOption, rolloutSchema } from '@x/cache-core/suite'
import type { ClusterOptions } from 'ioredis'
import { Type, type Static } from 'typebox'
import type { InvalidationListener } from './tracking/announcer.js'
import type { Client } from './connection/client.js'
import type { Compression } from './entries/codec.js'
import type { Serializer } from './entries/serializers.js'
import { REDIS_PORT } from './connection/redis-port.js'
import { isTarget, type NatMap } from './connection/nat-map.js'
import { nearOption, type NearSettings } from './near/near-options.js'

const has = <T>(allowed: string, ...methods: string[]) => Type.Unsafe<T>(Type.Refine(Type.Unknown(),
  (value) => typeof value === 'object' && value !== null && methods.every((method) => typeof Reflect.get(value, method) === 'function'),
  () => allowed))
const milliseconds = (fallback: number) => Type.Number({ minimum: 1, maximum: 600_000, default: fallback })
const URL_PATTERN = '^rediss?://'
const host = () => Type.Object({
  host: Type.String({ minLength: 1 }),
  port: Type.Integer({ minimum: 1, maximum: 65_535, default: REDIS_PORT }),
  /** The name in the node's certificate, if it is not `host`; only in a Cluster. */
  servername: Type.Optional(Type.String({ minLength: 1 }))
}, { additionalProperties: false })
const tls = () => Type.Optional(Type.Union([Type.Boolean(), Type.Unsafe<import('node:tls').ConnectionOptions>(Type.Object({}))]))
const isFunction = (value: unknown): boolean => typeof value === 'function'

/** The options of a `RedisCache`. */
export const redisSchema = Type.Object({
  /**
   * `redis://user:password@host:port/db`, `rediss://` for TLS; several URLs, as a list or separated by commas, for the nodes of a
   * Cluster or the Sentinels. The query accepts `db` and `family` (4 or 6) only. The user, password, database, family and TLS of the first
   * URL apply to all servers.
   * @default `redis://127.0.0.1:6379`
   */
  url: Type.Optional(Type.Union([
    Type.String({ pattern: URL_PATTERN }),
    Type.Array(Type.String({ pattern: URL_PATTERN }), { minItems: 1 })
  ])),
  /** The kind of deployment. With the option `client` it is taken from that client, and need not be given. */
  mode: Type.Union([Type.Literal('single'), Type.Literal('cluster'), Type.Literal('sentinel')], { default: 'single' }),
  /**
   * Instead of `url`: the nodes of a Cluster, or the Sentinels, each as `{ host, port, servername }`; `servername` only in a Cluster with
   * TLS.
   * @default none
   */
  nodes: Type.Optional(Type.Array(host(), { minItems: 1 })),
  /**
   * The name of the master in the Sentinels; only with mode `'sentinel'`.
   * @default `'mymaster'`
   */
  sentinelName: Type.Optional(Type.String({ minLength: 1 })),
  /**
   * The user name for the Sentinels; only with mode `'sentinel'`.
   * @default none
   */
  sentinelUsername: Type.Optional(Type.String()),
  /**
   * The password of the Sentinels; only with mode `'sentinel'`.
   * @default none
   */
  sentinelPassword: Type.Optional(Type.String()),
  /**
   * The user name for Redis; takes precedence over the URL.
   * @default none
   */
  username: Type.Optional(Type.String()),
  /**
   * The password of the user of Redis; takes precedence over the URL.
   * @default none
   */
  password: Type.Optional(Type.String()),
  /**
   * The number of the database; takes precedence over the URL. Only 0 in a Cluster.
   * @default 0
   */
  db: Type.Optional(Type.Integer({ minimum: 0 })),
  /**
   * TLS: a boolean, or the options of `tls.connect`; takes precedence over the URL.
   * @default by the URL
   */
  tls: tls(),
  /**
   * TLS of the Sentinels: `true`, `false` or the options of `tls.connect`.
   * @default as `tls`
   */
  sentinelTls: tls(),
  /**
   * Maps a `host:port` that the Cluster or the Sentinels announce to the `{ host, port, servername? }` that this process connects to; see
   * the section "Names and certificates" of the README.
   * @default none
   */
  natMap: Type.Optional(Type.Unsafe<NatMap>(Type.Refine(Type.Unknown(),
    (value) => isFunction(value) || (typeof value === 'object' && value !== null && Object.values(value).every(isTarget)),
    () => 'a function, or an object of { host, port, servername? } by "host:port"'))),
  /**
   * Resolves the host names of a Cluster's first nodes, `(hostname, callback) => …`; see the section "Names and certificates" of the
   * README.
   * @default `dns.lookup`; with TLS none, since the certificate is compared with the name
   */
  dnsLookup: Type.Optional(Type.Unsafe<NonNullable<ClusterOptions['dnsLookup']>>(Type.Refine(Type.Unknown(), isFunction, () => 'a function'))),
  /**
   * Instead of `url` and `nodes`: a client of the app's own, from any version of ioredis, or iovalkey; it stays open when the cache
   * closes.
   * @default none
   */
  client: Type.Optional(has<Client>('an ioredis client', 'duplicate', 'sendCommand', 'defineCommand')),
  /**
   * The version of the Redis protocol (RESP). Version 2 is needed for a server or proxy that refuses HELLO with an error that ioredis 6
   * does not know; the log then recommends it. The cache works the same with both versions.
   * @default that of the installed ioredis: 3 with ioredis 6; ioredis 5 has only 2
   */
  protocol: Type.Optional(Type.Union([Type.Literal(2), Type.Literal(3)])),
  /** The number of connections for entries; the key of an entry selects one of them. Only 1 in a Cluster. */
  connections: Type.Integer({ minimum: 1, maximum: 64, default: 1 }),
  /**
   * The prefix of all keys and channels in Redis; end it with a colon. A prefix with `:t:` `:e:` `:l:` `:f:` `:d:` `:u:` after its
   * first part is refused: its keys could equal keys of a cache with the shorter prefix.
   */
  keyPrefix: Type.String({ minLength: 1, maxLength: 64, default: 'cache:' }),
  /** Seconds that an entry is fresh if `set` names no ttl. */
  defaultTtl: defaultTtlSchema(),
  /** The time limit of one Redis command, in milliseconds. */
  commandTimeoutMs: milliseconds(400),
  /** The time limit of one attempt to connect, in milliseconds. */
  connectTimeoutMs: milliseconds(1000),
  /** Milliseconds without a reply after which a connection is closed, so that the client may find another node. */
  socketTimeoutMs: milliseconds(1000),
  /**
   * `'bounded'`: tokens are remembered while invalidation messages arrive. `'strong'`: tokens are read from Redis with every read; see the
   * section "What is guaranteed" of the README.
   */
  consistency: Type.Union([Type.Literal('bounded'), Type.Literal('strong')], { default: 'bounded' }),
  /**
   * Holds copies of entries in this process, in front of Redis: `true`, or the bounds of the copies; see the section "Near cache" of the
   * README. Not with `consistency: 'strong'`.
   * @default none
   */
  near: nearOption(),
  /** The number of replicas that must acknowledge an invalidation before its result is `ok`. */
  waitReplicas: Type.Integer({ minimum: 0, maximum: 16, default: 0 }),
  /** Milliseconds between the heartbeats of each master; 5000 in a process without an operation for five seconds. */
  heartbeatMs: milliseconds(250),
  /** Milliseconds without a heartbeat after which remembered tokens are not relied on. */
  heartbeatTimeoutMs: milliseconds(1000),
  /** The maximum number of tags whose tokens are remembered in this process. */
  maxTags: Type.Integer({ minimum: 1, maximum: 10_000_000, default: 100_000 }),
  /**
   * `'json'`; `'rich'`: JSON with dates, maps, sets, BigInts and typed arrays; or `{ serialize(value), deserialize(bytes) }`, which converts
   * values to text or bytes. A value of another serializer is a miss and an error, never a wrong value.
   * @default that of the core: `'json'`
   */
  serializer: Type.Optional(Type.Union([
    Type.Literal('json'), Type.Literal('rich'), has<Serializer>('an object with serialize and deserialize', 'serialize', 'deserialize')
  ])),
  /**
   * The size in bytes from which on values are compressed.
   * @default no compression
   */
  compressAboveBytes: Type.Optional(Type.Integer({ minimum: 0 })),
  /**
   * The compression: `'gzip'`, `'brotli'`, or `{ id: 128…255, compress, decompress }`. A compression of the app fails if it takes longer
   * than half of `commandTimeoutMs`.
   * @default `'gzip'`
   */
  compression: Type.Optional(Type.Union([
    Type.Literal('gzip'), Type.Literal('brotli'), has<Compression>('an object with id, compress and decompress', 'compress', 'decompress')
  ])),
  /**
   * The largest value in bytes, before and after decompression. A larger value is refused with `CACHE_ERR_TOO_LARGE`; a
   * larger stored value is `CACHE_ERR_CORRUPT`.
   */
  maxValueBytes: Type.Integer({ minimum: 1, maximum: 512 * 1024 * 1024, default: 8 * 1024 * 1024 }),
  /** The circuit breaker in front of Redis, which makes calls fail fast while Redis fails. */
  breaker: Type.Object({
    /** The length in milliseconds of the window in which failures are counted. */
    windowMs: milliseconds(10_000),
    /** The number of calls in that window (`windowMs`) below which the breaker never opens. */
    minimumCalls: Type.Integer({ minimum: 1, default: 20 }),
    /** Share of failed calls, above 0 and at most 1, from which on the breaker opens. */
    errorRate: Type.Number({ exclusiveMinimum: 0, maximum: 1, default: 0.5 }),
    /** Milliseconds between the probes of an open breaker. */
    probeMs: milliseconds(1000)
  }, { additionalProperties: false, default: {} }),
  /** The maximum number of removals that wait for Redis. If the queue is full, one `clear` replaces all of them. */
  maxQueuedInvalidations: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 10_000 }),
  /** Milliseconds between two health checks of Redis. */
  healthCheckMs: milliseconds(30_000),
  /**
   * `(tags, { soft }) => …`: called with the tags that any process invalidated. A pub/sub channel carries them, so messages may be lost.
   * @default none
   */
  onInvalidated: Type.Optional(Type.Unsafe<InvalidationListener>(Type.Refine(Type.Unknown(), isFunction, () => 'a function')))
}, { additionalProperties: false })

/** Options of a `RedisCache`. */
export type RedisCacheOptions = Partial<Omit<Static<typeof redisSchema>, 'breaker'>> & {
  /** The options of the circuit breaker in front of Redis. */
  breaker?: Partial<Static<typeof redisSchema>['breaker']>
}

/** The options of a `RedisCache` with their defaults applied. */
export type RedisCacheSettings = Omit<Static<typeof redisSchema>, 'near'> & { readonly near: NearSettings | undefined }

/** The options of `register(cacheRedis, …)`: those of `RedisCache`, with `rollout`, `patterns` and `enabled`. */
export const redisPluginSchema = Type.Object({
  ...redisSchema.properties,
  /**
   * The keys, and the share of the subjects, that are cached in Redis; other keys and subjects use NullCache. Start with percent 0 in
   * every process. The members are those of `rollout` in `@x/cache-core`; a different value in the core's options is
   * `CACHE_ERR_OPTION_CLASH`, as for `defaultTtl`.
   */
  rollout: Type.Optional(rolloutSchema),
  /**
   * Lifetimes and tags by key pattern, as in `patterns` of `@x/cache-core`; different values of one pattern in the core's options are
   * `CACHE_ERR_OPTION_CLASH`.
   * @default none
   */
  patterns: patternsOption(),
  /**
   * `false`: the plugin registers the core and does not change its implementation; of its options only the names are checked. `true`: a
   * second choice of an implementation is `CACHE_ERR_IMPLEMENTATION_CLASH`.
   */
  enabled: Type.Optional(Type.Boolean({ default: true }))
}, { additionalProperties: false })

type OfPlugin = Pick<Static<typeof redisPluginSchema>, 'rollout' | 'patterns' | 'enabled'>
/** Options of `register(cacheRedis, …)`: those of `RedisCache`, with `rollout`, `patterns` and `enabled`. */
export type CacheRedisOptions = RedisCacheOptions & { [Name in keyof OfPlugin]: OfPlugin[Name] | undefined }

/** The defaults of those options of the plugin that `RedisCache` does not have. */
export const PLUGIN_DEFAULTS = defaultsOf(Type.Pick(redisPluginSchema, ['enabled']), 'enabled')
