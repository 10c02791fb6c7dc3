import calculateSlot from 'cluster-key-slot'
import { Cluster, Redis } from 'ioredis'
import { Node, type NodeSettings } from './node.js'

/** The client of the app's own, or ours. */
export type Client = Redis | Cluster

/** What a connection tells. */
export interface ConnectionEvents {
  /** A server answers that did not, or another one: what waited may be tried again. */
  readonly onChange: () => void
  /** Told once per change; the message names no credentials. */
  readonly onError: (error: Error) => void
}

/** The client with the masters behind it, watched over. Commands go through `client`, which follows redirections. */
export class Connection {
  readonly client: Client
  readonly #nodes = new Map<string, Node>()
  readonly #settings: NodeSettings
  readonly #events: ConnectionEvents
  readonly #isOwn: boolean
  readonly #timer: NodeJS.Timeout
  /** What was told since the client was last connected. */
  readonly #told = new Set<string>()

  /** @param isOwn whether `close` closes the client */
  constructor (client: Client, isOwn: boolean, settings: NodeSettings, events: ConnectionEvents) {
    this.client = client
    this.#isOwn = isOwn
    this.#settings = settings
    this.#events = events
    client.on('error', this.#tell)
    client.on('ready', this.#forget)
    if (client instanceof Cluster) {
      client.on('+node', this.#add)
      client.on('-node', this.#remove)
      client.on('ready', events.onChange)
      for (const redis of client.nodes('all')) this.#add(redis)
    } else {
      this.#nodes.set('', new Node(client, settings, events.onChange))
    }
    this.#timer = setInterval(() => {
      for (const node of this.#nodes.values()) {
        if (node.redis.status === 'ready') void node.readFence()
      }
    }, settings.heartbeatMs)
    this.#timer.unref()
  }

  get nodes (): Iterable<Node> { return this.#nodes.values() }

  /** The master that a key lies on, as far as is known. */
  owner (key: string): Node | undefined {
    if (!(this.client instanceof Cluster)) return this.#nodes.get('')
    const id = this.client.slots[calculateSlot(key)]?.[0]
    return id === undefined ? undefined : this.#nodes.get(id)
  }

  get isCluster (): boolean { return this.client instanceof Cluster }

  /** The node that a redirection names; `undefined` if no connection to it is known. */
  nodeAt (address: string): Node | undefined {
    // A natMap renames addresses in ways of its own.
    return this.client instanceof Cluster && this.client.options.natMap === undefined ? this.#nodes.get(address) : undefined
  }

  /** Asks for the slot table, which a redirection showed to be old. */
  refreshSlots (): void {
    if (this.client instanceof Cluster) this.client.refreshSlotsCache()
  }

  async close (): Promise<void> {
    clearInterval(this.#timer)
    for (const node of this.#nodes.values()) node.close()
    this.#nodes.clear()
    this.client.off('error', this.#tell)
    this.client.off('ready', this.#forget)
    this.client.off('+node', this.#add)
    this.client.off('-node', this.#remove)
    this.client.off('ready', this.#events.onChange)
    if (!this.#isOwn) return
    // disconnect() is final and needs no answer; an error that comes late has nobody left to tell.
    this.client.on('error', () => {})
    this.client.disconnect()
  }

  /** Kinds of one failure take turns while it lasts: a server that wants TLS resets now a read, now a write. */
  readonly #tell = (error: Error & { code?: string; lastNodeError?: Error }): void => {
    // A Cluster says only that no node was of use; why, the last of them says.
    const told = error.lastNodeError === undefined ? error : new Error(`${error.message} ${error.lastNodeError.message}`, { cause: error })
    const kind = error.code ?? told.message
    if (this.#told.has(kind)) return
    this.#told.add(kind)
    this.#events.onError(told)
  }

  readonly #forget = (): void => {
    this.#told.clear()
  }

  readonly #add = (redis: Redis): void => {
    const id = idOf(redis)
    this.#nodes.get(id)?.close()
    this.#nodes.set(id, new Node(redis, this.#settings, this.#events.onChange))
  }

  readonly #remove = (redis: Redis): void => {
    const id = idOf(redis)
    const node = this.#nodes.get(id)
    if (node?.redis !== redis) return
    node.close()
    this.#nodes.delete(id)
    this.#settings.onDoubt()
  }
}

function idOf ({ options }: Redis): string {
  return `${options.host}:${options.port}`
}
