import { readonly, unserviceable } from '@x/cache-core/implementing'
import type { Redis } from 'ioredis'
import { closeClient } from './client.js'
import { defineScripts } from './commands.js'
import { fenceOf, missingFields } from './server-identity.js'
import { isRefusal, isReply, publicText } from './redis-errors.js'
import { listen } from './shared-listeners.js'
import { Tracker, type TrackerEvents } from '../tracking/tracking.js'

/** What a node needs to know of its cache. */
export interface NodeSettings extends TrackerEvents {
  readonly prefixes: readonly string[]
  /** Whether invalidation messages are wanted. */
  readonly isTracked: boolean
  readonly heartbeatMs: number
  readonly heartbeatTimeoutMs: number
  readonly now: () => number
}

/** The longest pause between two questions that the server refuses to answer. */
const MAX_PAUSE_MS = 60_000

/** One master: the connection that carries its data, what server answers there, and the messages that it sends. */
export class Node {
  /** Of the server that answers now; `undefined` while that is not known, and for a replica. */
  fence: string | undefined
  /** Why the fence is not known, if the server itself is the reason. */
  problem: Error | undefined
  readonly redis: Redis
  readonly #settings: NodeSettings
  readonly #changed: () => void
  readonly #stops: readonly (() => void)[]
  /** Listens while the fence is known: a replica sends nothing that counts. */
  #tracker: Tracker | undefined
  #writer: Redis | undefined
  #runId: string | undefined
  #connection = 0
  #refusals = 0
  #nextPollAt = -Infinity

  constructor (redis: Redis, settings: NodeSettings, changed: () => void) {
    this.redis = redis
    this.#settings = settings
    this.#changed = changed
    this.#stops = [
      listen(redis, 'ready', () => { void this.readFence() }),
      listen(redis, 'close', () => this.#forget())
    ]
    if (redis.status === 'ready') void this.readFence()
  }

  /** Every message of the server that answers here has arrived, but for those of the last heartbeat. */
  get isTrusted (): boolean {
    return this.#tracker !== undefined && this.#tracker.runId === this.#runId && this.#tracker.isAlive
  }

  /** A connection for writes that are waited for. */
  get writer (): Redis {
    if (this.#writer !== undefined) return this.#writer
    this.#writer = this.redis.duplicate({
      lazyConnect: false,
      enableOfflineQueue: true,
      // WAIT that is sent again, on another connection, is answered by replicas that were never told of the write.
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      connectionName: 'cache-writer',
      disableClientInfo: true,
      retryStrategy: (times: number) => Math.min(50 * times, 500)
    })
    defineScripts(this.#writer)
    this.#writer.on('error', () => {
      // Each write tells its caller; outages are told by the data connection.
    })
    return this.#writer
  }

  /** The fence; asks for it if it is not known, which also connects a node that was not needed so far. */
  async identify (): Promise<string | undefined> {
    if (this.fence === undefined) await this.readFence()
    return this.fence
  }

  /** Asks who answers, unless that was refused a moment ago. */
  poll (): void {
    if (this.redis.status === 'ready' && this.#settings.now() >= this.#nextPollAt) void this.readFence()
  }

  /** Asks who answers; a role can change without a new connection. Never rejects. */
  async readFence (): Promise<void> {
    const connection = this.#connection
    let info: string
    try {
      info = String(await this.redis.info('server', 'replication'))
    } catch (error) {
      if (connection !== this.#connection) return
      // Without an answer the fence stays unknown, and nothing that depends on it is served.
      this.problem = isReply(error) ? error : undefined
      if (isRefusal(error)) this.#noteRefusal(`Redis refuses INFO (${publicText(error)})`)
      this.#setFence(undefined)
      return
    }
    if (connection !== this.#connection) return
    const identity = fenceOf(info)
    const missing = missingFields(info)
    if (missing.length > 0) {
      const why = `INFO of the server lacks ${missing.join(' and ')}, without which its restarts and failovers go unnoticed`
      this.problem = unserviceable('health', why)
      this.#noteRefusal(why)
    } else {
      this.problem = identity === undefined ? readonly('health') : undefined
      this.#refusals = 0
    }
    this.#setFence(identity)
  }

  close (): void {
    // The client may be the app's own, and outlive this.
    for (const stop of this.#stops) stop()
    this.#forget()
    if (this.#writer !== undefined) closeClient(this.#writer)
  }

  #forget (): void {
    this.#connection++
    this.problem = undefined
    this.#nextPollAt = -Infinity
    this.#setFence(undefined)
  }

  #noteRefusal (why: string): void {
    const { heartbeatMs, now, onRefused } = this.#settings
    this.#nextPollAt = now() + Math.min(heartbeatMs * 2 ** this.#refusals++, MAX_PAUSE_MS)
    onRefused(new Error(`${why}; until that ends, the cache is out of service`))
  }

  #setFence (identity: { runId: string; fence: string } | undefined): void {
    if (this.fence === identity?.fence) return
    this.fence = identity?.fence
    this.#runId = identity?.runId
    this.#tracker?.close()
    this.#tracker = identity === undefined || !this.#settings.isTracked ? undefined : new Tracker(this.redis, this.#settings)
    this.#changed()
  }
}
