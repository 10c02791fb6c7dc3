import type { CacheError, TagSnapshot } from '@x/cache-core'
import { corrupt } from '@x/cache-core/implementing'
import type { Redis } from 'ioredis'
import { isOwn, readToken, toHex, writeToken, type Captured } from '../entries/birthplace.js'
import type { Client, Connection } from '../connection/connection.js'
import type { EntryTag } from '../entries/frame.js'
import { GENERATION, newToken, type Keys } from '../entries/keys.js'
import { callMaster, type MasterReply } from '../connection/master-call.js'
import type { Node } from '../connection/node.js'
import { isReply } from '../connection/redis-errors.js'
import { SCRIPTS } from '../entries/scripts.js'
import { TokenMemory } from './tokens.js'

/** What `capture` hands out: the generation, and the tokens of the tags. */
export class RedisSnapshot implements TagSnapshot {
  constructor (readonly generation: Captured, readonly tags: ReadonlyMap<string, Captured>) {}
}

/** All tokens of a snapshot, that of the generation first. */
export function tokensOf ({ generation, tags }: RedisSnapshot): EntryTag[] {
  return [{ tag: GENERATION, ...generation }, ...[...tags].map(([tag, captured]) => ({ tag, ...captured }))]
}

/** Settings of the tokens. */
export interface TagTokensOptions {
  /** Tokens that are remembered. */
  readonly maxTags: number
  /** Nothing is relied on without asking. */
  readonly isStrong: boolean
  /** Replicas that must have an invalidation before it counts, and how long to wait for them. */
  readonly waitReplicas: number
  readonly waitMs: number
  readonly now: () => number
  /** Hears of a token that was not of this package's making, and was replaced; must not throw. */
  readonly onForeign: (error: CacheError) => void
}

/** How an entry's tag stands: `stale` after a soft invalidation. */
export type Verdict = 'fresh' | 'stale' | 'gone'

/** Tokens live for at least so long, in ms, beyond the lifetime that asks for them: rarely extended, never immortal. */
const SPARE_MS = 3_600_000

/** Tries to replace a token that was made on another server. */
const MAX_RENEWALS = 5

/**
 * One random token per tag in Redis. An entry is valid if each of its tokens is still the current one, on a server that has
 * forgotten nothing since; equality with a token remembered here proves that while messages arrive, inequality proves
 * nothing. A token names the server that it was made on, and is replaced when another server has it: what was valid on a
 * server before a slot left it is not valid when the slot comes back. All that fails here throws: what cannot be proved is for the caller to refuse.
 */
export class TagTokens {
  readonly #connection: Connection
  readonly #keys: Keys
  readonly #memory: TokenMemory
  readonly #options: TagTokensOptions
  readonly #extendedUntil = new Map<string, { token: string; until: number }>()

  constructor (connection: Connection, keys: Keys, options: TagTokensOptions) {
    this.#connection = connection
    this.#keys = keys
    this.#options = options
    this.#memory = new TokenMemory(options.maxTags)
  }

