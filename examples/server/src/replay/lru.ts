/**
 * An exact LRU cache of ids with a number of entries that never expire: the expected hits of a real cache of that size. It
 * shares no code with the tested cache.
 */
export class LruSimulation {
  // A Set iterates in the order of insertion: the first id is the least recently used one.
  readonly #held = new Set<string>()
  hits = 0
  misses = 0

  constructor (readonly maxEntries: number) {}

  request (id: string): void {
    if (this.#held.delete(id)) {
      this.hits++
    } else {
      this.misses++
      if (this.#held.size >= this.maxEntries) this.#held.delete(this.#held.values().next().value!)
    }
    this.#held.add(id)
  }
}
