// Sizes are those of V8 on a 64-bit machine without pointer compression, which is how Node is built.
const WORD = 8
const TEXT_HEADER = 16
const OBJECT_HEADER = 24
const ARRAY_OBJECT = 32
const STORE_HEADER = 16
const DICTIONARY_HEADER = 64
const HEAP_NUMBER = 16
/** In-object properties of `{}`, which V8 leaves room for. */
const EMPTY_OBJECT_FIELDS = 4
const TYPED_ARRAY = 184
/** Bytes up to which V8 puts the contents of a typed array into the heap. */
const MAX_ON_HEAP = 64

/** Bytes of a text of so many UTF-16 units. */
export function textBytes (length: number, isOneByte: boolean): number {
  // V8 shares the empty text, and those of one Latin-1 character.
  return length === 0 || (length === 1 && isOneByte) ? 0 : TEXT_HEADER + toWords(isOneByte ? length : 2 * length)
}

/** Bytes of a `Uint8Array` of its own, contents included. */
export function typedArrayBytes (length: number): number {
  return TYPED_ARRAY + (length > MAX_ON_HEAP ? toWords(length) : STORE_HEADER + toWords(length))
}

/** Bytes of an array with so many elements that are references or small integers. */
export function arrayBytes (length: number): number {
  return ARRAY_OBJECT + (length === 0 ? 0 : STORE_HEADER + length * WORD)
}

/** Bytes of an object with so many named properties, without its values. */
export function objectBytes (properties: number): number {
  return OBJECT_HEADER + (properties === 0 ? EMPTY_OBJECT_FIELDS : properties) * WORD
}

/** Bytes of an object that V8 has as a hash table of so many properties, without names and values. */
export function dictionaryBytes (properties: number): number {
  return OBJECT_HEADER + DICTIONARY_HEADER + 3 * WORD * toCapacity(properties)
}

/** Bytes of so many properties whose names are array indices, the highest of which is `last`. */
export function elementsBytes (count: number, last: number): number {
  const capacity = toCapacity(count)
  return 3 * capacity <= last ? DICTIONARY_HEADER + 3 * WORD * capacity : STORE_HEADER + (last + 1) * WORD
}

/** Bytes of a number beside the reference to it: none for an integer of 32 bits. */
export function numberBytes (value: number): number {
  return (value | 0) === value && !Object.is(value, -0) ? 0 : HEAP_NUMBER
}

/**
 * Counts the bytes of a `Map` by following V8's own rules: it doubles its table when the table is full, deleted entries
 * included, and halves it at a quarter. A constant per entry would be wrong by a factor of up to four.
 */
export class MapSize {
  #capacity = 0
  #live = 0
  #deleted = 0

  /** Bytes of the table; `0` before the first entry. */
  get bytes (): number { return this.#capacity === 0 ? 0 : 72 + this.#capacity * 28 }

  /** A key was set that was not there. */
  add (): void {
    if (this.#live + this.#deleted >= this.#capacity) {
      if (this.#capacity === 0) this.#capacity = 4
      else if (this.#deleted < this.#capacity / 2) this.#capacity *= 2
      this.#deleted = 0
    }
    this.#live++
  }

  /** A key was deleted that was there. */
  remove (): void {
    this.#live--
    this.#deleted++
    if (this.#capacity <= 4 || this.#live >= this.#capacity / 4) return
    this.#capacity /= 2
    this.#deleted = 0
  }

  /** The map was replaced by a new one. */
  clear (): void {
    this.#capacity = this.#live = this.#deleted = 0
  }
}

/** Entries that a hash table has room for: half as many again, rounded up to a power of two. */
function toCapacity (entries: number): number {
  return Math.max(4, 2 ** Math.ceil(Math.log2(entries * 1.5)))
}

function toWords (bytes: number): number {
  return Math.ceil(bytes / WORD) * WORD
}
