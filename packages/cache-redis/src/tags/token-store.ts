import type { CacheError } from '@x/cache-core'
import { corrupt } from '@x/cache-core/implementing'
import type { Redis } from 'ioredis'
import type { Connection } from '../connection/connection.js'
import { callMaster, type MasterReply } from '../connection/master-call.js'
import { isReply } from '../connection/redis-errors.js'
import { isOwn, readToken, toHex, writeToken, type BoundToken } from '../entries/bound-token.js'
import type { Keys } from '../entries/keys.js'
import { SCRIPTS } from '../entries/scripts.js'
import type { TokenMemory } from './token-memory.js'

/**
 * Milliseconds by which the token of a tag outlives the entry that it is made for, so that the token is rarely extended. Every token
 * expires.
 */
export const SPARE_MS = 3_600_000

/** The maximum number of attempts to replace a tag's token that was made on another server. */
const MAX_RENEWALS = 5

/** The argument of `cacheRenew` in place of a token that foreign software wrote; no token of this package equals this text. */
const FOREIGN = ''

/**
 * Reads and makes the tokens of tags in Redis. A token contains the identity of the server on which it was made, and is replaced when its
 * slot moves to another server. An entry that a server had before its slot moved away is therefore not valid when the slot returns.
 */
export class TokenStore {
  readonly #connection: Connection
  readonly #keys: Keys
  readonly #memory: TokenMemory
  readonly #onForeign: (error: CacheError) => void

  /**
   * Makes the object that reads and makes tokens.
   * @param onForeign is called with the error of each token that foreign software wrote and that was replaced; must not throw
   */
  constructor (connection: Connection, keys: Keys, memory: TokenMemory, onForeign: (error: CacheError) => void) {
    this.#connection = connection
    this.#keys = keys
    this.#memory = memory
    this.#onForeign = onForeign
  }

  /** Returns the token of a tag; a missing token is made, and lives for at least `lifetimeMs` milliseconds. */
  async seed (tag: string, lifetimeMs: number): Promise<BoundToken> {
    const ttlMs = Math.ceil(2 * lifetimeMs + SPARE_MS)
    const seed = async (redis: Redis, key: string, serverId: string): Promise<string> => {
      const made = writeToken(serverId)
      return textOf(await redis.setBuffer(key, made, 'PX', ttlMs, 'NX', 'GET')) ?? made
    }
    for (let tries = 0; tries <= MAX_RENEWALS; tries++) {
      // The read returns `undefined` if Redis had a token of another server that expired before its replacement; the next try makes one.
      const seeded = await this.#read(tag, seed)
      if (seeded !== undefined) return seeded
    }
    throw new Error('a token could not be replaced')
  }

  /** Reads the current token of a tag from Redis; `undefined` if Redis has none. */
  async read (tag: string): Promise<BoundToken | undefined> {
    return this.#read(tag, async (redis, key) => textOf(await redis.getBuffer(key)))
  }

  /**
   * Runs a command that returns the token of a tag, and replaces a token of another server. Rejects if it is not certain which server
   * answered, and under which identity.
   */
  async #read (
    tag: string, send: (redis: Redis, key: string, serverId: string) => Promise<string | null>
  ): Promise<BoundToken | undefined> {
    const key = this.#keys.token(tag)
    const read = this.#memory.begin(tag)
    let captured: BoundToken | undefined
    try {
      let reply = await callMaster(this.#connection, key, (redis, serverId) => send(redis, key, serverId)).catch((error: unknown) => {
        if (isReply(error) && error.message.startsWith('WRONGTYPE')) return this.#renew(key, FOREIGN)
        throw error
      })
      for (let renewals = 0; reply.value !== null && readToken(reply.value).serverId !== reply.serverId; renewals++) {
        if (renewals === MAX_RENEWALS) throw new Error('the server that answers changes too often')
        reply = await this.#renew(key, reply.value)
      }
      if (reply.node.serverId !== reply.serverId) throw new Error('the server that answered changed meanwhile')
      if (reply.value === null) return undefined
      captured = { token: readToken(reply.value).token, serverId: reply.serverId }
      if (!reply.node.isTrusted) read.isOutdated = true
      return captured
    } finally {
      this.#memory.end(read, captured)
    }
  }

  /**
   * Replaces a tag's token that another server or foreign software made. All processes decide alike whether it is replaced, since the
   * script itself reads the identity of the server.
   */
  async #renew (key: string, token: string): Promise<MasterReply<string | null>> {
    const known = isOwn(token) ? token : FOREIGN
    if (known === FOREIGN) this.#onForeign(corrupt('tags.capture', 'a token that is not the cache\'s own; it is replaced, and its entries are gone'))
    const reply = await callMaster(this.#connection, key, (redis, serverId) =>
      // EVAL is used instead of EVALSHA: ASKING covers one command, so it would not cover the EVAL that follows a NOSCRIPT reply.
      redis.evalBuffer(SCRIPTS.cacheRenew.lua, 1, key, known, writeToken(serverId), toHex(serverId), SPARE_MS))
    if (reply.value !== 0) return { ...reply, value: textOf(reply.value) }
    await reply.node.readServerId()
    const { serverId } = reply.node
    if (serverId === undefined) throw new Error('the server that answered is no master')
    return { ...reply, serverId, value: token }
  }
}

/** The reply of Redis with a token, as text with one character per byte, since a token of foreign software need not be UTF-8. */
function textOf (reply: unknown): string | null {
  return reply === null ? null : Buffer.isBuffer(reply) ? reply.toString('latin1') : FOREIGN
}
