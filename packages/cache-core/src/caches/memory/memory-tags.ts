import type { TagSnapshot } from '../../contract/cache.js'
import { arrayBytes, MapSize, objectBytes, textBytes } from './heap-size.js'
import { isOneByte, ownText } from '../../lib/own-text.js'

/** The value of `TagState.soft` of a tag that was invalidated or forgotten: entries and snapshots that refer to this state are invalid. */
const GONE = -1
/** The version that an entry gets if one of its tags was invalidated softly during its load: the entry is stale from the start. */
const NEVER_FRESH = -2
const STATE_BYTES = objectBytes(4)

/** The state of a tag in this process, from its first capture until it is invalidated or forgotten; afterwards the tag gets a new state. */
export interface TagState {
  readonly tag: string
  /** Bytes of the tag's state, including the text of the tag. */
  readonly bytes: number
  /** The number of soft invalidations of this cache at the last soft invalidation of this tag; an entry whose version is lower is stale. */
  soft: number
  /** The number of entries that have the tag. */
  uses: number
}

/**
 * The states of an entry's tags. `version`: the number of soft invalidations in the cache when the states were captured; a later soft
 * invalidation has a higher number.
 */
export interface EntryTags { readonly states: readonly TagState[]; readonly version: number }

/** The snapshot of tags that `capture` of a `MemoryCache` returns. */
export class MemorySnapshot implements EntryTags {
  constructor (readonly generation: object, readonly states: readonly TagState[], readonly version: number) {}
}

/** The maximum number, and the maximum bytes, of tags that no entry has. */
export interface TagLimits { readonly maxIdle: number; readonly maxIdleBytes: number }

/**
 * The states of the tags of a `MemoryCache`. An invalidation assigns one number to the state of the tag, however many entries have the tag.
 * A tag that an entry has is never forgotten. Tags without an entry, captured for a pending load, are bounded: the tag captured longest ago
 * is forgotten, and a value loaded under it is not stored.
 */
export class MemoryTags {
  #used = new Map<string, TagState>()
  // The tags that no entry has, in the order of their last capture.
  #idle = new Map<string, TagState>()
  readonly #usedSize = new MapSize()
  readonly #idleSize = new MapSize()
  readonly #limits: TagLimits
  #stateBytes = 0
  #idleBytes = 0
  #version = 0
  #generation: object = {}

  constructor (limits: TagLimits) {
    this.#limits = limits
  }

  /** Returns the bytes that these tags use in a cache with no other tags: their states, and the map in which the states are found. */
  static bytesOf (states: readonly TagState[]): number {
    const size = new MapSize()
    let bytes = 0
    for (const state of states) {
      size.add()
      bytes += state.bytes
    }
    return bytes + size.bytes
  }

