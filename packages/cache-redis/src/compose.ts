import { monotonicClock } from '@x/cache-core/suite'
import { RedisAdviceStore } from './advice/redis-advice-store.js'
import { modeOf } from './connection/client.js'
import { connect } from './connection/connect.js'
import { Connection } from './connection/connection.js'
import { guard, type Warn } from './connection/app-callback.js'
import { Lanes } from './connection/lanes.js'
import { ping } from './connection/ping.js'
import { Subscriber } from './connection/subscriber.js'
import { brotliCompression, Codec, gzipCompression } from './entries/codec.js'
import { Entries } from './entries/entry-store.js'
import { EntryTouch } from './entries/entry-touch.js'
import { EntryWriter } from './entries/entry-writer.js'
import { Keys } from './entries/keys.js'
import { Leases } from './entries/leases.js'
import { Validity } from './entries/validity.js'
import { isTextual, serializerOf } from './entries/serializers.js'
import { NearCache } from './near/near-cache.js'
import { RedisLocks } from './locks/lock.js'
import type { RedisCacheOptions, RedisCacheSettings } from './options.js'
import { resolveRedisOptions } from './resolve-options.js'
import { RedisRolloutStore, type RolloutStoreParts } from './rollout/redis-rollout-store.js'
import { Activity } from './service/activity.js'
import { Health } from './service/health.js'
import { applyHere, sendRemoval } from './service/removals.js'
import { Service } from './service/service.js'
import type { RedisCacheEvents, RedisStatus } from './status.js'
import { TagTokens } from './tags/tag-tokens.js'
import { Announcer } from './tracking/announcer.js'
import { TrackingState } from './tracking/tracking-state.js'

/** The connected objects of which a `RedisCache` consists. */
export interface RedisParts extends Storage {
  readonly settings: RedisCacheSettings
  readonly service: Service
  readonly locks: RedisLocks
  readonly announcer: Announcer | undefined
  readonly onCorrupt: NonNullable<RedisCacheEvents['onCorrupt']>
  readonly warn: Warn
  readonly status: () => RedisStatus
  readonly rolloutStore: RedisRolloutStore
  readonly adviceStore: RedisAdviceStore
  /** Ends the timers and connections of the cache; `onLost` gets the number of removals that Redis has not acknowledged. */
  readonly close: (onLost: (removals: number) => void) => Promise<void>
}

/** The objects that read and write entries in Redis. */
interface Storage {
  readonly tokens: TagTokens
  readonly validity: Validity
  readonly codec: Codec
  readonly near: NearCache | undefined
  readonly entries: Entries
  readonly leases: Leases
  readonly writer: EntryWriter
}

const now = (): number => monotonicClock.now()
const coarseNow = (): number => monotonicClock.coarse!()

/**
 * Makes the parts of a `RedisCache`, such as its connection, its entries and its near cache, and begins to connect.
 * @throws `CACHE_ERR_OPTION_INVALID`
 */
