import type { Redis } from 'ioredis'
import { closeClient, guardSockets, isCluster, type Client } from './client.js'
import { listen } from './shared-listeners.js'

type Listener = (message: string) => void
/** Called when the channel is subscribed again after a lost connection, during which messages may have been missed. Must not throw. */
type Resumed = () => void

/** Milliseconds after a lost connection before the next node of a Cluster is tried. */
const MOVE_ON_MS = 250

/** Subscribes to channels on a connection of its own, which is made for the first channel. Messages may be missed. */
export class Subscriber {
  readonly #client: Client
  readonly #stop: () => void
  readonly #listeners = new Map<string, Map<Listener, Resumed>>()
  #own: Redis | undefined
  #isClosed = false

  constructor (client: Client) {
    this.#client = client
    // The connection to a node that left the Cluster is closed: the node gets no messages any more, although it may still answer.
    this.#stop = listen(client, '-node', ({ options }: Redis) => {
      if (this.#own?.options.host === options.host && this.#own?.options.port === options.port) this.#own?.disconnect()
    })
  }

  /** Subscribes to a channel; resolves with the function that ends the subscription. The listener must not throw. */
  async listen (channel: string, listener: Listener, resumed: Resumed = () => {}): Promise<() => void> {
    const listeners = this.#listeners.get(channel)
    if (listeners !== undefined) listeners.set(listener, resumed)
    else this.#listeners.set(channel, new Map([[listener, resumed]]))
    const stop = (): void => {
      const left = this.#listeners.get(channel)
      if (left?.delete(listener) !== true || left.size > 0) return
      this.#listeners.delete(channel)
      this.#own?.unsubscribe(channel).catch(() => {
        // A failed UNSUBSCRIBE is ignored: a closed connection has no subscriptions.
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
    this.#isClosed = true
    this.#stop()
    this.#listeners.clear()
    if (this.#own !== undefined) closeClient(this.#own)
  }

  #connection (): Redis {
    if (this.#own !== undefined) return this.#own
    if (this.#isClosed) throw new Error('the cache is closed')
    const own = this.#open()
    this.#own = own
    guardSockets(own)
    own.on('error', () => {
      // Errors of this connection are ignored: the data connection reports outages.
    })
    own.on('message', (channel: string, message: string) => {
      for (const listener of this.#listeners.get(channel)?.keys() ?? []) listener(message)
    })
    let isFirst = true
    own.on('ready', () => {
      if (!isFirst && this.#listeners.size > 0) this.#resume(own)
      isFirst = false
    })
    own.on('end', () => {
      if (this.#own !== own) return
      this.#own = undefined
      this.#moveOn()
    })
    return own
  }

  /** Opens the connection, in a Cluster to a random node, since each node carries all messages. A lost node is replaced by another. */
  #open (): Redis {
    const common = { autoResubscribe: true, enableOfflineQueue: true, maxRetriesPerRequest: 1, lazyConnect: false, connectionName: 'cache-subscriber', disableClientInfo: true }
    if (!isCluster(this.#client)) return this.#client.duplicate(common)
    const nodes = this.#client.nodes('all')
    const node = nodes[Math.floor(Math.random() * nodes.length)]
    if (node === undefined) throw new Error('no node of the Cluster is known')
    return node.duplicate({ ...common, readOnly: false, retryStrategy: () => null })
  }

  /** Subscribes all channels again, on a connection to another node. */
  #moveOn (): void {
    if (this.#isClosed || this.#listeners.size === 0) return
    const timer = setTimeout(() => {
      if (this.#isClosed || this.#own !== undefined || this.#listeners.size === 0) return
      try {
        this.#resume(this.#connection())
      } catch {
        this.#moveOn()
      }
    }, MOVE_ON_MS)
    timer.unref()
  }

  /** Subscribes all channels again, and calls the listeners once Redis has acknowledged: messages are not missed from then on. */
  #resume (own: Redis): void {
    own.subscribe(...this.#listeners.keys()).then(() => {
      for (const listeners of this.#listeners.values()) for (const resumed of listeners.values()) resumed()
    }, () => {
      // A failed subscription is ignored here, since its connection ends and the next connection subscribes again.
    })
  }
}
