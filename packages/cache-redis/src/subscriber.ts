import { Cluster } from 'ioredis'
import type { Client } from './connection.js'

type Listener = (message: string) => void

/** Listens to channels on a connection of its own, made when the first channel is wanted. Messages may be missed. */
export class Subscriber {
  readonly #client: Client
  readonly #listeners = new Map<string, Set<Listener>>()
  #own: Client | undefined

  constructor (client: Client) {
    this.#client = client
  }

  /** Resolves once the channel is listened to; rejects if that cannot be had now. */
  async listen (channel: string, listener: Listener): Promise<() => void> {
    const listeners = this.#listeners.get(channel)
    if (listeners !== undefined) listeners.add(listener)
    else this.#listeners.set(channel, new Set([listener]))
    const stop = (): void => {
      const left = this.#listeners.get(channel)
      if (left?.delete(listener) !== true || left.size > 0) return
      this.#listeners.delete(channel)
      this.#own?.unsubscribe(channel).catch(() => {
        // A connection that is gone listens to nothing.
      })
    }
    try {
      await this.#connection().subscribe(channel)
    } catch (error) {
      stop()
      throw error
    }
    return stop
  }

  close (): void {
    this.#listeners.clear()
    this.#own?.disconnect()
  }

  #connection (): Client {
    if (this.#own !== undefined) return this.#own
    this.#own = this.#client instanceof Cluster
      ? this.#client.duplicate(undefined, { enableOfflineQueue: true, lazyConnect: false })
      : this.#client.duplicate({ autoResubscribe: true, enableOfflineQueue: true, maxRetriesPerRequest: 1, lazyConnect: false, connectionName: 'cache-subscriber' })
    this.#own.on('error', () => {
      // The data connection tells of outages.
    })
    this.#own.on('message', (channel: string, message: string) => {
      for (const listener of this.#listeners.get(channel) ?? []) listener(message)
    })
    return this.#own
  }
}
