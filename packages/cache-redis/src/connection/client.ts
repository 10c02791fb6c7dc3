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

/** Closes a client permanently. Later errors are ignored, since its other listeners have been removed. */
export function closeClient (client: Client): void {
  client.on('error', ignore)
  // A socket that ends during its TLS handshake may emit two errors; ioredis (6.0.0) has no listener for the second.
  for (const { stream } of (isCluster(client) ? client.nodes('all') : [client]) as { stream?: EventEmitter | null }[]) stream?.on('error', ignore)
  client.disconnect()
}

function ignore (): void {}
