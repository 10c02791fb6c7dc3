import { TAG } from '../curve/access-kinds.js'

const FIRST_ROOM = 64
const BYTES_PER_ACCESS = 9

/** The accesses of a ring, the oldest first, in arrays of equal length. */
export interface Accesses {
  /** The kind of each access, as a number of `access-kinds.ts`. */
  readonly kinds: Uint8Array
  /** The hash of the key of each access, or of the tag of an invalidation. */
  readonly hashes: Uint32Array
  /**
   * The word of each access: its time in milliseconds since 1970, modulo 2^32. The tag of an entry is an access of the kind `TAG` or above:
   * its word is the hash of the tag, and its time is that of the access before it.
   */
  readonly words: Uint32Array
}

/** The last accesses to some keys, in a ring buffer. The tables grow up to the maximum; then each new access replaces the oldest one. */
export class AccessRing {
  #max: number
  #kinds = new Uint8Array(FIRST_ROOM)
  #hashes = new Uint32Array(FIRST_ROOM)
  #words = new Uint32Array(FIRST_ROOM)
  #first = 0
  #count = 0
  /** Whether the ring has dropped older accesses. */
  hasDropped = false

  constructor (max: number) {
    this.#max = max
  }

  get bytes (): number { return this.#kinds.length * BYTES_PER_ACCESS }

  add (kind: number, hash: number, word: number): void {
    const room = this.#kinds.length
    if (this.#count === room) {
      if (room < this.#max) {
        this.#resize(Math.min(2 * room, this.#max))
        return this.add(kind, hash, word)
      }
      this.#first = this.#first + 1 === room ? 0 : this.#first + 1
      this.#count--
      this.hasDropped = true
    }
    const end = this.#first + this.#count++
    const at = end >= room ? end - room : end
    this.#kinds[at] = kind
    this.#hashes[at] = hash
    this.#words[at] = word
  }

  /** Changes the maximum number of accesses in the ring, and drops the oldest accesses beyond it. */
  limitTo (max: number): void {
    this.#max = max
    if (this.#kinds.length > max) this.#resize(max)
  }

  /**
   * Copies the accesses. If older accesses were dropped, tags at the beginning are left out, since the access that has their time was
   * dropped, too.
   */
  accesses (): Accesses {
    const { kinds, hashes, words } = this.#copy(this.#count, this.#count)
    let first = 0
    if (this.hasDropped) while (first < kinds.length && kinds[first]! >= TAG) first++
    return { kinds: kinds.subarray(first), hashes: hashes.subarray(first), words: words.subarray(first) }
  }

  /** Copies the newest `count` accesses to tables of the length `room`. */
  #copy (count: number, room: number): Accesses {
    const skipped = this.#count - count
    const moved = <T extends Uint8Array | Uint32Array>(from: T, to: T): T => {
      const begin = (this.#first + skipped) % from.length
      const upToEnd = Math.min(count, from.length - begin)
      to.set(from.subarray(begin, begin + upToEnd))
      to.set(from.subarray(0, count - upToEnd), upToEnd)
      return to
    }
    return {
      kinds: moved(this.#kinds, new Uint8Array(room)),
      hashes: moved(this.#hashes, new Uint32Array(room)),
      words: moved(this.#words, new Uint32Array(room))
    }
  }

  #resize (room: number): void {
    const count = Math.min(this.#count, room)
    if (count < this.#count) this.hasDropped = true
    const { kinds, hashes, words } = this.#copy(count, room)
    this.#kinds = kinds as Uint8Array<ArrayBuffer>
    this.#hashes = hashes as Uint32Array<ArrayBuffer>
    this.#words = words as Uint32Array<ArrayBuffer>
    this.#first = 0
    this.#count = count
  }
}
