import { corrupt, MAX_TTL } from '@x/cache-core/implementing'
import type { BoundToken } from './bound-token.js'
import type { Client, Connection } from '../connection/connection.js'
import { callMaster } from '../connection/master-call.js'
import type { TagTokens } from '../tags/tag-tokens.js'
import type { Entries } from './entry-store.js'
import { readFrame, withTtl, type FrameMeta } from './frame.js'
import { GENERATION } from './keys.js'
import { quiet } from './quiet.js'
import { SCRIPTS } from './scripts.js'
import { NONE_ASKED, type Place, type Validity } from './validity.js'

/** The functions and objects of the cache that `EntryTouch` uses. */
export interface EntryTouchDeps {
  readonly connection: Connection
  readonly tokens: TagTokens
  readonly validity: Validity
  readonly entries: Entries
  readonly dataFor: (name: string) => Client
}

/** The header and metadata of an entry in Redis, its place, and the reply of PTTL. `head` is empty for plain JSON, which has no metadata. */
interface Head { readonly place: Place; readonly head: Buffer; readonly meta: FrameMeta | undefined; readonly leftMs: number }

/** The maximum number of attempts: each one fails because another write of the key came in between. */
const MAX_ATTEMPTS = 5

/**
 * Sets the lifetime of stored entries. The value is not read. An entry whose tags were invalidated is not changed. An entry that is
 * invalidated during the call does not become valid again, since its tokens stay the same.
 */
export class EntryTouch {
  readonly #deps: EntryTouchDeps

  constructor (deps: EntryTouchDeps) {
    this.#deps = deps
  }

  /** Sets the ttl of an entry, whose stale window keeps its length; returns whether there is a valid entry. */
  async touch (key: string, ttlMs: number): Promise<boolean> {
    const { tokens, validity, entries } = this.#deps
    const generation = tokens.remembered(GENERATION) ?? await tokens.ask(GENERATION)
    // Without a generation Redis has no entries of this cache, so there is nothing to touch.
    if (generation === undefined) return false
    const name = entries.nameOf(generation, key)
    for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
      const found = await this.#read(name, generation)
      if (found === undefined) return false
      const { place, head, meta, leftMs } = found
      const { windowMs = 0, ownServerId, tags = [] } = meta ?? {}
      const verdict = await validity.judge(place, { value: undefined, ttlMs: meta?.ttlMs, windowMs, ownServerId, tags }, leftMs, NONE_ASKED)
      // An entry that is stale by its time becomes fresh; an entry that was invalidated softly stays stale, and its lifetime is not
      // changed.
      if (verdict === 'gone' || (verdict === 'stale' && !await validity.areCurrent(tags))) return false
      const lifetimeMs = ttlMs + windowMs
      const captured = new Map<string, BoundToken>([[GENERATION, generation], ...tags.map(({ tag, ...token }) => [tag, token] as const)])
      // A touch extends the expiry of the entry's tokens, too, since a token that expires before its entry makes the entry a miss.
      const extended = quiet(tokens.extend(captured, lifetimeMs))
      const changed = meta === undefined ? head : withTtl(head, meta, ttlWithAge(meta, ttlMs, leftMs))
      const isTouched = await this.#write(name, head, changed, lifetimeMs)
      await extended
      if (isTouched) return true
    }
    throw new Error('the entry was written too often meanwhile')
  }

  async #read (name: string, generation: BoundToken): Promise<Head | undefined> {
    const { connection, dataFor } = this.#deps
    const { value, node } = connection.isCluster
      // EVAL is used instead of EVALSHA: ASKING covers one command, so it would not cover the EVAL that follows a NOSCRIPT reply.
      ? await callMaster(connection, name, (redis) => redis.evalBuffer(SCRIPTS.cacheHead.lua, 1, name))
      : { value: await dataFor(name).cacheHeadBuffer(name), node: connection.owner(name) }
    if (value === null) return undefined
    const [head, leftMs] = value as [Buffer, number]
    const place = { name, generation, node }
    if (head.length === 0) return { place, head, meta: undefined, leftMs }
    const frame = readFrame(head)
    if (typeof frame === 'string') throw corrupt('touch', frame)
    return { place, head, meta: frame.meta, leftMs }
  }

  async #write (name: string, head: Buffer, changed: Buffer, lifetimeMs: number): Promise<boolean> {
    const { connection, dataFor } = this.#deps
    const args = [head, changed, Math.ceil(lifetimeMs)] as const
    const reply = connection.isCluster
      ? (await callMaster(connection, name, (redis) => redis.call('EVAL', SCRIPTS.cacheTouch.lua, 1, name, ...args))).value
      : await dataFor(name).cacheTouch(name, ...args)
    return reply === 1
  }
}

/**
 * Returns a new ttl in milliseconds, counted from the time of storing. It ends `ttlMs` from now on, so that the entry's age stays right.
 */
function ttlWithAge ({ ttlMs: before, windowMs }: FrameMeta, ttlMs: number, leftMs: number): number {
  const ageMs = before === undefined ? 0 : Math.max(0, before - (leftMs - windowMs))
  return Math.min(Math.round(ageMs + ttlMs), MAX_TTL * 1000)
}
