import type { ClusterOptions } from 'ioredis'
import { Type, type Static } from 'typebox'
import type { InvalidationListener } from './tracking/announcer.js'
import type { Client } from './connection/client.js'
import type { Compression, Serializer } from './entries/codec.js'
import { isTarget, type NatMap } from './connection/nat-map.js'

const has = <T>(allowed: string, ...methods: string[]) => Type.Unsafe<T>(Type.Refine(Type.Unknown(),
  (value) => typeof value === 'object' && value !== null && methods.every((method) => typeof Reflect.get(value, method) === 'function'),
  () => allowed))
const milliseconds = (fallback: number) => Type.Number({ minimum: 1, maximum: 600_000, default: fallback })
const URL_PATTERN = '^rediss?://'
const host = () => Type.Object({
  /** Host name or address. */
  host: Type.String({ minLength: 1 }),
  /**
   * TCP port.
   * @default 6379
   */
  port: Type.Integer({ minimum: 1, maximum: 65_535, default: 6379 }),
  /** The name that the node's certificate has, if that is not `host`; in a Cluster. */
  servername: Type.Optional(Type.String({ minLength: 1 }))
}, { additionalProperties: false })
const tls = () => Type.Optional(Type.Union([Type.Boolean(), Type.Unsafe<import('node:tls').ConnectionOptions>(Type.Object({}))]))
const isFunction = (value: unknown): boolean => typeof value === 'function'

