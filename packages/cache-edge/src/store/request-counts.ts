const ROWS = 4
const WIDTH = 2 ** 12
const MAX_COUNT = 255
/**
 * The number of requests after which all counts are halved. Until then requests for other keys increase each of the four counts of a key by
 * about two. The lowest of these counts is used, which other keys increase less.
 */
const AGED_AFTER = 2 * WIDTH
/** The number of characters at the end of a cache key that are treated as random: two characters for each row of counts. */
const HASH_LENGTH = 2 * ROWS

/**
 * Approximate numbers of recent requests per cache key, never too low: a count-min sketch whose counts are halved regularly, as in TinyLFU
 * (Einziger et al., 2017). Its size is fixed, so that no client can fill it, and no key owns a part of it.
 */
export class RequestCounts {
  readonly #counts = new Uint8Array(ROWS * WIDTH)
  #added = 0

  /**
   * Counts a request for a cache key.
   * @param key ends with a hash in base64url
   */
  add (key: string): void {
    const least = this.of(key)
    if (least < MAX_COUNT) {
      for (let row = 0; row < ROWS; row++) {
        const at = cellOf(key, row)
        // The update is conservative: only the smallest counts grow, since larger counts include other keys.
        if (this.#counts[at] === least) this.#counts[at] = least + 1
      }
    }
    if (++this.#added < AGED_AFTER) return
    this.#added = 0
    for (let at = 0; at < this.#counts.length; at++) this.#counts[at]! >>= 1
  }

  /** Returns the number of recent requests for a cache key; the number is 255 at most. */
  of (key: string): number {
    let least = MAX_COUNT
    for (let row = 0; row < ROWS; row++) least = Math.min(least, this.#counts[cellOf(key, row)]!)
    return least
  }
}

function cellOf (key: string, row: number): number {
  // The last character of a SHA-256 in base64url is skipped, since it has only four bits.
  const at = key.length - 1 - HASH_LENGTH + 2 * row
  return row * WIDTH + ((key.charCodeAt(at) & 63) << 6 | (key.charCodeAt(at + 1) & 63))
}
