import type { Redis } from 'ioredis'
import { closeClient, guardSockets } from '../connection/client.js'
import { serverIdentityOf } from '../connection/server-identity.js'
import type { Warn } from '../connection/app-callback.js'
import { isRefusal, isReply, publicText } from '../connection/redis-errors.js'

/** The callbacks of a `Tracker`, which receives the messages of Redis about changed keys. */
export interface TrackerEvents {
  /** Called with the names of changed Redis keys that have a tracked prefix. */
  readonly onInvalidated: (keys: readonly string[]) => void
  /** Called when messages about changed keys may have been missed: tokens remembered before are not relied on any more. */
  readonly onDoubt: () => void
  /** Called when the server refuses a command that the cache needs. */
  readonly onRefused: Warn
}

interface TrackerSettings extends TrackerEvents {
  readonly prefixes: readonly string[]
  /** The first pause, in milliseconds, before the tracking connection connects again. */
  readonly heartbeatMs: number
  readonly heartbeatTimeoutMs: number
  readonly now: () => number
}

const CHANNEL = '__redis__:invalidate'
/**
 * The longest pauses between two attempts to start tracking, in milliseconds. After a refusal the pause is longer, since it lasts until an
 * operator ends it, whereas a connection may return at any time.
 */
const MAX_PAUSE_MS = { refused: 60_000, failed: 2000 }

/**
 * Client-side tracking of Redis (CLIENT TRACKING), on a RESP2 connection that redirects to itself. RESP3 is not used, since ioredis drops
 * its push messages. If the messages came on a second connection, the loss of that one would not be noticed. The reply to a PING follows
 * all earlier messages, so that each answered heartbeat proves that no message before it was missed, also after a pause of the heartbeats.
 */
export class Tracker {
  /** The `run_id` of the server that sends the messages about changed keys; `undefined` while tracking is off. */
  runId: string | undefined
  readonly #redis: Redis
  readonly #settings: TrackerSettings
  #provenAt = -Infinity
  /** The time of the PING that has no reply yet; `undefined`: none is pending. */
  #pingedAt: number | undefined
  #isClosed = false
  /** The number of consecutive failed attempts to start tracking; each failure doubles the next pause. */
  #failures = 0
  #maxPauseMs = MAX_PAUSE_MS.failed

  constructor (data: Redis, settings: TrackerSettings) {
    this.#settings = settings
    this.#redis = data.duplicate({
      protocol: 2,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      lazyConnect: true,
      connectionName: 'cache-tracking',
      disableClientInfo: true,
      retryStrategy: () => this.#isClosed ? null : Math.min(settings.heartbeatMs * 2 ** this.#failures++, this.#maxPauseMs)
    })
    guardSockets(this.#redis)
    this.#redis.on('ready', () => { void this.#arm() })
    this.#redis.on('close', () => this.#doubt())
    // Only refusals are reported here, since the data connection reports outages. After other errors of this connection remembered tokens
    // are not relied on.
    this.#redis.on('error', (error) => this.#note(error, 'the connection'))
    this.#redis.on('messageBuffer', (channel: Buffer, keys: unknown) => {
      if (channel.toString() !== CHANNEL) return
      // `null` in place of a list of keys means that all keys may have changed (FLUSHALL, a new master).
      // A message of another form was published by another client, and is ignored.
      if (keys === null) settings.onDoubt()
      else if (Array.isArray(keys)) settings.onInvalidated(keys.map(String))
    })
    this.#redis.connect().catch(() => {
      // The rejection of `connect` is ignored, since the retry strategy of ioredis reconnects.
    })
  }

  /**
   * Whether heartbeats are answered in time. The value is computed on each read, not by a timer: after a stalled event loop it must be
   * `false` at once.
   */
  get isAlive (): boolean {
    return this.isAliveAt(this.#settings.now())
  }

  isAliveAt (now: number): boolean {
    return this.runId !== undefined && now - this.#provenAt <= this.#settings.heartbeatTimeoutMs
  }

  /** Sends a PING unless one is pending; reconnects if the pending PING is late. */
  beat (): void {
    this.restartIfLate()
    if (this.runId !== undefined && this.#pingedAt === undefined) void this.#ping()
  }

  /** Reconnects if a PING has had no reply for `heartbeatTimeoutMs`. */
  restartIfLate (): void {
    const { now, heartbeatTimeoutMs } = this.#settings
    if (this.#pingedAt !== undefined && now() - this.#pingedAt > heartbeatTimeoutMs) this.#restart()
  }

  close (): void {
    this.#isClosed = true
    this.#doubt()
    closeClient(this.#redis)
  }

  async #arm (): Promise<void> {
    const { prefixes, now } = this.#settings
    const sentAt = now()
    let command = 'INFO'
    try {
      const info = serverIdentityOf(String(await this.#redis.info('server', 'replication')))
      command = 'CLIENT ID'
      const id = await this.#redis.client('ID')
      command = 'CLIENT TRACKING'
      await this.#redis.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(id), 'BCAST', ...prefixes.flatMap((prefix) => ['PREFIX', prefix]))
      command = `SUBSCRIBE ${CHANNEL}`
      await this.#redis.subscribe(CHANNEL)
      if (info === undefined || this.#isClosed) return this.#restart()
      this.#provenAt = sentAt
      this.runId = info.runId
      this.#failures = 0
      this.#maxPauseMs = MAX_PAUSE_MS.failed
      // Tokens that were read before tracking began are forgotten, since no messages about them arrive.
      this.#settings.onDoubt()
    } catch (error) {
      this.#note(error, command)
      this.#restart()
    }
  }

  async #ping (): Promise<void> {
    const sentAt = this.#settings.now()
    this.#pingedAt = sentAt
    try {
      await this.#redis.ping()
      this.#provenAt = sentAt
    } catch (error) {
      // Only refusals are reported: other errors close the connection, after which remembered tokens are not relied on.
      this.#note(error, 'PING')
      if (isReply(error)) this.#restart()
    } finally {
      this.#pingedAt = undefined
    }
  }

  /**
   * Reports the error of a command if the server refuses the command; the pauses between attempts to start tracking may then be longer than
   * after other errors, which are not reported.
   */
  #note (error: unknown, command: string): void {
    if (!isRefusal(error) || this.#isClosed) return
    this.#maxPauseMs = MAX_PAUSE_MS.refused
    this.#settings.onRefused(new Error(`Redis refuses ${command} for invalidation messages (${publicText(error)}); until it is allowed, the token of each tag is read from Redis with each use`))
  }

  #restart (): void {
    this.#doubt()
    this.#redis.disconnect(!this.#isClosed)
  }

  #doubt (): void {
    this.#provenAt = -Infinity
    this.#pingedAt = undefined
    if (this.runId === undefined) return
    this.runId = undefined
    this.#settings.onDoubt()
  }
}
