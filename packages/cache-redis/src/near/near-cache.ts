import type { Result } from '@x/cache-core'
import { ok, STORED_NULL, type SharedEntry } from '@x/cache-core/implementing'
import { BYTES, entryBytes, Freezer, MemoryBounds, MemoryEntries, MemoryTags, type NewEntry } from '@x/cache-core/suite'
import type { Connection } from '../connection/connection.js'
import { isJsonText, type Serializer } from '../entries/serializers.js'
import { ageOf, longestMs, type FoundEntry, type StoredEntry } from '../entries/found-entry.js'
import type { EntryTag } from '../entries/frame.js'
import { GENERATION, type Keys } from '../entries/keys.js'
import type { TagTokens } from '../tags/tag-tokens.js'
import { PendingReads, type PendingRead } from '../tracking/pending-reads.js'
import { nearBytes, SERIALISED, toNearValue, valueOf, type NearEntry } from './near-entry.js'
import type { NearSettings } from './near-options.js'
import type { NearStatus } from './near-status.js'

/** The functions and objects that the near cache uses. */
export interface NearDeps {
  readonly connection: Connection
  readonly keys: Keys
  readonly tokens: TagTokens
  readonly serializer: Serializer
  readonly ageBoundMs: number
  /** Milliseconds of a clock that does not run backwards, up to a millisecond late. */
  readonly now: () => number
}

/** A pending read of an entry from Redis, for the near cache; `sentAt`: the time immediately before the command was sent. */
export interface NearRead { readonly pending: PendingRead; readonly sentAt: number }

const NO_STATES: NewEntry['states'] = []
/** Milliseconds by which the clock of the near cache may be behind the exact time. */
const CLOCK_MS = 1
/** The `version` of a copy that was not compared yet with the remembered tokens; a comparison replaces it by their version. */
const NEVER = -1
/** The share of `maxEntries` and `maxBytes` that stored HTTP responses may fill; if they fill more, they are evicted before other copies. */
const RESPONSE_SHARE = 0.5

/**
 * Copies of entries in this process, in front of Redis. A copy is removed by a message about its key, and by the writes of this process. It
 * is made by a read during which no message about the key arrived. It is served only while remembered tokens prove that it is valid and the
 * messages of its master arrive.
 */
export class NearCache {
  readonly #deps: NearDeps
  readonly #entries: MemoryEntries
  readonly #bounds: MemoryBounds
  readonly #freezer: Freezer | undefined
  readonly #reads = new PendingReads()
  // The parts that every read uses are copied to private fields, since a field is faster than a nested property.
  readonly #now: () => number
  readonly #tokens: TagTokens
  readonly #cluster: Connection | undefined
  readonly #deserialize: (bytes: Buffer) => unknown
  /** The token of the generation, by which an entry without tags is proved valid; all such entries share this list to save memory. */
  #untagged: readonly EntryTag[] = []
  #hits = 0

  constructor ({ maxEntries, maxBytes, isolation }: NearSettings, deps: NearDeps) {
    this.#deps = deps
    this.#now = deps.now
    this.#tokens = deps.tokens
    this.#cluster = deps.connection.isCluster ? deps.connection : undefined
    this.#deserialize = (bytes) => deps.serializer.deserialize(bytes)
    this.#freezer = isolation === 'freeze' ? new Freezer() : undefined
    this.#entries = new MemoryEntries(maxEntries)
    // The limits of a `MemoryCache` require a table of tag states. It stays empty, since tokens decide whether a copy is valid.
    const noTags = new MemoryTags({ maxIdle: 1, maxIdleBytes: 0 })
    this.#bounds = new MemoryBounds(this.#entries, noTags, { maxEntries, maxBytes, responseShare: RESPONSE_SHARE })
  }

