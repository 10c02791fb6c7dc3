import { corrupt } from '@x/cache-core/implementing'
import type { BoundToken } from './bound-token.js'
import type { Client, Connection } from '../connection/connection.js'
import type { Entries } from './entry-store.js'
import { hasSameStamp, HEADER_BYTES, isMark, newMark, newPlainPrefix } from './frame.js'
import { callMaster } from '../connection/master-call.js'
import { SCRIPTS } from './scripts.js'
import { GENERATION } from './keys.js'
import { RedisSnapshot, tokensOf } from '../tags/snapshot.js'
import type { TagTokens } from '../tags/tag-tokens.js'
import { quiet } from './quiet.js'
import type { Validity } from './validity.js'

/** The Redis key of an entry, with its content at the time when the load began. */
export interface LeasedSlot {
  readonly name: string
  /** The header of the mark in that Redis key, or of the entry that is to be replaced. */
  readonly header: Buffer
  /** The identity of the master that has the Redis key; set only in a Cluster. */
  readonly serverId: string | undefined
  /** Whether this load made the mark that reserves the entry's place; otherwise it shares the mark of an earlier load. */
  readonly isOwnMark: boolean
}

/** A lease of a load: the tokens before the load, and the Redis key that its value is stored in. */
export class RedisLease extends RedisSnapshot {
  constructor (readonly slot: LeasedSlot, generation: BoundToken, tags: ReadonlyMap<string, BoundToken>) {
    super(generation, tags)
  }
}

/** The functions and objects of the cache that `Leases` uses. */
export interface LeasesDeps {
  readonly connection: Connection
  readonly tokens: TagTokens
  readonly validity: Validity
  readonly entries: Entries
  readonly dataFor: (name: string) => Client
  /** Whether a text without a frame can be an entry in Redis, as with the serializers `json` and `rich`. */
  readonly isTextual: boolean
}

const NO_PREFIX = ''

/** The error for an entry whose Redis key is served by another master than when the lease was taken. */
const anotherMaster = new Error('the slot has another master than when the lease was taken')

/**
 * Leases of loads ("Scaling Memcache at Facebook", NSDI 2013, §3.2.1): a load marks the empty Redis key of its entry before it begins, and
 * the loaded value is stored only while the mark exists. If the Redis key has an entry, the stamp of the entry is the mark. `del` and `set`
 * remove the mark with the entry. A lost mark (eviction, expiry, failover, a moved slot) means that nothing is stored.
 */
export class Leases {
  readonly #deps: LeasesDeps
  #lastGeneration: BoundToken | undefined

  constructor (deps: LeasesDeps) {
    this.#deps = deps
  }

  /**
   * Takes a lease before a load begins: one round trip if the generation is remembered, or is the last known one.
   *
   * @param lifetimeMs milliseconds that new tokens live at least
   * @param leaseMs milliseconds after which the mark expires
   */
  async take (key: string, tags: readonly string[], lifetimeMs: number, leaseMs: number): Promise<RedisLease> {
    const { tokens, entries } = this.#deps
    const guess = tokens.remembered(GENERATION) ?? this.#lastGeneration
    const guessed = guess === undefined ? undefined : entries.nameOf(guess, key)
    // If reading the tokens fails first, this promise is never awaited, so its rejection is handled here.
    const early = guessed === undefined ? undefined : quiet(this.#mark(guessed, leaseMs))
    const captured = await tokens.capture([GENERATION, ...tags], lifetimeMs)
    const generation = captured.get(GENERATION)!
    captured.delete(GENERATION)
    this.#lastGeneration = generation
    const name = entries.nameOf(generation, key)
    const slot = early !== undefined && name === guessed ? await early : await this.#mark(name, leaseMs)
    return new RedisLease(slot, generation, captured)
  }

  /** Whether the tokens, the Redis key of the entry and its master are unchanged since the lease was taken; takes one round trip. */
  async isCurrent (lease: RedisLease): Promise<boolean> {
    const { connection, validity, dataFor } = this.#deps
    const { slot, generation } = lease
    const { name } = slot
    const read = (client: Pick<Client, 'getrangeBuffer'>): Promise<Buffer> => client.getrangeBuffer(name, 0, HEADER_BYTES - 1)
    const [header, areCurrent] = await Promise.all([
      connection.isCluster
        ? callMaster(connection, name, read)
        : read(dataFor(name)).then((value) => ({ value, node: connection.owner(name) })),
      validity.areCurrent(tokensOf(lease))
    ])
    // The server identity at the time of the lease is compared with that of the answering master: a client of the app's own may have resent
    // the command to another server.
    return areCurrent && hasSameStamp(header.value, slot.header) && header.node?.serverId === (slot.serverId ?? generation.serverId)
  }

  /**
   * Stores the loaded value if the Redis key has not changed since the lease was taken. `encode` gets the server identity that the entry
   * must contain, if any.
   */
  async store (
    { slot, generation }: RedisLease, lifetimeMs: number, encode: (ownServerId: string | undefined) => Promise<Buffer | string>
  ): Promise<void> {
    const payload = await encode(slot.serverId === generation.serverId ? undefined : slot.serverId)
    await this.#run('cacheStore', slot, slot.header, payload, lifetimeMs)
  }

  /** Gives up a lease: removes the mark from the entry's place if this load made it; an entry stays. */
  async release ({ slot }: RedisLease): Promise<void> {
    if (slot.isOwnMark) await this.#run('cacheUnmark', slot, slot.header)
  }

  async #mark (name: string, leaseMs: number): Promise<LeasedSlot> {
    const { connection, dataFor, isTextual } = this.#deps
    const mark = newMark()
    const args = [mark, Math.ceil(leaseMs), isTextual ? newPlainPrefix() : NO_PREFIX] as const
    const { value: header, serverId } = connection.isCluster
      // EVAL is used instead of EVALSHA: ASKING covers one command, so it would not cover the EVAL that follows a NOSCRIPT reply.
      ? await callMaster(connection, name, (redis) => redis.evalBuffer(SCRIPTS.cacheLease.lua, 1, name, ...args) as Promise<Buffer>)
      : { value: await dataFor(name).cacheLeaseBuffer(name, ...args), serverId: undefined }
    if (!Buffer.isBuffer(header)) throw corrupt('leases.take', 'what a script of the cache does not answer')
    return { name, header, serverId, isOwnMark: isMark(header) && header.equals(mark) }
  }

  /** Runs a script on the Redis key of a leased entry; does nothing if the key has another master now. */
  async #run (script: 'cacheStore' | 'cacheUnmark', { name, serverId }: LeasedSlot, ...args: (Buffer | string | number)[]): Promise<void> {
    const { connection, dataFor } = this.#deps
    if (!connection.isCluster) {
      const run = dataFor(name)[script] as (name: string, ...args: unknown[]) => Promise<number>
      await run.call(dataFor(name), name, ...args)
      return
    }
    const sameMaster = async (answering: string): Promise<void> => { if (answering !== serverId) throw anotherMaster }
    try {
      await callMaster(connection, name, (redis) => redis.call('EVAL', SCRIPTS[script].lua, 1, name, ...args), { prepare: sameMaster })
    } catch (error) {
      if (error !== anotherMaster) throw error
    }
  }
}