export function compose (options: RedisCacheOptions, events: RedisCacheEvents): RedisParts {
  const settings = resolveRedisOptions(options)
  const keys = new Keys(settings.keyPrefix)
  const warn = guard('onWarning', events.onWarning, () => {})
  const onChange = guard('onChange', events.onChange, warn)
  const onCorrupt = guard('onCorrupt', events.onCorrupt, warn)
  const { isIdle } = new Activity(() => service.isUp ? service.operations + (storage.near?.status.hits ?? 0) : undefined, now)
  const clients = connect(settings, isIdle, warn)
  const lanes = new Lanes(clients.lanes, warn, now)
  const tracking = new TrackingState(settings.consistency === 'strong', () => onChange(status()))
  const connection = new Connection(lanes.first, {
    isTracked: settings.consistency !== 'strong',
    prefixes: settings.near === undefined ? [keys.generation, keys.tags] : [keys.generation, keys.tags, keys.entries],
    heartbeatMs: settings.heartbeatMs,
    heartbeatTimeoutMs: settings.heartbeatTimeoutMs,
    now,
    isIdle,
    onInvalidated: (changed) => {
      storage.tokens.forgetKeys(changed)
      storage.near?.forgetNames(changed)
    },
    onDoubt: () => {
      storage.tokens.forgetAll()
      storage.near?.clear()
      tracking.note(connection.nodes)
    }
  }, {
    onChange: () => {
      service.probeNow()
      tracking.note(connection.nodes)
    },
    onError: guard('onError', events.onError, warn),
    onRefused: warn
  })
  const storage = composeStorage(settings, connection, lanes, keys, onCorrupt)
  const { commandTimeoutMs, breaker, maxQueuedInvalidations: maxQueued } = settings
  const service = new Service({ commandTimeoutMs, breaker, maxQueued, now }, {
    ping: () => ping(connection),
    applyHere: (removal) => applyHere(removal, storage.tokens, storage.near),
    send: (removal) => sendRemoval(removal, storage.tokens, storage.writer),
    replayed: guard('onReplayed', events.onReplayed, warn),
    changed: () => {
      // Copies of the near cache are removed when Redis goes out of service, since messages about invalidations by other processes may be
      // lost until it is back.
      if (service.breakerState !== 'closed') storage.near?.clear()
      onChange(status())
    }
  })
  const subscriber = new Subscriber(lanes.first)
  const locks = new RedisLocks(lanes.first, keys, service, subscriber)
  const announcer = settings.onInvalidated && new Announcer(lanes.first, subscriber, keys.channel, settings.onInvalidated, warn)
  const health = new Health(settings.healthCheckMs, async () => (await service.check()).ok)
  const status = (): RedisStatus => statusOf(connection, service, tracking, health, storage.near)
  const stores = composeStores({ client: lanes.first, subscriber, commandTimeoutMs, warn }, keys)
  const close = async (onLost: (removals: number) => void): Promise<void> => {
    for (const part of [health, locks]) part.close()
    const lost = await service.close()
    if (lost > 0) guard('onLost', onLost, warn)(lost)
    for (const part of [announcer, stores.rolloutStore, stores.adviceStore, subscriber, connection, clients]) part?.close()
  }
  return { ...storage, settings, service, locks, announcer, onCorrupt, warn, status, ...stores, close }
}

function composeStores (parts: Omit<RolloutStoreParts, 'keys'>, keys: Keys): Pick<RedisParts, 'rolloutStore' | 'adviceStore'> {
  return {
    rolloutStore: new RedisRolloutStore({ ...parts, keys: keys.rollout }),
    adviceStore: new RedisAdviceStore(parts.client, keys.advice, parts.commandTimeoutMs)
  }
}

function composeStorage (settings: RedisCacheSettings, connection: Connection, lanes: Lanes, keys: Keys, onForeign: RedisParts['onCorrupt']): Storage {
  const { commandTimeoutMs, compression, consistency, defaultTtl, maxTags, maxValueBytes, waitReplicas } = settings
  const serializer = serializerOf(settings.serializer)
  const tokens = new TagTokens(connection, keys, {
    maxTags,
    isStrong: consistency === 'strong',
    waitReplicas,
    waitMs: commandTimeoutMs / 2,
    now,
    onForeign
  })
  const validity = new Validity(tokens)
  const near = settings.near === undefined
    ? undefined
    : new NearCache(settings.near, {
      connection, keys, tokens, serializer, ageBoundMs: settings.heartbeatTimeoutMs, now: coarseNow
    })
  const codec = new Codec({
    serializer,
    compressAboveBytes: settings.compressAboveBytes ?? Infinity,
    compression: compression === 'brotli' ? brotliCompression : typeof compression === 'object' ? compression : gzipCompression,
    maxValueBytes,
    limitMs: commandTimeoutMs / 2
  })
  const dataFor = lanes.of.bind(lanes)
  const entries = new Entries({ connection, keys, tokens, validity, codec, near, dataFor, read: lanes.read.bind(lanes) })
  const leases = new Leases({ connection, tokens, validity, entries, dataFor, isTextual: isTextual(serializer) })
  const lifetimes = new EntryTouch({ connection, tokens, validity, entries, dataFor })
  const writer = new EntryWriter({ connection, tokens, entries, leases, codec, lifetimes, near, defaultTtl, commandTimeoutMs, now })
  return { tokens, validity, codec, near, entries, leases, writer }
}

function statusOf (connection: Connection, service: Service, tracking: TrackingState, health: Health, near?: NearCache): RedisStatus {
  return {
    degraded: !service.isUp,
    mode: modeOf(connection.client),
    breaker: service.breakerState,
    queuedInvalidations: service.queued,
    tracking: tracking.value,
    health: health.last,
    problem: service.problem?.message,
    ...near === undefined ? {} : { near: near.status }
  }
}