  /** The number of tags whose state this cache has. */
  get size (): number { return this.#used.size + this.#idle.size }

  /** Bytes of all tags whose state is known, and of invalidated tags that entries still refer to. */
  get bytes (): number { return this.#stateBytes + this.#usedSize.bytes + this.#idleSize.bytes }

  /** Counts one more entry with each of these tags. */
  hold (states: readonly TagState[]): void {
    for (const state of states) {
      if (state.uses++ > 0 || this.#idle.get(state.tag) !== state) continue
      this.#unrest(state)
      this.#used.set(state.tag, state)
      this.#usedSize.add()
    }
  }

  /** Counts one entry less with each of these tags. */
  release (states: readonly TagState[]): void {
    for (const state of states) {
      if (--state.uses > 0) continue
      if (state.soft === GONE) {
        this.#stateBytes -= state.bytes
        continue
      }
      this.#used.delete(state.tag)
      this.#usedSize.remove()
      this.#rest(state)
    }
    this.#trim()
  }

  capture (tags: readonly string[]): MemorySnapshot {
    const states = tags.map((tag) => this.#touch(tag))
    this.#trim()
    return new MemorySnapshot(this.#generation, states, this.#version)
  }

  /**
   * Returns the tags of an entry: those of the snapshot, or the given tags; given tags that the snapshot lacks are captured now. Returns
   * `undefined` if the snapshot is outdated, or was made by another cache. The caller passes the returned states to `hold`, which counts
   * the entry with these tags, before the next capture, which may forget tags that no entry has.
   */
  resolve (tags: readonly string[] | undefined, snapshot: TagSnapshot | undefined): EntryTags | undefined {
    if (snapshot === undefined) return { states: (tags ?? []).map((tag) => this.#touch(tag)), version: this.#version }
    if (!(snapshot instanceof MemorySnapshot) || snapshot.generation !== this.#generation) return undefined
    const covered = tags === undefined ? snapshot.states : snapshot.states.filter(({ tag }) => tags.includes(tag))
    if (!this.isValid(covered)) return undefined
    const isComplete = tags === undefined || (covered.length === tags.length && covered.every(({ tag }, at) => tag === tags[at]))
    return {
      states: isComplete ? covered : tags.map((tag) => this.#touch(tag)),
      version: this.isFresh(covered, snapshot.version) ? this.#version : NEVER_FRESH
    }
  }

  isValid (states: readonly TagState[]): boolean {
    return states.every(isValidState)
  }

  /** Whether none of the tags was invalidated, softly or not, after the given version (a number of soft invalidations). */
  isFresh (states: readonly TagState[], version: number): boolean {
    return version !== NEVER_FRESH && states.every((state) => isFreshState(state, version))
  }

  invalidate (tags: readonly string[], soft: boolean): void {
    for (const tag of tags) {
      const state = this.#used.get(tag) ?? this.#idle.get(tag)
      if (state === undefined) continue
      if (soft) state.soft = ++this.#version
      else this.#forget(state)
    }
  }

  /** Forgets the tags that no entry has. */
  clearIdle (): void {
    for (const state of this.#idle.values()) state.soft = GONE
    this.#stateBytes -= this.#idleBytes
    this.#idleBytes = 0
    this.#idle = new Map()
    this.#idleSize.clear()
  }

  /** Makes every snapshot of tags outdated, and forgets all tags; called when the cache is cleared. */
  clear (): void {
    this.#generation = {}
    for (const state of this.#used.values()) state.soft = GONE
    this.clearIdle()
    this.#stateBytes = 0
    this.#used = new Map()
    this.#usedSize.clear()
  }

  /** Returns the state of a tag. A tag that no entry has moves to the end of the order in which tags are forgotten. */
  #touch (tag: string): TagState {
    const used = this.#used.get(tag)
    if (used !== undefined) return used
    let state = this.#idle.get(tag)
    if (state === undefined) {
      state = { tag: ownText(tag), bytes: STATE_BYTES + textBytes(tag.length, isOneByte(tag)), soft: 0, uses: 0 }
      this.#stateBytes += state.bytes
    } else {
      this.#unrest(state)
    }
    this.#rest(state)
    return state
  }

  #rest (state: TagState): void {
    this.#idle.set(state.tag, state)
    this.#idleSize.add()
    this.#idleBytes += state.bytes
  }

  #unrest (state: TagState): void {
    this.#idle.delete(state.tag)
    this.#idleSize.remove()
    this.#idleBytes -= state.bytes
  }

  #trim (): void {
    while (this.#idle.size > this.#limits.maxIdle || this.#idleBytes > this.#limits.maxIdleBytes) {
      this.#forget(this.#idle.values().next().value!)
    }
  }

  #forget (state: TagState): void {
    state.soft = GONE
    if (state.uses > 0) {
      // Entries with the tag still refer to its state, so the bytes of the state are counted until these entries are removed.
      this.#used.delete(state.tag)
      this.#usedSize.remove()
    } else {
      this.#unrest(state)
      this.#stateBytes -= state.bytes
    }
  }
}

/** Whether a tag was not invalidated, other than softly, and not forgotten. */
export function isValidState ({ soft }: TagState): boolean {
  return soft !== GONE
}

/** Whether a tag was not invalidated, softly or not, after the given version. */
export function isFreshState ({ soft }: TagState, version: number): boolean {
  return soft <= version && soft !== GONE
}

/** Returns the bytes of the array of tag states that each entry with more than two tags has. */
export function statesBytes (states: readonly TagState[]): number {
  return states.length <= 2 ? 0 : arrayBytes(states.length - 2)
}
