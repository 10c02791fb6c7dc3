import { arrayBytes, dictionaryBytes, elementsBytes, numberBytes, objectBytes, textBytes } from './heap-size.js'
import { isOneByte } from '../../lib/own-text.js'

/**
 * The maximum length, in UTF-16 units, of a text that V8's `JSON.parse` looks up in its table of unique texts: equal short texts share
 * memory.
 */
const MAX_SHARED = 10
/** The maximum length, in UTF-16 units, of a name that is recorded: a UUID has 36, a hash of 32 bytes in hexadecimal 64. */
const MAX_REMEMBERED = 64
const REMEMBERED = 4096

/** Freezes values that were parsed from JSON, and counts the bytes that they use in the heap. */
export class Freezer {
  /**
   * The property names and short texts that were counted before, by a hash of each: V8 stores each of them once, so their bytes count once.
   */
  #known: string[] | undefined

  /**
   * Freezes a value at all depths, and counts its bytes.
   * @param isNarrow no text in the value has a character above U+00FF
   * @returns bytes
   */
  freeze (value: unknown, isNarrow: boolean): number {
    let bytes = 0
    // The parts of the value that are still to be frozen are in a list. Recursion could exceed the call stack, since the app chooses how
    // deeply a value is nested.
    const open = [value]
    while (open.length > 0) {
      const part = open.pop()
      if (typeof part !== 'object' || part === null) {
        bytes += this.#leafBytes(part, isNarrow)
        continue
      }
      bytes += Array.isArray(part) ? arrayBytes(part.length) : this.#fieldBytes(Object.keys(part), isNarrow)
      for (const each of Object.values(part)) open.push(each)
      Object.freeze(part)
    }
    return bytes
  }

  /** Removes all recorded names and texts, and frees their memory. */
  clear (): void {
    this.#known = undefined
  }

  #leafBytes (value: unknown, isNarrow: boolean): number {
    if (typeof value === 'string') return value.length <= MAX_SHARED && this.#isKnown(value) ? 0 : bytesOf(value, isNarrow)
    return typeof value === 'number' ? numberBytes(value) : 0
  }

  #fieldBytes (names: readonly string[], isNarrow: boolean): number {
    // V8 stores the values of properties whose names are array indices in an array, without names, so they are counted apart. `Object.keys`
    // returns these names first.
    let indices = 0
    while (indices < names.length && isIndex(names[indices]!)) indices++
    let newBytes = 0
    for (let at = indices; at < names.length; at++) {
      if (!this.#isKnown(names[at]!)) newBytes += bytesOf(names[at]!, isNarrow)
    }
    const named = names.length - indices
    return (indices === 0 ? 0 : elementsBytes(indices, Number(names[indices - 1]))) +
      // V8 stores an object as a hash table while no other object has the same property names, so an object with new names is counted as
      // one.
      (newBytes === 0 ? objectBytes(named) : newBytes + dictionaryBytes(named))
  }

  #isKnown (text: string): boolean {
    // A longer name counts in each object, since too low a count would let the cache exceed `maxBytes`.
    if (text.length > MAX_REMEMBERED) return false
    let hash = text.length
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash, 31) + text.charCodeAt(at) | 0
    hash = (hash ^ hash >>> 15) & REMEMBERED - 1
    this.#known ??= new Array<string>(REMEMBERED).fill('')
    if (this.#known[hash] === text) return true
    this.#known[hash] = text
    return false
  }
}

function bytesOf (text: string, isNarrow: boolean): number {
  return textBytes(text.length, isNarrow || isOneByte(text))
}

function isIndex (name: string): boolean {
  const first = name.charCodeAt(0)
  return first >= 0x30 && first <= 0x39 && String(Number(name) >>> 0) === name
}
