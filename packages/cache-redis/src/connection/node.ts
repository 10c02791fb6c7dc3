import { readonly, unserviceable } from '@x/cache-core/implementing'
import type { Redis } from 'ioredis'
import { closeClient, guardSockets } from './client.js'
import { defineScripts } from './commands.js'
import { serverIdentityOf, missingFields } from './server-identity.js'
import { isRefusal, isReply, publicText } from './redis-errors.js'
import { listen } from './shared-listeners.js'
import { Tracker, type TrackerEvents } from '../tracking/tracking.js'

/** The settings of a `Node`, which watches one master: key prefixes, heartbeat, clock and callbacks. */
export interface NodeSettings extends TrackerEvents {
  readonly prefixes: readonly string[]
  /** Whether this process subscribes to the invalidation messages of the master. */
  readonly isTracked: boolean
  readonly heartbeatMs: number
  readonly heartbeatTimeoutMs: number
  readonly now: () => number
  /** Whether no operation of the cache ran in the last five seconds; heartbeats are then sent less often. */
  readonly isIdle: () => boolean
}

/** Milliseconds between two heartbeats of an idle process, which find a lost connection before the next operation needs it. */
const IDLE_BEAT_MS = 5000
/** The longest pause, in milliseconds, between two INFO commands that the server refuses. */
const MAX_PAUSE_MS = 60_000

/** One master: the connection that carries its data, the identity of the server, and its invalidation messages. */
export class Node {
  /** The identity of the Redis server that answers now; `undefined` while it is not known, and for a replica. */
  serverId: string | undefined
  /** The reason why the server identity is not known, if the server itself has reported it. */
  problem: Error | undefined
  readonly redis: Redis
  readonly #settings: NodeSettings
  readonly #changed: () => void
  readonly #stops: readonly (() => void)[]
  /** The tracking of this server; `undefined` while its identity is not known, and for a replica, whose messages prove nothing. */
  #tracker: Tracker | undefined
  #writer: Redis | undefined
  #runId: string | undefined
  /**
   * The server that the tracking connection reports (`runId`), once it was compared with the server of the data connection and found equal.
   */
  #sameRunId: string | undefined
  #connection = 0
  #refusals = 0
  #nextPollAt = -Infinity
  /** The time at which the last INFO command was sent. */
  #askedAt = -Infinity
  /**
   * The first INFO after a pause of the heartbeats, while its reply is pending. During the pause the role of the server may have changed
   * without a message.
   */
  #proof: Promise<void> | undefined

  constructor (redis: Redis, settings: NodeSettings, changed: () => void) {
    this.redis = redis
    this.#settings = settings
    this.#changed = changed
    this.#stops = [
      listen(redis, 'ready', () => { void this.readServerId() }),
      listen(redis, 'close', () => this.#forget())
    ]
    if (redis.status === 'ready') void this.readServerId()
  }

  /**
   * Whether the tracking connection subscribes to the messages of this server, and no reply to a heartbeat has been found missing. A pause
   * of the heartbeats ends `isTrusted`, not `isTracked`.
   */
  get isTracked (): boolean {
    const runId = this.#tracker?.runId
    return runId !== undefined && runId === this.#runId
  }

