// All sizes in this file are those of V8 on a 64-bit machine without pointer compression, which is the default build of Node.
const WORD = 8
const TEXT_HEADER = 16
const OBJECT_HEADER = 24
const ARRAY_OBJECT = 32
const STORE_HEADER = 16
const DICTIONARY_HEADER = 64
const HEAP_NUMBER = 16
/** The number of in-object properties for which V8 reserves memory in `{}`. */
const EMPTY_OBJECT_FIELDS = 4
const TYPED_ARRAY = 184
/** The maximum number of bytes of a typed array's contents that V8 stores in the heap. */
const MAX_ON_HEAP = 64

/** Returns the bytes that V8 uses for a text of `length` UTF-16 units. */
export function textBytes (length: number, isOneByte: boolean): number {
  // V8 has one shared object for the empty text, and one for each text of one Latin-1 character, so these texts use no memory of their own.
  return length === 0 || (length === 1 && isOneByte) ? 0 : TEXT_HEADER + toWords(isOneByte ? length : 2 * length)
}

/** Returns the bytes that V8 uses for a `Uint8Array` with its own buffer, contents included. */
export function typedArrayBytes (length: number): number {
  return TYPED_ARRAY + (length > MAX_ON_HEAP ? toWords(length) : STORE_HEADER + toWords(length))
}

/** Returns the bytes that V8 uses for an array whose elements are references or small integers. */
export function arrayBytes (length: number): number {
  return ARRAY_OBJECT + (length === 0 ? 0 : STORE_HEADER + length * WORD)
}

/** Returns the bytes that V8 uses for an object with this number of named properties, without their values. */
export function objectBytes (properties: number): number {
  return OBJECT_HEADER + (properties === 0 ? EMPTY_OBJECT_FIELDS : properties) * WORD
}

/** Returns the bytes of an object that V8 stores as a hash table, with this number of properties, without names and values. */
export function dictionaryBytes (properties: number): number {
  return OBJECT_HEADER + DICTIONARY_HEADER + 3 * WORD * toCapacity(properties)
}

/** Returns the bytes that V8 uses for `count` properties whose names are array indices, the highest of which is `last`. */
export function elementsBytes (count: number, last: number): number {
  const capacity = toCapacity(count)
  return 3 * capacity <= last ? DICTIONARY_HEADER + 3 * WORD * capacity : STORE_HEADER + (last + 1) * WORD
}

/** Returns the bytes that V8 uses for a number, without the reference to it: none for an integer of 32 bits. */
export function numberBytes (value: number): number {
  return (value | 0) === value && !Object.is(value, -0) ? 0 : HEAP_NUMBER
}

/**
 * Counts the bytes of a `Map` by V8's own rules: it doubles the table when it is full, deleted entries included, and halves it at a
 * quarter. A constant per entry would be wrong by a factor of up to four.
 */
export class MapSize {
  #capacity = 0
  #live = 0
  #deleted = 0

  /** Bytes of the hash table of the `Map`; `0` before the first entry is added. */
  get bytes (): number { return this.#capacity === 0 ? 0 : 72 + this.#capacity * 28 }

  /** Adds a new key of the `Map` to the counted size. */
  add (): void {
    if (this.#live + this.#deleted >= this.#capacity) {
      if (this.#capacity === 0) this.#capacity = 4
      else if (this.#deleted < this.#capacity / 2) this.#capacity *= 2
      this.#deleted = 0
    }
    this.#live++
  }

  /** Subtracts a removed key of the `Map` from the counted size. */
  remove (): void {
    this.#live--
    this.#deleted++
    if (this.#capacity <= 4 || this.#live >= this.#capacity / 4) return
    this.#capacity /= 2
    this.#deleted = 0
  }

  /** Resets the counted size, when the `Map` was replaced by a new one. */
  clear (): void {
    this.#capacity = this.#live = this.#deleted = 0
  }
}

/** Returns the capacity of V8's hash table for a number of entries: half as many again, rounded up to a power of two. */
function toCapacity (entries: number): number {
  return Math.max(4, 2 ** Math.ceil(Math.log2(entries * 1.5)))
}

function toWords (bytes: number): number {
  return Math.ceil(bytes / WORD) * WORD
}
