import { listOf } from './list-of.js'
import { isFreshState, isValidState, type TagState } from './memory-tags.js'

/**
 * Bytes per slot of the arrays that hold the tags of entries: `tags` for the first two tags, `more` for further tags, `versions` for the
 * version of the tags.
 */
const BYTES = { tags: 16, more: 8, versions: 8 }
const NONE: readonly TagState[] = []

/**
 * The tags of the entries of a `MemoryCache`, by slot of the entry. The first two tags of an entry have an array of slots each, since an
 * array per entry would use three times the memory of its two references.
 */
export class SlotTags {
  #first: (TagState | undefined)[]
  #second: (TagState | undefined)[]
  /** The third and the further tags; `undefined` until an entry has three tags. */
  #more: (readonly TagState[] | undefined)[] | undefined
  /** The versions of the entries' tags; `undefined`: all are 0, as long as no tag is invalidated softly. */
  #versions: number[] | undefined

  /**
   * Makes slots without tags.
   * @param slots the number of slots of the cache's entries, slot 0 included
   */
  constructor (slots: number) {
    this.#first = listOf<undefined>(slots, undefined)
    this.#second = listOf<undefined>(slots, undefined)
  }

  /** Bytes per slot of the arrays that hold the tags of entries, without the states of the tags. */
  get slotBytes (): number {
    return BYTES.tags + (this.#more === undefined ? 0 : BYTES.more) + (this.#versions === undefined ? 0 : BYTES.versions)
  }

  /** Returns the bytes per slot of the arrays that hold tags, in a cache that contains only one entry, with these tags. */
  static slotBytesOf (states: readonly TagState[], version: number): number {
    return BYTES.tags + (states.length > 2 ? BYTES.more : 0) + (version === 0 ? 0 : BYTES.versions)
  }

  /** Returns the tags of the entry in a slot; `undefined`: it has none. */
  of (slot: number): readonly TagState[] | undefined {
    const first = this.#first[slot]
    const second = this.#second[slot]
    if (first === undefined) return undefined
    return second === undefined ? [first] : [first, second, ...this.#moreOf(slot)]
  }

  /** Sets the tags of the entry in a slot, and their version. */
  set (slot: number, states: readonly TagState[], version: number): void {
    this.#first[slot] = states[0]
    this.#second[slot] = states[1]
    if (states.length > 2) this.#more ??= listOf<undefined>(this.#first.length, undefined)
    if (this.#more !== undefined) this.#more[slot] = states.length > 2 ? states.slice(2) : undefined
    if (version !== 0) this.#versions ??= listOf(this.#first.length, 0)
    if (this.#versions !== undefined) this.#versions[slot] = version
  }

  /** Removes the tags of the entry in a slot. */
  clear (slot: number): void {
    this.#first[slot] = this.#second[slot] = undefined
    if (this.#more !== undefined) this.#more[slot] = undefined
  }

  /** Whether no tag of the entry in a slot was invalidated, softly or not, since the entry was stored. */
  isFresh (slot: number): boolean {
    const first = this.#first[slot]
    if (first === undefined) return true
    const second = this.#second[slot]
    const version = this.#versions === undefined ? 0 : this.#versions[slot]!
    if (!isFreshState(first, version) || (second !== undefined && !isFreshState(second, version))) return false
    return this.#more === undefined || this.#moreOf(slot).every((state) => isFreshState(state, version))
  }

  /** Whether no tag of the entry in a slot was invalidated, other than softly, or forgotten. */
  isValid (slot: number): boolean {
    const first = this.#first[slot]
    if (first === undefined) return true
    const second = this.#second[slot]
    if (!isValidState(first) || (second !== undefined && !isValidState(second))) return false
    return this.#more === undefined || this.#moreOf(slot).every(isValidState)
  }

  /** Extends the arrays when the cache gets more slots for entries. */
  grow (added: number): void {
    this.#first = this.#first.concat(listOf<undefined>(added, undefined))
    this.#second = this.#second.concat(listOf<undefined>(added, undefined))
    this.#more = this.#more?.concat(listOf<undefined>(added, undefined))
    this.#versions = this.#versions?.concat(listOf(added, 0))
  }

  /**
   * Copies the tags when the entries move to other slots. `slots[slot]` is the old slot of the entry that moves to `slot`. `length` is the
   * number of slots of the copy.
   */
  moved (slots: readonly number[], length: number): SlotTags {
    const tags = new SlotTags(length)
    for (let slot = 1; slot < slots.length; slot++) {
      const before = slots[slot]!
      tags.set(slot, this.of(before) ?? NONE, this.#versions === undefined ? 0 : this.#versions[before]!)
    }
    return tags
  }

  #moreOf (slot: number): readonly TagState[] {
    return this.#more === undefined ? NONE : this.#more[slot] ?? NONE
  }
}