  get status (): NearStatus {
    return { entries: this.#entries.size, bytes: this.#bounds.bytes, hits: this.#hits, ageBoundMs: this.#deps.ageBoundMs }
  }

  /** Returns the value of a fresh copy; `undefined`: the caller must read the entry from Redis. */
  read<T> (key: string): Result<T | null> | undefined {
    const now = this.#now()
    const slot = this.#servable(key, now)
    if (slot === 0 || now - this.#entries.storedAt[slot]! >= this.#entries.ttl[slot]!) return undefined
    const value = this.#valueOf(slot)
    if (value === undefined) return undefined
    this.#hits++
    return value === null ? STORED_NULL : { ok: true, value: value as T }
  }

  /** Returns the copy of an entry, fresh or stale; readers share the bytes of a binary value. `undefined`: the caller must read Redis. */
  share (key: string): Result<SharedEntry | null> | undefined {
    const now = this.#now()
    const slot = this.#servable(key, now)
    if (slot === 0) return undefined
    const { value, ttlMs } = this.#entries.values[slot] as NearEntry
    const shared = this.#entries.kindOf(slot) === BYTES ? value : this.#valueOf(slot)
    if (shared === undefined) return undefined
    this.#hits++
    const ttlLeft = this.#freshMs(slot, now) / 1000
    return ok({ value: shared, fresh: ttlLeft > 0, age: ageOf(ttlMs, ttlLeft) })
  }

  /** Subtracts a read by `share` whose entry was not used, and which is therefore made again. */
  decline (): void { this.#hits-- }

  /** Returns the copy of an entry, fresh or stale, in the form that a read of Redis returns; `undefined`: the caller must read Redis. */
  find (key: string): FoundEntry | undefined {
    const now = this.#now()
    const slot = this.#servable(key, now)
    if (slot === 0) return undefined
    const value = this.#valueOf(slot)
    if (value === undefined) return undefined
    this.#hits++
    const { ttlMs, proofs } = this.#entries.values[slot] as NearEntry
    const windowMs = this.#entries.windowOf(slot)
    const freshMs = this.#freshMs(slot, now)
    return { decoded: { value, ttlMs, windowMs, tags: proofs.slice(1) }, isStale: freshMs <= 0, leftMs: freshMs + windowMs }
  }

  /** Begins a read from Redis whose entry the near cache may hold; call it before the command is sent. */
  begin (key: string): NearRead {
    return { pending: this.#reads.begin(key), sentAt: this.#now() }
  }

  /**
   * Ends a read from Redis. The entry that it found is held in memory, unless a message about the key arrived during the read, or messages
   * may have been missed.
   */
  end ({ pending, sentAt }: NearRead, found: StoredEntry | null): void {
    const mayBeHeld = this.#reads.end(pending)
    const key = pending.name
    // With 'freeze' the value is frozen even if no copy is held, so that every reader gets an object that it cannot change.
    const stored = found !== null && (mayBeHeld || this.#freezer !== undefined)
      ? toNearValue(found.decoded, isJsonText(this.#deps.serializer, found.decoded.payload), this.#freezer)
      : undefined
    const entry = found === null || stored === undefined ? undefined : this.#toEntry(found, stored.value)
    if (!mayBeHeld || found === null || stored === undefined || entry === undefined || !this.#isProven(entry, this.#now())) {
      this.#remove(key)
      return
    }
    const { windowMs } = found.decoded
    const held: NewEntry = {
      kind: stored.kind,
      value: entry,
      bytes: nearBytes(stored.bytes, entry.proofs),
      storedAt: sentAt,
      ttl: Math.min(found.leftMs!, longestMs(found.decoded)) - windowMs,
      window: windowMs,
      states: NO_STATES,
      version: 0
    }
    this.#hold(key, held)
  }

  #hold (key: string, held: NewEntry): void {
    const slot = this.#entries.slotOf(key)
    if (slot === 0) this.#entries.add(key, held)
    else this.#entries.replace(slot, held)
    if (!this.#bounds.isExceeded) return
    // An entry that exceeds a limit by itself is removed, and evicts no other copy.
    if (entryBytes(key, held) <= this.#bounds.limitOf(key)) this.#bounds.makeRoom()
    if (this.#bounds.isExceeded) this.#remove(key)
  }

  /** Removes the copy of a key's entry. Reads of the key that are in progress store no copy. */
  forget (key: string): void {
    this.#reads.outdate(key)
    this.#remove(key)
  }

  /** Removes the copies of the entries whose Redis keys have changed according to a message. */
  forgetNames (names: readonly string[]): void {
    for (const name of names) {
      const key = this.#deps.keys.keyOf(name)
      if (key !== undefined) this.forget(key)
    }
  }

  /** Removes all copies of the near cache. Reads that are in progress store no copy. */
  clear (): void {
    this.#reads.outdateAll()
    this.#entries.clear()
    this.#freezer?.clear()
    this.#untagged = []
  }

  #remove (key: string): void {
    this.#bounds.remove(this.#entries.slotOf(key))
  }

  /** Returns the slot (number) of a copy that may be served, fresh or stale by its time; `0`: there is none. */
  #servable (key: string, now: number): number {
    const entries = this.#entries
    const slot = entries.slotOf(key)
    if (slot === 0) return 0
    if (now - entries.storedAt[slot]! >= entries.ttl[slot]! + entries.windowOf(slot)) {
      this.#bounds.remove(slot)
      return 0
    }
    if (!this.#isProven(entries.values[slot] as NearEntry, now)) return 0
    entries.use(slot)
    return slot
  }

  /**
   * Whether a copy is valid: the messages of its master arrive, and the remembered tokens are those of the entry. The tokens are compared
   * once per version of the remembered tokens; in a Cluster at each read, since the tokens of one entry may be on different masters.
   */
  #isProven (entry: NearEntry, now: number): boolean {
    const { node } = entry
    if (node.serverId !== entry.serverId || !node.isTrustedAt(now + CLOCK_MS)) return false
    const tokens = this.#tokens
    if (this.#cluster !== undefined) return this.#cluster.ownerOfSlot(entry.slot) === node && tokens.proves(entry.proofs, node)
    const { version } = tokens
    if (entry.version === version) return true
    if (!tokens.proves(entry.proofs, node)) return false
    entry.version = version
    return true
  }

  #freshMs (slot: number, now: number): number {
    return this.#entries.ttl[slot]! - (now - this.#entries.storedAt[slot]!)
  }

  /** Returns the value of a copy. If the app's serializer cannot read the copy, removes it and returns `undefined`. */
  #valueOf (slot: number): unknown {
    const { value } = this.#entries.values[slot] as NearEntry
    const kind = this.#entries.kindOf(slot)
    if (kind !== SERIALISED) return valueOf(kind, value, this.#deserialize)
    try {
      return valueOf(kind, value, this.#deserialize)
    } catch {
      // The error is not reported here: the value is now read from Redis, and that read reports it.
      this.#bounds.remove(slot)
      return undefined
    }
  }

  /** Returns the copy to be held of an entry; `undefined`: none, since its master is not known or its Redis key has no expiry. */
  #toEntry ({ decoded, leftMs, place: { node, generation, name } }: StoredEntry, value: unknown): NearEntry | undefined {
    if (node === undefined || leftMs === undefined || leftMs <= 0) return undefined
    const { ttlMs, tags, ownServerId } = decoded
    const slot = this.#deps.connection.slotOf(name)
    const proofs = this.#proofsOf(generation, tags)
    return { value, proofs, ttlMs, node, serverId: ownServerId ?? generation.serverId, slot, version: NEVER }
  }

  #proofsOf ({ token, serverId }: StoredEntry['place']['generation'], tags: readonly EntryTag[]): readonly EntryTag[] {
    const last = this.#untagged[0]
    const generation = last?.token === token && last.serverId === serverId ? last : { tag: GENERATION, token, serverId }
    if (tags.length > 0) return [generation, ...tags]
    if (generation !== last) this.#untagged = [generation]
    return this.#untagged
  }
}
