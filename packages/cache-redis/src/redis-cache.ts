import type { Cache, CacheError, Entry, Lock, LockOptions, ReadHint, Result, SetItem, SetOptions, TagSnapshot, Tags } from '@x/cache-core'
import {
  checkKey, checkKeys, checkLockOptions, checkLockTtl, checkSetOptions, checkTags, checkValue, DONE, err, MAX_TTL, MISS, ok,
  STORED_NULL, type CacheLeases, type ImplementationStatus, type Lease, type LeaseOptions
} from '@x/cache-core/implementing'
import { monotonicClock } from '@x/cache-core/suite'
import type { Socket } from 'node:net'
import { Announcer } from './tracking/announcer.js'
import type { Captured } from './entries/birthplace.js'
import { brotliCompression, Codec, gzipCompression, jsonSerializer, type Serialised } from './entries/codec.js'
import type { Client } from './connection/client.js'
import { connect, type Clients } from './connection/connect.js'
import { Connection } from './connection/connection.js'
import { Entries, type Found, type Wish } from './entries/entry-store.js'
import { guard, type Warn } from './connection/guard.js'
import { Health, type HealthReport } from './service/health.js'
import type { Removal } from './service/invalidation-queue.js'
import { Keys } from './entries/keys.js'
import { Leases, RedisLease } from './entries/leases.js'
import { RedisLocks } from './locks/lock.js'
import { resolveRedisOptions, type RedisCacheOptions, type RedisCacheSettings } from './options.js'
import { isReply } from './connection/redis-errors.js'
import { Service } from './service/service.js'
import { Subscriber } from './connection/subscriber.js'
import { GENERATION, RedisSnapshot, tokensOf, TagTokens } from './tags/tag-tokens.js'

/** What `GET /internal/cache` shows of Redis beside the rest. */
export interface RedisStatus extends ImplementationStatus {
  degraded: boolean
  mode: RedisCacheSettings['mode']
  breaker: 'closed' | 'half-open' | 'open'
  /** Removals that wait for Redis. */
  queuedInvalidations: number
  /** `trusted`: remembered tokens are relied on; `in doubt`: each is asked for. */
  tracking: 'trusted' | 'in doubt' | 'off'
  health: HealthReport | undefined
  /** Why Redis is out of service although it answers, as the last probe found it; names no credentials. */
  problem: string | undefined
}

/** What a `RedisCache` tells who looks after it. A throw or a rejection of these functions is told once, by `onWarning`, and harms nobody. */
export interface RedisCacheEvents {
  /** Something in `status()` changed. */
  onChange?: (status: RedisStatus) => void
  /** `getMany` came upon an entry that cannot be read, and answered a miss for it; or a token that another wrote was replaced. */
  onCorrupt?: (error: CacheError) => void
  /** Redis acknowledged a removal that had waited for it (`queued: true`). */
  onReplayed?: (removal: Removal) => void
  /** The connection failed; the message names host and port, never credentials. */
  onError?: (error: Error) => void
  /** Something that was asked for is not done for a lasting reason; told once. The message says what to do, and names no credentials. */
  onWarning?: (warning: Error) => void
}

const NO_WISH: Wish = { tags: [], wantsTime: false }

/** The contract on Redis 7 or newer: single, Cluster, Sentinel. Throws on bad options; after that never. */
export class RedisCache implements Cache {
  readonly name = 'redis'
  readonly tags: Tags
  readonly leases: CacheLeases
  readonly #settings: RedisCacheSettings
  readonly #clients: Clients
  readonly #lanes: readonly Client[]
  readonly #connection: Connection
  readonly #tokens: TagTokens
  readonly #entries: Entries
  readonly #codec: Codec
  readonly #leases: Leases
  readonly #service: Service
  readonly #locks: RedisLocks
  readonly #subscriber: Subscriber
  readonly #announcer: Announcer | undefined
  readonly #health: Health
  /** The last write of each key that is under way; resolves when it has ended, whichever way. */
  readonly #writes = new Map<string, Promise<void>>()
  /** What Redis says of the generation, while the question has not left. */
  #generation: Promise<Captured | undefined> | undefined
  readonly #onChange: (status: RedisStatus) => void
  readonly #onCorrupt: (error: CacheError) => void
  readonly #warn: Warn
  #tracking: RedisStatus['tracking'] = 'in doubt'

