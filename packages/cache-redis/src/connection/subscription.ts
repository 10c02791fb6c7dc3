import type { Client } from './client.js'
import { isRefusal } from './redis-errors.js'
import { listen } from './shared-listeners.js'
import type { Subscriber } from './subscriber.js'

/** Milliseconds between attempts to subscribe: the first pause, and the longest pause, up to which the pause doubles. */
const RETRY_MS = { first: 250, longest: 60_000 }

/** The callbacks of a `Subscription`; they must not throw. */
export interface SubscriptionEvents {
  readonly onMessage: (message: string) => void
  /** Called when the Pub/Sub channel is subscribed, for the first time or again; earlier messages may have been missed. */
  readonly onSubscribed?: () => void
  /** Called when an attempt to subscribe has failed; the attempt is repeated. */
  readonly onFailed: (error: unknown) => void
}

/** A subscription to one channel that is retried until it succeeds; later the connection subscribes again by itself. */
export class Subscription {
  readonly #subscriber: Subscriber
  readonly #channel: string
  readonly #events: SubscriptionEvents
  readonly #stopListening: () => void
  #unsubscribe = (): void => {}
  #timer: NodeJS.Timeout | undefined
  #pauseMs = RETRY_MS.first
  #isClosed = false

  constructor (client: Client, subscriber: Subscriber, channel: string, events: SubscriptionEvents) {
    this.#subscriber = subscriber
    this.#channel = channel
    this.#events = events
    // The subscription is retried at `ready`: a Cluster has no node before `ready`, and after a reconnection no pause is needed.
    this.#stopListening = listen(client, 'ready', () => {
      if (this.#timer !== undefined) void this.#subscribe()
    })
    void this.#subscribe()
  }

  close (): void {
    this.#isClosed = true
    this.#stopListening()
    clearTimeout(this.#timer)
    this.#unsubscribe()
  }

  async #subscribe (): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const { onMessage, onSubscribed = () => {}, onFailed } = this.#events
    try {
      const unsubscribe = await this.#subscriber.listen(this.#channel, onMessage, onSubscribed)
      if (this.#isClosed) return unsubscribe()
      this.#unsubscribe = unsubscribe
      onSubscribed()
    } catch (error) {
      if (this.#isClosed) return
      onFailed(error)
      this.#timer = setTimeout(() => { void this.#subscribe() }, this.#pauseMs)
      this.#timer.unref()
      this.#pauseMs = Math.min(this.#pauseMs * 2, isRefusal(error) ? RETRY_MS.longest : RETRY_MS.first * 8)
    }
  }
}
