import type { EventEmitter } from 'node:events'
import type { Cluster, Redis, RedisOptions } from 'ioredis'

/** An ioredis client: either the app's own, or one that the cache made. */
export type Client = Redis | Cluster

/** Options that leave the replies of Redis unchanged: `replyMapping` of ioredis would change their types. */
export type ClientOptions = Omit<RedisOptions, 'replyMapping'>

/**
 * Whether a client is a Cluster client. The flag of the client decides, never `instanceof` or an option: the app's client may come
 * from another copy or version of ioredis, or from iovalkey.
 */
export function isCluster (client: Client): client is Cluster {
  return client.isCluster === true
}

/** The mode of a Redis client: single, cluster or sentinel. */
export function modeOf (client: Client): 'single' | 'cluster' | 'sentinel' {
  if (isCluster(client)) return 'cluster'
  return (client.options.sentinels?.length ?? 0) > 0 ? 'sentinel' : 'single'
}

/**
 * The clients whose sockets are guarded. Each is guarded only once, although `guardSockets` is called twice for a copy of a Cluster's node:
 * by the node's `duplicate`, and by the code that made the copy.
 */
const guarded = new WeakSet<Redis>()

/**
 * Adds a listener for errors to each socket that a client opens. A socket that ends during its TLS handshake may emit two errors, and
 * ioredis (6.0.0) has no listener for the second, which would end the process. A Cluster client ends such sockets by itself: those of nodes
 * that it replaces, and those of the copies of nodes that it asks for the slots.
 */
export function guardSockets (client: Client): void {
  if (isCluster(client)) {
    client.on('+node', (node: Redis) => {
      guardSockets(node)
      const { duplicate } = node
      node.duplicate = (...args) => {
        const copy = duplicate.apply(node, args)
        guardSockets(copy)
        return copy
      }
    })
    return
  }
  if (guarded.has(client)) return
  guarded.add(client)
  // Unless ioredis first asks a Sentinel for the address, it opens the socket in the turn of the event loop in which it emits `connecting`.
  // The listener is added at the end of that turn, before the socket emits an error.
  client.on('connecting', () => setImmediate(() => (client as { stream?: EventEmitter | null }).stream?.on('error', ignore)))
}

/** Closes a client permanently. Later errors are ignored, since its other listeners have been removed. */
export function closeClient (client: Client): void {
  client.on('error', ignore)
  client.disconnect()
}

function ignore (): void {}
