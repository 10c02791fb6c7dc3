import type { Socket } from 'node:net'
import type { Client } from './client.js'

/** The clients of a cache: `first` carries tokens, locks and messages; the hash of an entry's Redis key selects one of all clients. */
export class Lanes {
  readonly first: Client
  readonly #clients: readonly Client[]

  /**
   * Spreads entries over the given clients.
   * @param clients the clients of the cache, at least one
   */
  constructor (clients: readonly Client[]) {
    this.first = clients[0]!
    this.#clients = clients
  }

  /** Returns the Redis client over which the entry of a Redis key is read and written. */
  of (name: string): Client {
    const client = this.#clients.length === 1 ? this.first : this.#clients[hashOf(name) % this.#clients.length]!
    sendTogether(client)
    return client
  }
}

/**
 * Sends all commands that a Redis client receives in one tick with one system call, since a system call takes the largest part of a
 * command's time. Unlike a pipeline, this delays no command: a single command is sent at the end of its own tick.
 */
export function sendTogether (client: Client): void {
  const { stream } = client as { stream?: Socket }
  if (stream === undefined || stream === null || stream.writableCorked > 0) return
  stream.cork()
  process.nextTick(() => stream.uncork())
}

function hashOf (name: string): number {
  let hash = 0
  for (let at = 0; at < name.length; at++) hash = (Math.imul(hash, 31) + name.charCodeAt(at)) | 0
  return hash >>> 0
}
