import { randomUUID } from 'node:crypto'
import { checkTags } from '@x/cache-core/implementing'
import type { Client } from '../connection/client.js'
import { guard, type Warn } from '../connection/app-callback.js'
import { isRefusal, publicText } from '../connection/redis-errors.js'
import type { Subscriber } from '../connection/subscriber.js'
import { Subscription } from '../connection/subscription.js'

/**
 * Receives the tags that a process invalidated; `soft`: the entries of the tags became stale and were not removed. A throw or a rejection
 * of the listener is caught and reported once; a returned promise is not awaited.
 */
export type InvalidationListener = (tags: readonly string[], soft: boolean) => void

/**
 * Publishes invalidations to all processes, for apps that have other caches of their own. A message may be lost, so the cache does not
 * depend on these messages.
 */
export class Announcer {
  readonly #client: Client
  readonly #channel: string
  readonly #listener: InvalidationListener
  readonly #warn: Warn
  readonly #id = randomUUID()
  readonly #refused = new Set<string>()
  readonly #subscription: Subscription

  constructor (client: Client, subscriber: Subscriber, channel: string, listener: InvalidationListener, warn: Warn) {
    this.#client = client
    this.#channel = channel
    this.#listener = guard('onInvalidated', listener, warn)
    this.#warn = warn
    this.#subscription = new Subscription(client, subscriber, channel, {
      onMessage: (message) => this.#receive(message),
      onFailed: (error) => this.#note('SUBSCRIBE', error)
    })
  }

  /** Publishes an invalidation, and calls this process's listener at once. Never throws. */
  announce (tags: readonly string[], soft: boolean): void {
    this.#listener(tags, soft)
    // The promise is not awaited, since the contract allows announcements to be lost.
    this.#client.publish(this.#channel, JSON.stringify({ from: this.#id, tags, soft })).catch((error: unknown) => this.#note('PUBLISH', error))
  }

  close (): void {
    this.#subscription.close()
  }

  #receive (message: string): void {
    let parsed: { from?: unknown; tags?: unknown; soft?: unknown } | null
    try {
      parsed = JSON.parse(message) as typeof parsed
    } catch {
      // A message of another form is ignored, since any client may publish on the channel.
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
