import type { Client } from './connection.js'
import type { Entries } from './entries.js'
import { HEADER_BYTES, isMark, newMark, newPlainPrefix } from './frame.js'
import { GENERATION, RedisSnapshot, type Captured, type TagTokens } from './tag-tokens.js'

/** The tokens before a load, and the header that lay in the entry's slot: its mark, or the entry that is to be replaced. */
export class RedisLease extends RedisSnapshot {
  constructor (
    readonly key: string,
    readonly slot: LeasedSlot,
    generation: Captured,
    tags: ReadonlyMap<string, Captured>
  ) {
    super(generation, tags)
  }
}

/** The slot of an entry as a load found it, and the fence of its master where that is not the generation's. */
export interface LeasedSlot {
  readonly name: string
  readonly header: Buffer
  readonly ownFence: string | undefined
  /** The mark is this load's own: no load that began earlier shares it. */
  readonly isOwnMark: boolean
}

/** What leases rest on. */
export interface LeasesDeps {
  readonly tokens: TagTokens
  readonly entries: Entries
  readonly dataFor: (name: string) => Client
  /** Plain texts in Redis are entries of this cache. */
  readonly isPlainJson: boolean
}

const NO_PREFIX = ''

/**
 * Leases of loads ("Scaling Memcache at Facebook", NSDI 2013, §3.2.1): a load marks the empty slot of its entry before it begins,
 * `del` and `set` remove the mark with the entry, and what was loaded is stored only while the mark stands. All that is lost
 * (eviction, expiry, failover) means that nothing is stored.
 */
export class Leases {
  readonly #deps: LeasesDeps
  #lastGeneration: Captured | undefined

  constructor (deps: LeasesDeps) {
    this.#deps = deps
  }

  /**
   * Takes a lease before a load begins: one round trip while the generation is known, or is the last one known.
   *
   * @param lifetimeMs how long tokens that have to be made live at least
   * @param leaseMs how long the mark stands
   */
  async take (key: string, tags: readonly string[], lifetimeMs: number, leaseMs: number): Promise<RedisLease> {
    const { tokens, entries } = this.#deps
    const guess = tokens.remembered(GENERATION) ?? this.#lastGeneration
    const guessed = guess === undefined ? undefined : entries.nameOf(guess, key)
    const early = guessed === undefined ? undefined : this.#mark(guessed, leaseMs)
    // The tokens may be refused first; the failure of the mark has nobody to tell then.
    early?.catch(() => {})
    const captured = await tokens.capture([GENERATION, ...tags], lifetimeMs)
    const generation = captured.get(GENERATION)!
    captured.delete(GENERATION)
    this.#lastGeneration = generation
    const name = entries.nameOf(generation, key)
    const slot = early !== undefined && name === guessed ? await early : await this.#mark(name, leaseMs)
    return new RedisLease(key, slot, generation, captured)
  }

  /** Whether nothing has changed since: no token, not the slot, not its master. One round trip; none of it is remembered as a lease. */
  async isCurrent ({ slot, generation, tags }: RedisLease): Promise<boolean> {
    const { tokens, entries, dataFor } = this.#deps
    const [header, areCurrent] = await Promise.all([
      dataFor(slot.name).getrangeBuffer(slot.name, 0, HEADER_BYTES - 1),
      tokens.areCurrent([{ tag: GENERATION, ...generation }, ...[...tags].map(([tag, token]) => ({ tag, ...token }))])
    ])
    return areCurrent && header.equals(slot.header) && await entries.ownFence(slot.name) === slot.ownFence
  }

  /** Gives a lease up: a mark that this load made is removed; an entry stays. */
  async release ({ slot }: RedisLease): Promise<void> {
    if (slot.isOwnMark) await this.#deps.dataFor(slot.name).cacheUnmark(slot.name, slot.header)
  }

  async #mark (name: string, leaseMs: number): Promise<LeasedSlot> {
    const { entries, dataFor, isPlainJson } = this.#deps
    const ownFence = await entries.ownFence(name)
    const mark = newMark()
    const header = await dataFor(name).cacheLeaseBuffer(name, mark, Math.ceil(leaseMs), isPlainJson ? newPlainPrefix() : NO_PREFIX)
    if (await entries.ownFence(name) !== ownFence) throw new Error('the server that answered changed meanwhile')
    return { name, header, ownFence, isOwnMark: isMark(header) && header.equals(mark) }
  }
}
