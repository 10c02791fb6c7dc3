import type { TagSnapshot } from './cache.js'

// Versions are never used twice, so a tag that was forgotten and comes back is unlike itself.
interface TagState { hard: number; soft: number; uses: number }

/** One tag as it was when it was captured. */
export interface CapturedTag { readonly tag: string; readonly state: TagState; readonly hard: number; readonly soft: number }

/** What `capture` hands out. */
export class MemorySnapshot {
  constructor (readonly generation: object, readonly tags: readonly CapturedTag[]) {}
}

/**
 * The versions of the tags: invalidating is one increment, whatever the number of entries. A tag is known as long as an
 * entry has it. Of those that were only captured, for a load that may yet end, at most `maxIdle` are: the one captured
 * longest ago is forgotten, so that what was loaded meanwhile is not stored.
 */
export class MemoryTags {
  readonly #used = new Map<string, TagState>()
  // In the order of the last capture. Not an lru-cache, which takes the room for all of `maxIdle` beforehand.
  readonly #idle = new Map<string, TagState>()
  readonly #maxIdle: number
  #version = 0
  #generation: object = {}

  constructor (maxIdle: number) {
    this.#maxIdle = maxIdle
  }

  /** Tags that are known. */
  get size (): number { return this.#used.size + this.#idle.size }

  /** An entry has these tags from now on. */
  hold (tags: readonly CapturedTag[]): void {
    for (const { tag, state } of tags) {
      if (state.uses++ > 0 || this.#idle.get(tag) !== state) continue
      this.#idle.delete(tag)
      this.#used.set(tag, state)
    }
  }

  /** An entry is no more. */
  release (tags: readonly CapturedTag[]): void {
    for (const { tag, state } of tags) {
      if (--state.uses > 0 || this.#used.get(tag) !== state) continue
      this.#used.delete(tag)
      this.#rest(tag, state)
    }
  }

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
      const state = this.#used.get(tag) ?? this.#idle.get(tag)
      if (state === undefined) continue
      if (soft) state.soft = ++this.#version
      else this.#forget(tag, state)
    }
  }

  /** Outdates every snapshot and forgets every tag. */
  clear (): void {
    this.#generation = {}
    for (const [tag, state] of [...this.#used, ...this.#idle]) this.#forget(tag, state)
  }

  #touch (tag: string): TagState {
    const used = this.#used.get(tag)
    if (used !== undefined) return used
    const state = this.#idle.get(tag) ?? { hard: ++this.#version, soft: this.#version, uses: 0 }
    this.#rest(tag, state)
    return state
  }

  #rest (tag: string, state: TagState): void {
    this.#idle.delete(tag)
    if (this.#idle.size >= this.#maxIdle) {
      const [oldest, forgotten] = this.#idle.entries().next().value!
      this.#forget(oldest, forgotten)
    }
    this.#idle.set(tag, state)
  }

  #forget (tag: string, state: TagState): void {
    state.hard = -1
    this.#used.delete(tag)
    this.#idle.delete(tag)
  }

  #select (tags: readonly string[], snapshot: MemorySnapshot): readonly CapturedTag[] {
    if (tags.length === snapshot.tags.length && tags.every((tag, at) => tag === snapshot.tags[at]!.tag)) return snapshot.tags
    return tags.map((tag) => snapshot.tags.find((captured) => captured.tag === tag) ?? this.capture([tag]).tags[0]!)
  }
}