  get known (): number { return this.#memory.size }

  /** Keys that Redis says have changed. */
  forgetKeys (keys: readonly string[]): void {
    for (const key of keys) {
      const tag = this.#keys.tagOf(key)
      if (tag !== undefined) this.#memory.forget(tag)
    }
  }

  forget (tags: readonly string[]): void {
    for (const tag of tags) this.#memory.forget(tag)
  }

  forgetAll (): void {
    this.#memory.forgetAll()
  }

  /** The token that this process may rely on without asking; never in strong mode. */
  remembered (tag: string): Captured | undefined {
    if (this.#options.isStrong) return undefined
    const captured = this.#memory.get(tag)
    if (captured === undefined) return undefined
    // Without its messages, or where the slot has another master, the token may be over.
    const node = this.#connection.owner(this.#keys.token(tag))
    return node !== undefined && node.fence === captured.fence && node.isTrusted ? captured : undefined
  }

  /** Whether memory alone proves that an entry's tokens are the current ones. As `remembered`, without making anything. */
  proves (tags: readonly EntryTag[]): boolean {
    if (this.#options.isStrong) return tags.length === 0
    let trusted: Node | undefined
    for (const { tag, token, fence } of tags) {
      const captured = this.#memory.get(tag)
      if (captured?.token !== token || captured.fence !== fence) return false
      const node = this.#connection.owner(this.#keys.token(tag))
      if (node?.fence !== fence) return false
      // They mostly lie on one node; to ask whether it is trusted takes a look at the clock.
      if (node !== trusted && !node.isTrusted) return false
      trusted = node
    }
    return true
  }

  /** The token as Redis has it now; `undefined` if there is none. */
  async ask (tag: string): Promise<Captured | undefined> {
    return this.#read(tag, async (redis, key) => textOf(await redis.getBuffer(key)))
  }

  /** The tokens of tags, made where there are none. */
  async capture (tags: readonly string[], lifetimeMs: number): Promise<Map<string, Captured>> {
    const captured = new Map<string, Captured>()
    await Promise.all(tags.map(async (tag) => {
      captured.set(tag, this.remembered(tag) ?? await this.#seed(tag, lifetimeMs))
    }))
    return captured
  }

  /**
   * The tokens for a value that replaces another. The remembered generation may be over while its slot moves, and the value
   * that is replaced may lie in the next one: a Cluster is asked.
   */
  async captureForSet (tags: readonly string[], lifetimeMs: number): Promise<Map<string, Captured>> {
    if (!this.#connection.isCluster) return this.capture([GENERATION, ...tags], lifetimeMs)
    const [generation, captured] = await Promise.all([this.#seed(GENERATION, lifetimeMs), this.capture(tags, lifetimeMs)])
    return captured.set(GENERATION, generation)
  }

  /** What an entry's token says, with or without the answer of `ask` at hand. */
  async judge (tag: string, stored: Captured, asked?: Promise<Captured | undefined>): Promise<Verdict> {
    const remembered = asked === undefined ? this.remembered(tag) : undefined
    if (remembered?.fence === stored.fence && remembered.token === stored.token) return 'fresh'
    const current = await (asked ?? this.ask(tag))
    if (current === undefined || current.fence !== stored.fence) return 'gone'
    if (current.token === stored.token) return 'fresh'
    return hardPart(current.token) === hardPart(stored.token) ? 'stale' : 'gone'
  }

  /** Whether each token is the current one: proved by memory, else asked for, all in one round trip. */
  async areCurrent (tags: readonly EntryTag[]): Promise<boolean> {
    if (this.proves(tags)) return true
    const verdicts = await Promise.all(tags.map((stored) => this.judge(stored.tag, stored)))
    return verdicts.every((verdict) => verdict === 'fresh')
  }

  /** Makes tokens outlive an entry; a token that ends early makes it a miss, so nobody needs to wait for this. */
  async extend (tokens: ReadonlyMap<string, Captured>, lifetimeMs: number): Promise<void> {
    const now = this.#options.now()
    await Promise.all([...tokens].map(async ([tag, { token }]) => {
      const known = this.#extendedUntil.get(tag)
      if (known?.token === token && known.until >= now + lifetimeMs) return
      const left = await this.#connection.client.cacheExtend(
        this.#keys.token(tag), Math.ceil(lifetimeMs), Math.ceil(2 * lifetimeMs + SPARE_MS))
      this.#noteExtended(tag, token, now + left)
    }))
  }

  /** Removes a token; with it go all entries of the tag. */
  async invalidate (tag: string): Promise<void> {
    await this.#change(tag, (client, key) => client.unlink(key))
  }

  /** Makes all entries of the tag stale. */
  async soften (tag: string): Promise<void> {
    await this.#change(tag, (client, key) => client.cacheSoften(key, newToken()))
  }

  async #change (tag: string, send: (client: Client, key: string) => Promise<unknown>): Promise<void> {
    const key = this.#keys.token(tag)
    this.#memory.forget(tag)
    const { waitReplicas, waitMs } = this.#options
    if (waitReplicas === 0) {
      await send(this.#connection.client, key)
    } else {
      // WAIT holds up all that follows on its connection, and speaks of the writes of that connection alone.
      const { node } = await callMaster(this.#connection, key, (writer) => send(writer, key), { connectionOf: ({ writer }) => writer })
      const replicas = await node.writer.wait(waitReplicas, Math.ceil(waitMs))
      if (replicas < waitReplicas) throw new Error(`only ${replicas} of ${waitReplicas} replicas have the invalidation`)
    }
    this.#memory.forget(tag)
  }

  async #seed (tag: string, lifetimeMs: number): Promise<Captured> {
    const ttlMs = Math.ceil(2 * lifetimeMs + SPARE_MS)
    const seed = async (redis: Redis, key: string, fence: string): Promise<string> => {
      const made = writeToken(fence)
      return textOf(await redis.callBuffer('SET', key, made, 'NX', 'GET', 'PX', String(ttlMs))) ?? made
    }
    for (let tries = 0; tries <= MAX_RENEWALS; tries++) {
      // Nothing: the token that was to be replaced has ended meanwhile.
      const seeded = await this.#read(tag, seed)
      if (seeded !== undefined) return seeded
    }
    throw new Error('a token could not be replaced')
  }

  /** Throws if it is not certain which server answered, in which of its lives. */
  async #read (tag: string, send: (redis: Redis, key: string, fence: string) => Promise<string | null>): Promise<Captured | undefined> {
    const key = this.#keys.token(tag)
    const read = this.#memory.begin(tag)
    let captured: Captured | undefined
    try {
      let reply = await callMaster(this.#connection, key, (redis, fence) => send(redis, key, fence)).catch((error: unknown) => {
        if (isReply(error) && error.message.startsWith('WRONGTYPE')) return this.#renew(key, FOREIGN)
        throw error
      })
      for (let renewals = 0; reply.value !== null && readToken(reply.value).fence !== reply.fence; renewals++) {
        if (renewals === MAX_RENEWALS) throw new Error('the server that answers changes too often')
        reply = await this.#renew(key, reply.value)
      }
      if (reply.node.fence !== reply.fence) throw new Error('the server that answered changed meanwhile')
      if (reply.value === null) return undefined
      captured = { token: readToken(reply.value).token, fence: reply.fence }
      if (!reply.node.isTrusted) read.isOutdated = true
      return captured
    } finally {
      this.#memory.end(read, captured)
    }
  }

  /**
   * Replaces a token that was made on another server, or by another than this package. All processes agree on that, since the server
   * itself says who it is.
   */
  async #renew (key: string, token: string): Promise<MasterReply<string | null>> {
    const known = isOwn(token) ? token : FOREIGN
    if (known === FOREIGN) this.#options.onForeign(corrupt('tags.capture', 'a token that is not the cache\'s own; it is replaced, and its entries are gone'))
    const reply = await callMaster(this.#connection, key, (redis, fence) =>
      // Not by its hash: ASKING holds for one command, and would not for the one that follows NOSCRIPT.
      redis.callBuffer('EVAL', SCRIPTS.cacheRenew.lua, 1, key, known, writeToken(fence), toHex(fence), SPARE_MS))
    if (reply.value !== 0) return { ...reply, value: textOf(reply.value) }
    await reply.node.readFence()
    const { fence } = reply.node
    if (fence === undefined) throw new Error('the server that answered is no master')
    return { ...reply, fence, value: token }
  }

  #noteExtended (tag: string, token: string, until: number): void {
    this.#extendedUntil.delete(tag)
    if (this.#extendedUntil.size >= this.#options.maxTags) this.#extendedUntil.delete(this.#extendedUntil.keys().next().value!)
    this.#extendedUntil.set(tag, { token, until })
  }
}

/** The generation counts as a tag of every entry. */
export { GENERATION }

/** Stands for every token of another's making. */
const FOREIGN = ''

// One character for each byte: another's token need not be text.
function textOf (reply: unknown): string | null {
  return reply === null ? null : Buffer.isBuffer(reply) ? reply.toString('latin1') : FOREIGN
}

function hardPart (token: string): string {
  const dot = token.indexOf('.')
  return dot < 0 ? token : token.slice(0, dot)
}
