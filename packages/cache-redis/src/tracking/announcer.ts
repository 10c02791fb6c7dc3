import { randomUUID } from 'node:crypto'
import { checkTags } from '@x/cache-core/implementing'
import type { Client } from '../connection/client.js'
import { guard, type Warn } from '../connection/guard.js'
import { isRefusal, publicText } from '../connection/redis-errors.js'
import { listen } from '../connection/shared-listeners.js'
import type { Subscriber } from '../connection/subscriber.js'

/**
 * Tags that some process invalidated, and whether they were only made stale. A throw or a rejection is told once
 * and goes no further; nothing waits for a promise.
 */
export type InvalidationListener = (tags: readonly string[], soft: boolean) => void

/** Pauses between attempts to subscribe: the first, and the longest, to which they double. */
const RETRY_MS = { first: 250, longest: 60_000 }

/**
 * Tells every process of invalidations, for apps that keep state of their own. A message may be lost: the cache's own
 * correctness never rests on it.
 */
export class Announcer {
  readonly #client: Client
  readonly #subscriber: Subscriber
  readonly #channel: string
  readonly #listener: InvalidationListener
  readonly #warn: Warn
  readonly #id = randomUUID()
  readonly #refused = new Set<string>()
  readonly #stop: () => void
  #timer: NodeJS.Timeout | undefined
  #pauseMs = RETRY_MS.first
  #isClosed = false

  constructor (client: Client, subscriber: Subscriber, channel: string, listener: InvalidationListener, warn: Warn) {
    this.#client = client
    this.#subscriber = subscriber
    this.#channel = channel
    this.#listener = guard('onInvalidated', listener, warn)
    this.#warn = warn
    // A Cluster knows no node before; and a connection that is back need not wait for the pause to end.
    this.#stop = listen(client, 'ready', () => {
      if (this.#timer !== undefined) void this.#listen()
    })
    void this.#listen()
  }

  /** Announces; this process hears it at once. Never rejects. */
  announce (tags: readonly string[], soft: boolean): void {
    this.#listener(tags, soft)
    // Best effort by contract.
    this.#client.publish(this.#channel, JSON.stringify({ from: this.#id, tags, soft })).catch((error: unknown) => this.#note('PUBLISH', error))
  }

  close (): void {
    this.#isClosed = true
    this.#stop()
    clearTimeout(this.#timer)
  }

  /** Once it is subscribed, the connection subscribes again by itself. */
  async #listen (): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    try {
      await this.#subscriber.listen(this.#channel, (message) => this.#receive(message))
    } catch (error) {
      if (this.#isClosed) return
      this.#note('SUBSCRIBE', error)
      this.#timer = setTimeout(() => { void this.#listen() }, this.#pauseMs)
      this.#timer.unref()
      this.#pauseMs = Math.min(this.#pauseMs * 2, isRefusal(error) ? RETRY_MS.longest : RETRY_MS.first * 8)
    }
  }

  #receive (message: string): void {
    let parsed: { from?: unknown; tags?: unknown; soft?: unknown } | null
    try {
      parsed = JSON.parse(message) as typeof parsed
    } catch {
      // Anybody may publish; only an announcement counts.
      return
    }
    const { from, tags, soft } = parsed ?? {}
    if (from === this.#id || checkTags(tags as string[]) !== undefined) return
    this.#listener(tags as string[], soft === true)
  }

  #note (command: string, error: unknown): void {
    if (!isRefusal(error) || this.#refused.has(command)) return
    this.#refused.add(command)
    this.#warn(new Error(`Redis refuses ${command} ${this.#channel} (${publicText(error)}); until it is allowed, onInvalidated does not hear of all processes`))
  }
}
