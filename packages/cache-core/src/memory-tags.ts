import type { TagSnapshot } from './cache.js'

// Versions are never used twice, so a tag that was forgotten and comes back is unlike itself.
interface TagState { hard: number; soft: number }

/** One tag as it was when it was captured. */
export interface CapturedTag { readonly tag: string; readonly state: TagState; readonly hard: number; readonly soft: number }

/** What `capture` hands out. */
export class MemorySnapshot {
  constructor (readonly generation: object, readonly tags: readonly CapturedTag[]) {}
}

/**
 * The versions of the tags in use: invalidating is one increment, whatever the number of entries. Bounded: the tag that was
 * captured longest ago is forgotten, which makes its entries misses, never stale ones.
 */
export class MemoryTags {
  // In the order of the last capture. Not an lru-cache, which takes the room for all of `maxTags` beforehand.
  readonly #states = new Map<string, TagState>()
  readonly #maxTags: number
  #version = 0
  #generation: object = {}

  constructor (maxTags: number) {
    this.#maxTags = maxTags
  }

  /** Tags that are remembered. */
  get size (): number { return this.#states.size }

  capture (tags: readonly string[]): MemorySnapshot {
    return new MemorySnapshot(this.#generation, tags.map((tag) => {
      const state = this.#touch(tag)
      return { tag, state, hard: state.hard, soft: state.soft }
    }))
  }

  /**
   * The captured tags of an entry: those of the snapshot, or the given ones, of which those that the snapshot lacks are
   * captured now. `undefined` if the snapshot is outdated, or not one of these tags.
   */
  resolve (tags: readonly string[] | undefined, snapshot: TagSnapshot | undefined): readonly CapturedTag[] | undefined {
    if (snapshot === undefined) return this.capture(tags ?? []).tags
    if (!(snapshot instanceof MemorySnapshot) || snapshot.generation !== this.#generation) return undefined
    const captured = tags === undefined ? snapshot.tags : this.#select(tags, snapshot)
    return this.isValid(captured) ? captured : undefined
  }

  isValid (tags: readonly CapturedTag[]): boolean {
    return tags.every(({ state, hard }) => state.hard === hard)
  }

  isFresh (tags: readonly CapturedTag[]): boolean {
    return tags.every(({ state, soft }) => state.soft === soft)
  }

  invalidate (tags: readonly string[], soft: boolean): void {
    for (const tag of tags) {
      const state = this.#states.get(tag)
      if (state === undefined) continue
      if (soft) state.soft = ++this.#version
      else this.#forget(tag, state)
    }
  }

  /** Outdates every snapshot and forgets every tag. */
  clear (): void {
    this.#generation = {}
    for (const [tag, state] of this.#states) this.#forget(tag, state)
  }

  #touch (tag: string): TagState {
    let state = this.#states.get(tag)
    if (state !== undefined) {
      this.#states.delete(tag)
    } else {
      state = { hard: ++this.#version, soft: this.#version }
      if (this.#states.size >= this.#maxTags) {
        const [oldest, forgotten] = this.#states.entries().next().value!
        this.#forget(oldest, forgotten)
      }
    }
    this.#states.set(tag, state)
    return state
  }

  #forget (tag: string, state: TagState): void {
    state.hard = -1
    this.#states.delete(tag)
  }

  #select (tags: readonly string[], snapshot: MemorySnapshot): readonly CapturedTag[] {
    if (tags.length === snapshot.tags.length && tags.every((tag, at) => tag === snapshot.tags[at]!.tag)) return snapshot.tags
    return tags.map((tag) => snapshot.tags.find((captured) => captured.tag === tag) ?? this.capture([tag]).tags[0]!)
  }
}
