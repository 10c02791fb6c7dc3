import { randomUUID } from 'node:crypto'
import type { Client } from './connection.js'
import type { Subscriber } from './subscriber.js'

/** Tags that some process invalidated. */
export type InvalidationListener = (tags: readonly string[], soft: boolean) => void

/**
 * Tells every process of invalidations, for apps that keep state of their own. A message may be lost: the cache's own
 * correctness never rests on it.
 */
export class Announcer {
  readonly #client: Client
  readonly #channel: string
  readonly #listener: InvalidationListener
  readonly #id = randomUUID()

  constructor (client: Client, subscriber: Subscriber, channel: string, listener: InvalidationListener) {
    this.#client = client
    this.#channel = channel
    this.#listener = listener
    subscriber.listen(channel, (message) => this.#receive(message)).catch(() => {
      // The connection subscribes again by itself when the server is back.
    })
  }

  /** Announces; this process hears it at once. Never rejects. */
  announce (tags: readonly string[], soft: boolean): void {
    this.#listener(tags, soft)
    this.#client.publish(this.#channel, JSON.stringify({ from: this.#id, tags, soft })).catch(() => {
      // Best effort by contract.
    })
  }

  #receive (message: string): void {
    let parsed: { from?: unknown; tags?: unknown; soft?: unknown }
    try {
      parsed = JSON.parse(message) as typeof parsed
    } catch {
      // Anybody may publish; only what is ours counts.
      return
    }
    const { from, tags, soft } = parsed ?? {}
    if (from === this.#id || !Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) return
    this.#listener(tags, soft === true)
  }
}
