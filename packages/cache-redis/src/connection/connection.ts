import calculateSlot from 'cluster-key-slot'
import type { Redis } from 'ioredis'
import { closeClient, guardSockets, isCluster, type Client } from './client.js'
import type { Warn } from './app-callback.js'
import { Node, type NodeSettings } from './node.js'
import { guardAsking, guardRedirections } from './redirections.js'
import { isHelloRefusal, publicText, withoutSecrets } from './redis-errors.js'
import { listen } from './shared-listeners.js'

export type { Client }

/** The callbacks of a `Connection`, which watches the masters of Redis. */
export interface ConnectionEvents {
  /** Called when a server answers again, or when another server answers, so that waiting operations may be tried again. */
  readonly onChange: () => void
  /** Called when the connection to Redis fails, once per kind of failure. The message contains no credentials. */
  readonly onError: (error: Error) => void
  /** Called once, for any number of nodes and attempts, when Redis refuses a command or channel that the cache needs. */
  readonly onRefused: Warn
}

type ConnectionError = Error & { code?: string; lastNodeError?: Error }

/** Messages of ioredis for nodes of a Cluster that did not answer; the messages name no reason. */
const UNEXPLAINED = /^(Connection is closed\.|timeout)$/

/** A Redis client and the masters that it is connected to. Commands go through `client`, which follows redirections. */
export class Connection {
  readonly client: Client
  /** Whether the client is a Cluster client. */
  readonly isCluster: boolean
  /** The reason why the Redis client is not connected; `undefined` while it is connected, or the reason is not known. */
  failure: Error | undefined
  readonly #nodes = new Map<string, Node>()
  readonly #settings: NodeSettings
  readonly #events: ConnectionEvents
  readonly #timer: NodeJS.Timeout
  readonly #stops: (() => void)[]
  /** The kinds of failure that were reported since the client was last connected; they are not reported again. */
  readonly #told = new Set<string>()
  readonly #toldRefusals = new Set<string>()
  #isClosed = false