  constructor (options: RedisCacheOptions = {}, events: RedisCacheEvents = {}) {
    const settings = resolveRedisOptions(options)
    const now = (): number => monotonicClock.now()
    const keys = new Keys(settings.keyPrefix)
    this.#settings = settings
    const warn = guard('onWarning', events.onWarning, () => {})
    this.#warn = warn
    this.#onChange = guard('onChange', events.onChange, warn)
    this.#onCorrupt = guard('onCorrupt', events.onCorrupt, warn)
    this.#clients = connect(settings, warn)
    this.#lanes = this.#clients.lanes
    this.#connection = new Connection(this.#lanes[0]!, {
      isTracked: settings.consistency !== 'strong',
      prefixes: [keys.generation, keys.tags],
      heartbeatMs: settings.heartbeatMs,
      heartbeatTimeoutMs: settings.heartbeatTimeoutMs,
      now,
      onInvalidated: (changed) => this.#tokens.forgetKeys(changed),
      onDoubt: () => {
        this.#tokens.forgetAll()
        this.#noteTracking()
      }
    }, {
      onChange: () => {
        this.#service.hope()
        this.#noteTracking()
      },
      onError: guard('onError', events.onError, warn),
      onRefused: warn
    })
    this.#tokens = new TagTokens(this.#connection, keys, {
      maxTags: settings.maxTags,
      isStrong: settings.consistency === 'strong',
      waitReplicas: settings.waitReplicas,
      waitMs: settings.commandTimeoutMs / 2,
      now,
      onForeign: this.#onCorrupt
    })
    this.#codec = new Codec({
      serializer: settings.serializer ?? jsonSerializer,
      compressAboveBytes: settings.compressAboveBytes ?? Infinity,
      compression: settings.compression === 'brotli' ? brotliCompression : typeof settings.compression === 'object' ? settings.compression : gzipCompression,
      maxValueBytes: settings.maxValueBytes,
      limitMs: settings.commandTimeoutMs / 2
    })
    this.#entries = new Entries(this.#connection, keys, this.#tokens, this.#codec, (name) => this.#lane(name))
    this.#leases = new Leases({
      connection: this.#connection,
      tokens: this.#tokens,
      entries: this.#entries,
      dataFor: (name) => this.#lane(name),
      isPlainJson: (settings.serializer ?? jsonSerializer) === jsonSerializer
    })
    this.#service = new Service({
      commandTimeoutMs: settings.commandTimeoutMs,
      breaker: settings.breaker,
      maxQueued: settings.maxQueuedInvalidations,
      now
    }, {
      ping: () => this.#ping(),
      applyHere: (removal) => this.#applyHere(removal),
      send: (removal) => this.#send(removal),
      replayed: guard('onReplayed', events.onReplayed, warn),
      changed: () => this.#onChange(this.status())
    })
    this.#subscriber = new Subscriber(this.#lanes[0]!)
    this.#locks = new RedisLocks(this.#lanes[0]!, keys, this.#service, this.#subscriber)
    this.#announcer = settings.onInvalidated === undefined
      ? undefined
      : new Announcer(this.#lanes[0]!, this.#subscriber, keys.channel, settings.onInvalidated, warn)
    this.#health = new Health(settings.healthCheckMs, async () => (await this.#service.run('health', () => this.#ping())).ok)
    this.tags = {
      capture: (tags) => this.#capture(tags),
      isCurrent: (snapshot) => this.#areTagsCurrent(snapshot),
      invalidate: (tags, options) => this.#invalidate(typeof tags === 'string' ? [tags] : tags, options?.soft === true)
    }
    this.leases = {
      take: (key, options) => this.#takeLease(key, options),
      isCurrent: (lease) => this.#isCurrent(lease),
      release: (lease) => this.#releaseLease(lease)
    }
  }

  /** Resolves when Redis is in service, or after `ms` at the latest; whether it is. */
  async ready (ms = this.#settings.connectTimeoutMs): Promise<boolean> {
    const end = performance.now() + ms
    while (!this.#service.isUp && performance.now() < end) {
      this.#service.hope()
      await new Promise((resolve) => { setTimeout(resolve, 10) })
    }
    return this.#service.isUp
  }

  status (): RedisStatus {
    return {
      degraded: !this.#service.isUp,
      mode: this.#settings.mode,
      breaker: this.#service.breakerState,
      queuedInvalidations: this.#service.queued,
      tracking: this.#tracking,
      health: this.#health.last,
      problem: this.#service.problem?.message
    }
  }

  get<T> (key: string): Promise<Result<T | null>> {
    const error = checkKey(key)
    if (error !== undefined) return Promise.resolve(err(error))
    return this.#service.run<Found | null, Result<T | null>>('get', () => this.#entries.find(key, NO_WISH), fresh)
  }

  async getEntry<T> (key: string, hint: ReadHint = {}): Promise<Result<Entry<T> | null>> {
    const error = checkKey(key) ?? (hint.tags === undefined ? undefined : checkTags(hint.tags))
    if (error !== undefined) return err(error)
    const wish = { tags: hint.tags ?? [], wantsTime: hint.stale !== false }
    return this.#service.run('getEntry', () => this.#entries.find(key, wish), (found) => found === null ? MISS : ok(toEntry<T>(found)))
  }

  async getMany<T> (keys: string[]): Promise<Result<(T | null)[]>> {
    const error = checkKeys(keys)
    if (error !== undefined) return err(error)
    const result = await this.#service.run('getMany', () => this.#entries.findMany(keys))
    if (!result.ok) return result
    const values: (T | null)[] = []
    for (const found of result.value) {
      // One entry that cannot be read is a miss of its own; it must not take the others along.
      if (found instanceof Error) this.#onCorrupt(found)
      values.push(found === null || found instanceof Error || found.isStale ? null : found.decoded.value as T)
    }
    return ok(values)
  }

  async set (key: string, value: unknown, ttl?: number | SetOptions): Promise<Result<void>> {
    const options: SetOptions = typeof ttl === 'object' ? ttl : { ttl }
    const error = checkSet(key, value, options)
    if (error !== undefined) return err(error)
    if (options.ttl === 0) return this.del(key)
    const serialised = this.#codec.serialise(value)
    if (serialised instanceof Error) return err(serialised)
    // Nothing says what another cache's snapshot has seen: one is left over when this cache came into service during a load.
    if (options.snapshot !== undefined && !(options.snapshot instanceof RedisSnapshot)) return DONE
    return this.#store(key, serialised, options)
  }

  async setMany (items: SetItem[]): Promise<Result<void>> {
    if (!Array.isArray(items)) return err(checkKeys(items)!)
    // Only the last of several with one key is sent: in a Cluster, what is sent first need not arrive first.
    const last = new Map(items.map((item) => [item?.key, item]))
    const results = await Promise.all(items.map((item) => {
      if (last.get(item?.key) === item) return this.set(item?.key, item?.value, item?.options)
      const error = checkSet(item?.key, item?.value, item?.options ?? {})
      return error === undefined ? DONE : err(error)
    }))
    return results.find((result) => !result.ok) ?? DONE
  }

  async del (key: string): Promise<Result<void>> {
    const error = checkKey(key)
    return error === undefined ? this.#service.remove('del', [{ kind: 'del', name: key }]) : err(error)
  }

  async delMany (keys: string[]): Promise<Result<void>> {
    const error = checkKeys(keys)
    return error === undefined ? this.#service.remove('delMany', keys.map((name) => ({ kind: 'del', name }))) : err(error)
  }

  async lock (key: string, options: LockOptions): Promise<Result<Lock | null>> {
    const error = checkKey(key) ?? checkLockOptions(options)
    return error === undefined ? this.#locks.acquire(key, options) : err(error)
  }

  async clear (): Promise<Result<void>> {
    return this.#service.remove('clear', [{ kind: 'clear' }])
  }

  async health (): Promise<Result<void>> {
    const result = await this.#service.run('health', () => this.#ping())
    return result.ok ? DONE : result
  }

  /** Closes what it opened. Removals that wait are tried once more; what Redis still does not take is announced by `onLost`. */
  async close (onLost: (removals: number) => void = () => {}): Promise<void> {
    this.#health.close()
    this.#locks.close()
    const lost = await this.#service.close()
    if (lost > 0) guard('onLost', onLost, this.#warn)(lost)
    this.#announcer?.close()
    this.#subscriber.close()
    this.#connection.close()
    this.#clients.close()
  }

  #store (key: string, serialised: Serialised, options: SetOptions): Promise<Result<void>> {
    const calledAt = monotonicClock.now()
    return this.#service.run('set', () => this.#inOrder(key, async () => {
      // Its caller has been told that it failed, and other processes may have written since.
      if (monotonicClock.now() - calledAt >= this.#settings.commandTimeoutMs) throw new Error('the time for the store was over before its turn came')
      // What was loaded belongs to the generation of its snapshot; a Cluster is asked before.
      const known = options.snapshot === undefined && !this.#connection.isCluster ? this.#tokens.remembered(GENERATION) : undefined
      if (known === undefined) return this.#write(key, serialised, options)
      // As for `del`: the generation that is remembered may be over, without the message being here yet.
      const [current] = await Promise.all([this.#askGeneration(), this.#write(key, serialised, options)])
      if (current === undefined || (current.token === known.token && current.fence === known.fence)) return
      await this.#write(key, serialised, options)
    }))
  }

  /** One question for all who ask before it leaves. */
  #askGeneration (): Promise<Captured | undefined> {
    if (this.#generation === undefined) {
      process.nextTick(() => { this.#generation = undefined })
      sendTogether(this.#lanes[0]!)
      this.#generation = this.#tokens.ask(GENERATION)
    }
    return this.#generation
  }

  async #write (key: string, serialised: Serialised, options: SetOptions): Promise<void> {
    const ttlMs = Math.max(1, Math.round(Math.min(options.ttl ?? this.#settings.defaultTtl, MAX_TTL) * 1000))
    const windowMs = Math.round(Math.min(Math.max(options.staleWhileRevalidate ?? 0, options.staleIfError ?? 0), MAX_TTL) * 1000)
    const lifetimeMs = ttlMs + windowMs
    const tokens = await this.#tokensFor(options, lifetimeMs)
    const generation = tokens.get(GENERATION)!
    const tags = [...tokens].filter(([tag]) => tag !== GENERATION).map(([tag, captured]) => ({ tag, ...captured }))
    const name = this.#entries.nameOf(generation, key)
    const encode = (ownFence: string | undefined): Promise<Buffer | string> => this.#codec.encode(serialised, { ttlMs, windowMs, ownFence, tags })
    const { snapshot } = options
    const leased = snapshot instanceof RedisLease && snapshot.slot.name === name ? snapshot : undefined
    // Side by side: a token that ends before its entry makes it a miss.
    await Promise.all([
      leased === undefined ? this.#entries.write(name, generation, lifetimeMs, encode) : this.#leases.store(leased, lifetimeMs, encode),
      this.#tokens.extend(tokens, lifetimeMs)
    ])
  }

  /**
   * Writes of one key, one after the other. A value that has to be compressed, or whose tokens are asked for, is sent later than
   * one that was set after it; in a Cluster a command that was redirected, or sent again after a failover, arrives later.
   */
  #inOrder<T> (key: string, write: () => Promise<T>): Promise<T> {
    const before = this.#writes.get(key)
    const written = before === undefined ? write() : before.then(write)
    const end = (): void => { if (this.#writes.get(key) === ended) this.#writes.delete(key) }
    const ended = written.then(end, end)
    this.#writes.set(key, ended)
    return written
  }

  async #tokensFor ({ tags, snapshot }: SetOptions, lifetimeMs: number): Promise<Map<string, Captured>> {
    if (!(snapshot instanceof RedisSnapshot)) return this.#tokens.captureForSet(tags ?? [], lifetimeMs)
    const tokens = new Map([[GENERATION, snapshot.generation]])
    const missing: string[] = []
    for (const tag of tags ?? snapshot.tags.keys()) {
      const captured = snapshot.tags.get(tag)
      if (captured === undefined) missing.push(tag)
      else tokens.set(tag, captured)
    }
    if (missing.length > 0) for (const each of await this.#tokens.capture(missing, lifetimeMs)) tokens.set(...each)
    return tokens
  }

  async #capture (tags: string[]): Promise<Result<TagSnapshot>> {
    const error = checkTags(tags)
    if (error !== undefined) return err(error)
    return this.#service.run('tags.capture', async () => {
      const tokens = await this.#tokens.capture([GENERATION, ...tags], this.#settings.defaultTtl * 1000)
      const generation = tokens.get(GENERATION)!
      tokens.delete(GENERATION)
      return new RedisSnapshot(generation, tokens)
    })
  }

  async #areTagsCurrent (snapshot: TagSnapshot): Promise<Result<boolean>> {
    if (!(snapshot instanceof RedisSnapshot)) return ok(false)
    return this.#service.run('tags.isCurrent', () => this.#tokens.areCurrent(tokensOf(snapshot)))
  }

  async #takeLease (key: string, options: LeaseOptions): Promise<Result<Lease>> {
    const error = checkKey(key) ?? checkLockTtl(options?.ttl) ?? checkTags(options.tags ?? [])
    if (error !== undefined) return err(error)
    const { tags = [], ttl } = options
    return this.#service.run('leases.take', () => this.#leases.take(key, tags, this.#settings.defaultTtl * 1000, ttl * 1000))
  }

  async #isCurrent (lease: Lease): Promise<Result<boolean>> {
    if (!(lease instanceof RedisLease)) return ok(false)
    return this.#service.run('leases.isCurrent', () => this.#leases.isCurrent(lease))
  }

  async #releaseLease (lease: Lease): Promise<Result<void>> {
    if (!(lease instanceof RedisLease)) return DONE
    return this.#service.run('leases.release', () => this.#leases.release(lease))
  }

  async #invalidate (tags: string[], soft: boolean): Promise<Result<void>> {
    const error = checkTags(tags)
    if (error !== undefined) return err(error)
    const result = await this.#service.remove('tags.invalidate', tags.map((name) => ({ kind: soft ? 'soft' : 'tag', name })))
    if (result.ok) this.#announcer?.announce(tags, soft)
    return result
  }

  #applyHere (removal: Removal): void {
    if (removal.kind === 'clear') this.#tokens.forget([GENERATION])
    else if (removal.kind !== 'del') this.#tokens.forget([removal.name])
  }

  async #send (removal: Removal): Promise<void> {
    switch (removal.kind) {
      case 'tag': return this.#tokens.invalidate(removal.name)
      case 'soft': return this.#tokens.soften(removal.name)
      case 'clear': return this.#tokens.invalidate(GENERATION)
      case 'del': return this.#inOrder(removal.name, () => this.#entries.remove(removal.name))
    }
  }

  async #ping (): Promise<void> {
    try {
      await this.#lanes[0]!.ping()
    } catch (error) {
      // A client that is not connected says no more than that; the connection knows why.
      throw isReply(error) ? error : this.#connection.failure ?? error
    }
    const { problem } = this.#connection
    if (problem !== undefined) throw problem
  }

  #noteTracking (): void {
    const nodes = [...this.#connection.nodes].filter(({ fence }) => fence !== undefined)
    const tracking = this.#settings.consistency === 'strong' ? 'off' : nodes.length > 0 && nodes.every(({ isTrusted }) => isTrusted) ? 'trusted' : 'in doubt'
    if (tracking === this.#tracking) return
    this.#tracking = tracking
    this.#onChange(this.status())
  }

  #lane (name: string): Client {
    const lane = this.#lanes.length === 1 ? this.#lanes[0]! : this.#lanes[hashOf(name) % this.#lanes.length]!
    sendTogether(lane)
    return lane
  }
}

