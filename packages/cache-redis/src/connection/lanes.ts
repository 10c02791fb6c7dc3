import type { Warn } from './app-callback.js'
import type { Client } from './client.js'
import { publicText } from './redis-errors.js'
import { TickReads } from './tick-reads.js'
import { sendTogether } from './send-together.js'

/** The clients of a cache: `first` carries tokens, locks and messages; the hash of an entry's Redis key selects one of all clients. */
export class Lanes {
  readonly first: Client
  readonly #clients: readonly Client[]
  readonly #reads: readonly TickReads[]

  /**
   * Spreads entries over the given clients.
   * @param clients the clients of the cache, at least one
   * @param warn called if Redis refuses MGET, once
   * @param now returns a time in milliseconds that only increases
   */
  constructor (clients: readonly Client[], warn: Warn, now: () => number) {
    this.first = clients[0]!
    this.#clients = clients
    let isTold = false
    this.#reads = clients.map((client) => new TickReads(client, (error) => {
      if (!isTold) warn(new Error(`Redis refuses MGET (${publicText(error)}): the reads of one tick are sent one by one, which takes up to half more processor time; allow the command (ACL: +mget), or name mode 'cluster' in front of a Cluster`))
      isTold = true
    }, now))
  }

  /** Returns the Redis client over which the entry of a Redis key is read and written. */
  of (name: string): Client {
    const client = this.#clients[this.#laneOf(name)]!
    sendTogether(client)
    return client
  }

  /** Returns the value of an entry's Redis key as `TickReads` does, over the client of the key; not for a Cluster. */
  read (name: string): Promise<Buffer | null> {
    return this.#reads[this.#laneOf(name)]!.read(name)
  }

  #laneOf (name: string): number {
    return this.#clients.length === 1 ? 0 : hashOf(name) % this.#clients.length
  }
}

function hashOf (name: string): number {
  let hash = 0
  for (let at = 0; at < name.length; at++) hash = (Math.imul(hash, 31) + name.charCodeAt(at)) | 0
  return hash >>> 0
}