/** The options of a `RedisCache`, with their defaults. */
export const schema = Type.Object({
  /**
   * `redis://user:password@host:port/db`, `rediss://` for TLS; several of them for the nodes of a Cluster or the Sentinels. The
   * query takes `db` and `family` (4 or 6); all else is refused. What holds for all servers stands in the first URL.
   */
  url: Type.Optional(Type.Union([
    Type.String({ pattern: URL_PATTERN }),
    Type.Array(Type.String({ pattern: URL_PATTERN }), { minItems: 1 })
  ])),
  /**
   * The kind of deployment.
   * @default `single`; with `client`, that of the client
   */
  mode: Type.Union([Type.Literal('single'), Type.Literal('cluster'), Type.Literal('sentinel')], { default: 'single' }),
  /** Instead of `url`: the nodes of a Cluster, or the Sentinels. */
  nodes: Type.Optional(Type.Array(host(), { minItems: 1 })),
  /**
   * The name of the master in the Sentinels.
   * @default `mymaster`
   */
  sentinelName: Type.Optional(Type.String({ minLength: 1 })),
  /** The ACL user at the Sentinels. */
  sentinelUsername: Type.Optional(Type.String()),
  /** The password at the Sentinels. */
  sentinelPassword: Type.Optional(Type.String()),
  /**
   * The ACL user of the servers.
   * @default that of the first URL
   */
  username: Type.Optional(Type.String()),
  /**
   * The password of the servers.
   * @default that of the first URL
   */
  password: Type.Optional(Type.String()),
  /**
   * The number of the database, from 0; only 0 in a Cluster.
   * @default that of the first URL, else 0
   */
  db: Type.Optional(Type.Integer({ minimum: 0 })),
  /**
   * TLS: a boolean, or the options of `tls.connect`.
   * @default whether the first URL begins with `rediss:`
   */
  tls: tls(),
  /**
   * TLS of the Sentinels.
   * @default the value of `tls`
   */
  sentinelTls: tls(),
  /** Maps a `host:port` that the Cluster or the Sentinels announce to the `{ host, port, servername? }` for this process. */
  natMap: Type.Optional(Type.Unsafe<NatMap>(Type.Refine(Type.Unknown(),
    (value) => isFunction(value) || (typeof value === 'object' && value !== null && Object.values(value).every(isTarget)),
    () => 'a function, or an object of { host, port, servername? } by "host:port"'))),
  /**
   * Resolves the host names of a Cluster's first nodes: `(hostname, callback) => …`.
   * @default `dns.lookup`, and with TLS none, since the certificate is compared with the name
   */
  dnsLookup: Type.Optional(Type.Unsafe<NonNullable<ClusterOptions['dnsLookup']>>(Type.Refine(Type.Unknown(), isFunction, () => 'a function'))),
  /** A client of the app's own, from any version of ioredis, or iovalkey; it stays open when the cache closes. */
  client: Type.Optional(has<Client>('an ioredis client', 'duplicate', 'sendCommand', 'defineCommand')),
  /**
   * Number of connections for entries, chosen by key; only 1 in a Cluster.
   * @default 1
   */
  connections: Type.Integer({ minimum: 1, maximum: 64, default: 1 }),
  /**
   * Prefix of all keys and channels in Redis.
   * @default `cache:`
   */
  keyPrefix: Type.String({ minLength: 1, maxLength: 64, default: 'cache:' }),
  /**
   * Seconds that an entry lives if `set` names no ttl.
   * @default 3600
   */
  defaultTtl: Type.Number({ exclusiveMinimum: 0, maximum: 30 * 24 * 3600, default: 3600 }),
  /**
   * Time limit of one command, in milliseconds.
   * @default 400
   */
  commandTimeoutMs: milliseconds(400),
  /**
   * Time limit of a connection attempt, in milliseconds.
   * @default 1000
   */
  connectTimeoutMs: milliseconds(1000),
  /**
   * Milliseconds without a reply after which a connection is closed, and another node may be found.
   * @default 1000
   */
  socketTimeoutMs: milliseconds(1000),
  /**
   * `strong`: tokens are read from Redis with every read.
   * @default `bounded`: they are remembered while invalidation messages arrive
   */
  consistency: Type.Union([Type.Literal('bounded'), Type.Literal('strong')], { default: 'bounded' }),
  /**
   * Replicas that must acknowledge an invalidation before it is `ok`.
   * @default 0
   */
  waitReplicas: Type.Integer({ minimum: 0, maximum: 16, default: 0 }),
  /**
   * Milliseconds between heartbeats of the invalidation messages; at most half of `heartbeatTimeoutMs`.
   * @default 250
   */
  heartbeatMs: milliseconds(250),
  /**
   * Milliseconds without a heartbeat after which remembered tokens are not relied on.
   * @default 1000
   */
  heartbeatTimeoutMs: milliseconds(1000),
  /**
   * Maximum number of tags whose tokens are remembered in this process.
   * @default 100 000
   */
  maxTags: Type.Integer({ minimum: 1, maximum: 10_000_000, default: 100_000 }),
  /**
   * Converts values to text or bytes.
   * @default JSON
   */
  serializer: Type.Optional(has<Serializer>('an object with serialize and deserialize', 'serialize', 'deserialize')),
  /**
   * Size in bytes from which on values are compressed.
   * @default no compression
   */
  compressAboveBytes: Type.Optional(Type.Integer({ minimum: 0 })),
  /**
   * How values are compressed; `id` of an own one is 128 to 255. Has no effect without `compressAboveBytes`.
   * @default `gzip`
   */
  compression: Type.Optional(Type.Union([
    Type.Literal('gzip'), Type.Literal('brotli'), has<Compression>('an object with id, compress and decompress', 'compress', 'decompress')
  ])),
  /**
   * The largest value in bytes, before and after decompression; a larger one is not stored.
   * @default 8 MiB
   */
  maxValueBytes: Type.Integer({ minimum: 1, maximum: 512 * 1024 * 1024, default: 8 * 1024 * 1024 }),
  /** When calls of Redis are refused without being sent. */
  breaker: Type.Object({
    /**
     * Milliseconds of the sliding window in which calls are counted.
     * @default 10 000
     */
    windowMs: milliseconds(10_000),
    /**
     * Calls in the window below which the breaker never opens.
     * @default 20
     */
    minimumCalls: Type.Integer({ minimum: 1, default: 20 }),
    /**
     * Share of failed calls at which the breaker opens, above 0 and at most 1.
     * @default 0.5
     */
    errorRate: Type.Number({ exclusiveMinimum: 0, maximum: 1, default: 0.5 }),
    /**
     * Milliseconds between probes while it is open.
     * @default 1000
     */
    probeMs: milliseconds(1000)
  }, { additionalProperties: false, default: {} }),
  /**
   * Maximum number of removals that wait for Redis; a full queue becomes one `clear`.
   * @default 10 000
   */
  maxQueuedInvalidations: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 10_000 }),
  /**
   * Milliseconds between health checks.
   * @default 30 000
   */
  healthCheckMs: milliseconds(30_000),
  /** Is called with the tags that any process invalidated, over a pub/sub channel; messages may be lost. */
  onInvalidated: Type.Optional(Type.Unsafe<InvalidationListener>(Type.Refine(Type.Unknown(), isFunction, () => 'a function')))
}, { additionalProperties: false })

/** Options of a `RedisCache`. */
export type RedisCacheOptions = Partial<Omit<Static<typeof schema>, 'breaker'>> & { breaker?: Partial<Static<typeof schema>['breaker']> }

/** The options with their defaults. */
export type RedisCacheSettings = Static<typeof schema>