function hashOf (name: string): number {
  let hash = 0
  for (let at = 0; at < name.length; at++) hash = (Math.imul(hash, 31) + name.charCodeAt(at)) | 0
  return hash >>> 0
}

/**
 * All commands until the next tick leave in one system call, which costs more than all the rest of a command. Unlike a
 * pipeline it holds up nobody: a single command leaves at the end of its own tick.
 */
function sendTogether (client: Client): void {
  const { stream } = client as { stream?: Socket }
  if (stream === undefined || stream === null || stream.writableCorked > 0) return
  stream.cork()
  process.nextTick(() => stream.uncork())
}

function fresh<T> (found: Found | null): Result<T | null> {
  if (found === null || found.isStale) return MISS
  const { value } = found.decoded
  return value === null ? STORED_NULL : ok(value as T)
}

function toEntry<T> ({ decoded, isStale, leftMs }: Found): Entry<T> {
  // Another may have given it more time than it was stored for, or no end.
  const longestMs = decoded.ttlMs === undefined ? MAX_TTL * 1000 : decoded.ttlMs + decoded.windowMs
  const staleLeft = leftMs === undefined ? Infinity : (leftMs < 0 ? longestMs : Math.min(leftMs, longestMs)) / 1000
  const ttlLeft = staleLeft - decoded.windowMs / 1000
  return {
    value: decoded.value as T,
    fresh: !isStale,
    // Plain JSON does not tell when it was stored.
    age: decoded.ttlMs === undefined ? NaN : Math.max(0, decoded.ttlMs / 1000 - ttlLeft),
    ttlLeft: isStale ? Math.min(ttlLeft, 0) : ttlLeft,
    staleLeft,
    tags: decoded.tags.map(({ tag }) => tag)
  }
}

function checkSet (key: string, value: unknown, options: SetOptions): CacheError | undefined {
  return checkKey(key) ?? checkValue(value) ?? checkSetOptions(options)
}
