import type { EventEmitter } from 'node:events'
import type { Cluster, Redis, RedisOptions } from 'ioredis'

/** The client of the app's own, or ours. */
export type Client = Redis | Cluster

/** Options of a client that answers as Redis does: `replyMapping` of ioredis would change the types of its replies. */
export type ClientOptions = Omit<RedisOptions, 'replyMapping'>

/**
 * Whether the client speaks to a Cluster. Read from the client, never by `instanceof`: the app's client may come from another
 * copy or version of ioredis, or from iovalkey.
 */
export function isCluster (client: Client): client is Cluster {
  return client.isCluster
}

/** The mode that a client was made for. */
export function modeOf (client: Client): 'single' | 'cluster' | 'sentinel' {
  if (isCluster(client)) return 'cluster'
  return (client.options.sentinels?.length ?? 0) > 0 ? 'sentinel' : 'single'
}

/** Closes a client for the last time. An error that comes afterwards has no listener left but this one. */
export function closeClient (client: Client): void {
  client.on('error', ignore)
  // A socket that is ended during its TLS handshake may emit two errors; ioredis (6.0.0) listens to the first alone.
  for (const { stream } of (isCluster(client) ? client.nodes('all') : [client]) as { stream?: EventEmitter | null }[]) stream?.on('error', ignore)
  client.disconnect()
}

function ignore (): void {}