  /** Whether every invalidation message of this server has arrived, except those since the last heartbeat. */
  get isTrusted (): boolean {
    return this.isTrustedAt(this.#settings.now())
  }

  /** Returns `isTrusted` for the time `now`, for a caller that has already read the clock. */
  isTrustedAt (now: number): boolean {
    const tracker = this.#tracker
    if (tracker === undefined || this.#proof !== undefined || this.#isOverdueAt(now)) return false
    // The texts `runId` of the data connection and the tracking connection are compared once and then remembered as equal, since a near
    // cache calls this function at each read.
    if (tracker.runId !== this.#sameRunId) {
      if (tracker.runId !== this.#runId) return false
      this.#sameRunId = tracker.runId
    }
    return tracker.isAliveAt(now)
  }

  /** The connection for writes that must be followed by WAIT. */
  get writer (): Redis {
    if (this.#writer !== undefined) return this.#writer
    this.#writer = this.redis.duplicate({
      lazyConnect: false,
      enableOfflineQueue: true,
      // Commands are not resent on another connection: the reply to WAIT would not cover the write.
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      connectionName: 'cache-writer',
      disableClientInfo: true,
      retryStrategy: (times: number) => Math.min(50 * times, 500)
    })
    defineScripts(this.#writer)
    guardSockets(this.#writer)
    this.#writer.on('error', () => {
      // Errors of this connection are ignored: each write rejects with its error, and the data connection reports outages.
    })
    return this.#writer
  }

  /** Returns the server identity; sends INFO if it is not known, which also connects a node that was not used before. */
  async identify (): Promise<string | undefined> {
    if (this.serverId === undefined) await this.readServerId()
    return this.serverId
  }

  /** Sends the heartbeat that is due every `heartbeatMs`; in an idle process only every five seconds. */
  tick (isIdle: boolean): void {
    if (!isIdle || this.#settings.now() - this.#askedAt >= IDLE_BEAT_MS) this.#beat()
    else this.#tracker?.restartIfLate()
  }

  /**
   * Sends a heartbeat if none was sent for `heartbeatTimeoutMs`, as in an idle process. Resolves when the server identity was read after
   * that pause; `undefined`: no such reading is pending.
   */
  prove (): Promise<void> | undefined {
    if (this.serverId !== undefined && this.#isOverdueAt(this.#settings.now())) this.#beat()
    return this.#proof
  }

  /** Reads the server identity with INFO: a role can change without a new connection. Never rejects. */
  readServerId (): Promise<void> {
    const now = this.#settings.now()
    const isAfterPause = this.#isOverdueAt(now)
    this.#askedAt = now
    const reading = this.#readServerId()
    if (isAfterPause) {
      const proof = reading.then(() => { if (this.#proof === proof) this.#proof = undefined })
      this.#proof = proof
    }
    return reading
  }

  async #readServerId (): Promise<void> {
    const connection = this.#connection
    let info: string
    try {
      info = String(await this.redis.info('server', 'replication'))
    } catch (error) {
      if (connection !== this.#connection) return
      // Without a reply the server identity is not known, and no entry that depends on it is served.
      this.problem = isReply(error) ? error : undefined
      if (isRefusal(error)) this.#noteRefusal(`Redis refuses INFO (${publicText(error)})`)
      this.#setServerId(undefined)
      return
    }
    if (connection !== this.#connection) return
    const identity = serverIdentityOf(info)
    const missing = missingFields(info)
    if (missing.length > 0) {
      const why = `INFO of the server lacks ${missing.join(' and ')}, without which its restarts and failovers go unnoticed`
      this.problem = unserviceable('health', why)
      this.#noteRefusal(why)
    } else {
      this.problem = identity === undefined ? readonly('health') : undefined
      this.#refusals = 0
    }
    this.#setServerId(identity)
  }

  close (): void {
    // Listeners are removed, since the client may be the app's own and stay open.
    for (const stop of this.#stops) stop()
    this.#forget()
    if (this.#writer !== undefined) closeClient(this.#writer)
  }

  #isOverdueAt (now: number): boolean {
    return now - this.#askedAt > this.#settings.heartbeatTimeoutMs
  }

  /** Sends INFO, unless the pause after a refused INFO has not passed, and PING on the tracking connection, which accepts no INFO. */
  #beat (): void {
    if (this.redis.status === 'ready' && this.#settings.now() >= this.#nextPollAt) void this.readServerId()
    this.#tracker?.beat()
  }

  #forget (): void {
    this.#connection++
    this.problem = undefined
    this.#nextPollAt = -Infinity
    this.#setServerId(undefined)
  }

  #noteRefusal (why: string): void {
    const { heartbeatMs, now, onRefused } = this.#settings
    this.#nextPollAt = now() + Math.min(heartbeatMs * 2 ** this.#refusals++, MAX_PAUSE_MS)
    onRefused(new Error(`${why}; until that ends, the cache is out of service`))
  }

  #setServerId (identity: { runId: string; serverId: string } | undefined): void {
    if (this.serverId === identity?.serverId) return
    this.serverId = identity?.serverId
    this.#runId = identity?.runId
    this.#sameRunId = undefined
    this.#tracker?.close()
    this.#tracker = identity === undefined || !this.#settings.isTracked ? undefined : new Tracker(this.redis, this.#settings)
    this.#changed()
  }
}
