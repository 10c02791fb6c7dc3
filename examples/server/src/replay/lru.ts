/**
 * An exact LRU cache of ids, whose entries never expire. Its hits are those that a real cache of the same size should have. It shares no
 * code with the tested cache.
 */
export class LruSimulation {
  // A Set iterates in the order of insertion, so its first id is the least recently used one.
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
