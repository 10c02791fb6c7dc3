import type { Redis } from 'ioredis'
import { defineScripts } from './commands.js'
import { fenceOf } from './fence.js'
import { Tracker, type TrackerEvents } from './tracking.js'

/** What a node needs to know of its cache. */
export interface NodeSettings extends TrackerEvents {
  readonly prefixes: readonly string[]
  readonly heartbeatMs: number
  readonly heartbeatTimeoutMs: number
  readonly now: () => number
}

/** One master: the connection that carries its data, what server answers there, and the messages that it sends. */
export class Node {
  /** Of the server that answers now; `undefined` while that is not known, and for a replica. */
  fence: string | undefined
  readonly redis: Redis
  readonly #settings: NodeSettings
  readonly #changed: () => void
  /** Listens while the fence is known: a replica sends nothing that counts. */
  #tracker: Tracker | undefined
  #writer: Redis | undefined
  #runId: string | undefined
  #connection = 0
  readonly #onReady = (): void => { void this.readFence() }
  readonly #onClose = (): void => {
    this.#connection++
    this.#setFence(undefined)
  }

  constructor (redis: Redis, settings: NodeSettings, changed: () => void) {
    this.redis = redis
    this.#settings = settings
    this.#changed = changed
    redis.on('ready', this.#onReady)
    redis.on('close', this.#onClose)
    if (redis.status === 'ready') void this.readFence()
  }

  /** Every message of the server that answers here has arrived, but for those of the last heartbeat. */
  get isTrusted (): boolean {
    return this.#tracker !== undefined && this.#tracker.runId === this.#runId && this.#tracker.isAlive
  }

  /** A connection for writes that are waited for. */
  get writer (): Redis {
    if (this.#writer !== undefined) return this.#writer
    this.#writer = this.redis.duplicate({ lazyConnect: false, enableOfflineQueue: true, connectionName: 'cache-writer', retryStrategy: (times: number) => Math.min(50 * times, 500) })
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

  /** Asks who answers; a role can change without a new connection. Never rejects. */
  async readFence (): Promise<void> {
    const connection = this.#connection
    let info: string
    try {
      info = String(await this.redis.info('server', 'replication'))
    } catch {
      // Without an answer the fence stays unknown, and nothing that depends on it is served.
      if (connection === this.#connection) this.#setFence(undefined)
      return
    }
    if (connection === this.#connection) this.#setFence(fenceOf(info))
  }

  close (): void {
    // The client may be the app's own, and outlive this.
    this.redis.off('ready', this.#onReady)
    this.redis.off('close', this.#onClose)
    this.#onClose()
    this.#writer?.disconnect()
  }

  #setFence (identity: { runId: string; fence: string } | undefined): void {
    if (this.fence === identity?.fence) return
    this.fence = identity?.fence
    this.#runId = identity?.runId
    this.#tracker?.close()
    this.#tracker = identity === undefined ? undefined : new Tracker(this.redis, this.#settings)
    this.#changed()
  }
}