  constructor (client: Client, settings: Omit<NodeSettings, 'onRefused'>, events: ConnectionEvents) {
    this.client = client
    this.isCluster = isCluster(client)
    this.#events = events
    this.#settings = {
      ...settings,
      onRefused: (warning) => {
        if (this.#toldRefusals.has(warning.message)) return
        this.#toldRefusals.add(warning.message)
        events.onRefused(warning)
      }
    }
    this.#stops = [
      listen(client, 'error', (error: ConnectionError) => { void this.#noteFailure(error) }),
      listen(client, 'ready', () => this.#forget())
    ]
    if (isCluster(client)) {
      guardRedirections(client)
      this.#stops.push(
        listen(client, '+node', (redis: Redis) => this.#add(redis)),
        listen(client, '-node', (redis: Redis) => this.#remove(redis)),
        // A client of a Cluster is ready before it is connected to any node, and emits no error if a node refuses HELLO, so errors of nodes
        // are checked here.
        listen(client, 'node error', (error: ConnectionError) => { if (isHelloRefusal(error)) void this.#noteFailure(error) }),
        listen(client, 'ready', events.onChange)
      )
      for (const redis of client.nodes('all')) this.#add(redis)
    } else {
      this.#nodes.set('', new Node(client, this.#settings, events.onChange))
    }
    this.#timer = setInterval(() => {
      const isIdle = settings.isIdle()
      for (const node of this.#nodes.values()) node.tick(isIdle)
    }, settings.heartbeatMs)
    this.#timer.unref()
  }

  get nodes (): Iterable<Node> { return this.#nodes.values() }

  /** The reason why no master is known; `undefined` while a master is known. */
  get problem (): Error | undefined {
    const nodes = [...this.#nodes.values()]
    if (nodes.some(({ serverId }) => serverId !== undefined)) return undefined
    return nodes.find(({ problem }) => problem !== undefined)?.problem ?? this.failure ?? new Error('no master is known')
  }

  /** The master that has the Cluster slot of a Redis key; `undefined` if that master is not known. */
  owner (key: string): Node | undefined {
    return isCluster(this.client) ? this.ownerOfSlot(calculateSlot(key)) : this.#nodes.get('')
  }

  /** The master that has a slot of the Cluster; `undefined` if that master is not known. */
  ownerOfSlot (slot: number): Node | undefined {
    const id = isCluster(this.client) ? this.client.slots[slot]?.[0] : undefined
    return id === undefined ? undefined : this.#nodes.get(id)
  }

  /** The Cluster slot of a Redis key; 0 outside of a Cluster. */
  slotOf (key: string): number {
    return this.isCluster ? calculateSlot(key) : 0
  }

  /** The node that a redirection names; `undefined` if no connection to it is known. */
  nodeAt (address: string): Node | undefined {
    if (!isCluster(this.client)) return undefined
    const { natMap } = this.client.options
    const mapped = typeof natMap === 'function' ? natMap(address) : natMap?.[address]
    return this.#nodes.get(mapped === undefined || mapped === null ? address : `${mapped.host}:${mapped.port}`)
  }

  /** Refreshes the client's table of Cluster slots, which a redirection has shown to be outdated. */
  refreshSlots (): void {
    if (isCluster(this.client)) this.client.refreshSlotsCache()
  }

  /** Stops watching the masters of the connection, and leaves the Redis client open. */
  close (): void {
    this.#isClosed = true
    clearInterval(this.#timer)
    for (const node of this.#nodes.values()) node.close()
    this.#nodes.clear()
    for (const stop of this.#stops) stop()
  }

  /**
   * Reports each kind of connection failure once. One cause may produce several kinds: a server that requires TLS resets both reads and
   * writes.
   */
  async #noteFailure (error: ConnectionError): Promise<void> {
    // The error of a Cluster does not name the reason; its property `lastNodeError` does.
    this.failure = withoutSecrets(error.lastNodeError ?? error)
    const kind = error.code ?? (error.lastNodeError === undefined ? error.message : 'Cluster')
    if (this.#told.has(kind)) return
    this.#told.add(kind)
    const cause = UNEXPLAINED.test(this.failure.message) ? await this.#findCause() ?? this.failure : this.failure
    if (this.#isClosed || !this.#told.has(kind)) return
    const told = new Error(error.lastNodeError === undefined ? describe(error) : `${error.message} ${publicText(cause)}`)
    this.#events.onError(error.code === undefined ? told : Object.assign(told, { code: error.code }))
  }

  /**
   * Connects to one node of a Cluster to find the reason why no node can be reached. ioredis drops the errors of its own attempts,
   * so that a refused certificate looks like a closed connection.
   */
  async #findCause (): Promise<Error | undefined> {
    const [node] = isCluster(this.client) ? this.client.nodes('all') : []
    if (node === undefined) return undefined
    const probe = node.duplicate({ lazyConnect: true, enableReadyCheck: false, retryStrategy: () => null, disableClientInfo: true })
    guardSockets(probe)
    return new Promise((resolve) => {
      probe.on('error', resolve)
      probe.connect().catch(() => {}).finally(() => {
        closeClient(probe)
        resolve(undefined)
      })
    })
  }

  #forget (): void {
    this.failure = undefined
    this.#told.clear()
  }

  #add (redis: Redis): void {
    const id = idOf(redis)
    guardAsking(redis)
    this.#nodes.get(id)?.close()
    this.#nodes.set(id, new Node(redis, this.#settings, this.#events.onChange))
  }

  #remove (redis: Redis): void {
    const id = idOf(redis)
    const node = this.#nodes.get(id)
    if (node?.redis !== redis) return
    node.close()
    this.#nodes.delete(id)
    this.#settings.onDoubt()
  }
}

/** Returns the text of a connection failure for the log, with the remedy if it is known. */
function describe (error: Error): string {
  const text = publicText(error)
  return isHelloRefusal(error) ? `Redis, or a proxy in front of it, refuses HELLO (${text}): set protocol: 2, which does not need it; for a client of the app in its options` : text
}

function idOf ({ options }: Redis): string {
  return `${options.host}:${options.port}`
}
