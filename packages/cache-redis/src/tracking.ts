import type { Redis } from 'ioredis'
import { fenceOf } from './fence.js'

/** What a tracker tells. */
export interface TrackerEvents {
  /** Keys under a prefix changed. */
  readonly onInvalidated: (keys: readonly string[]) => void
  /** Messages may have been missed: nothing learned before counts any more. */
  readonly onDoubt: () => void
}

interface TrackerSettings extends TrackerEvents {
  readonly prefixes: readonly string[]
  readonly heartbeatMs: number
  readonly heartbeatTimeoutMs: number
  readonly now: () => number
}

const CHANNEL = '__redis__:invalidate'

/**
 * Redis's own client-side tracking, on a RESP2 connection that redirects to itself: ioredis drops RESP3 pushes, and with
 * two connections a lost subscriber would go unnoticed. The reply to a PING comes after the messages that were due
 * before it, so each answered heartbeat proves that nothing was missed up to its sending.
 */
export class Tracker {
  /** Of the server that it listens to; `undefined` while it does not. */
  runId: string | undefined
  readonly #redis: Redis
  readonly #settings: TrackerSettings
  #provenAt = -Infinity
  #timer: NodeJS.Timeout | undefined
  #isPinging = false
  #isClosed = false

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
      retryStrategy: () => this.#isClosed ? null : settings.heartbeatMs
    })
    this.#redis.on('ready', () => { void this.#arm() })
    this.#redis.on('close', () => this.#doubt())
    this.#redis.on('error', () => {
      // The data connection tells of outages; this one shows as doubt.
    })
    this.#redis.on('messageBuffer', (channel: Buffer, keys: Buffer[] | null) => {
      if (channel.toString() !== CHANNEL) return
      // `null`: FLUSHALL, or a new master's data.
      if (keys === null) settings.onDoubt()
      else settings.onInvalidated(keys.map(String))
    })
    this.#redis.connect().catch(() => {
      // retryStrategy goes on.
    })
  }

  /** Judged as it is asked, not by a timer: after a stalled event loop the answer must be no at once. */
  get isAlive (): boolean {
    return this.runId !== undefined && this.#settings.now() - this.#provenAt <= this.#settings.heartbeatTimeoutMs
  }

  close (): void {
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#doubt()
    this.#redis.disconnect()
  }

  async #arm (): Promise<void> {
    const { prefixes, heartbeatMs, now } = this.#settings
    const sentAt = now()
    try {
      const info = fenceOf(String(await this.#redis.info('server', 'replication')))
      const id = await this.#redis.client('ID')
      await this.#redis.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(id), 'BCAST', ...prefixes.flatMap((prefix) => ['PREFIX', prefix]))
      await this.#redis.subscribe(CHANNEL)
      if (info === undefined || this.#isClosed) return this.#restart()
      this.#provenAt = sentAt
      this.runId = info.runId
      // What was learned before this moment was not watched over.
      this.#settings.onDoubt()
    } catch {
      return this.#restart()
    }
    clearInterval(this.#timer)
    this.#timer = setInterval(() => { void this.#beat() }, heartbeatMs)
    this.#timer.unref()
  }

  async #beat (): Promise<void> {
    const { now, heartbeatTimeoutMs } = this.#settings
    if (now() - this.#provenAt > heartbeatTimeoutMs) return this.#restart()
    if (this.#isPinging) return
    this.#isPinging = true
    const sentAt = now()
    try {
      await this.#redis.ping()
      this.#provenAt = sentAt
    } catch {
      // The connection closed, and doubt with it.
    } finally {
      this.#isPinging = false
    }
  }

  #restart (): void {
    this.#doubt()
    this.#redis.disconnect(!this.#isClosed)
  }

  #doubt (): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#provenAt = -Infinity
    if (this.runId === undefined) return
    this.runId = undefined
    this.#settings.onDoubt()
  }
}
