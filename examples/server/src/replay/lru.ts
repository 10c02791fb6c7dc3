/**
 * An exact LRU cache of so many entries that never expire, of ids alone: what a real cache of that size must answer. It
 * shares no code with the cache that it judges.
 */
export class LruSimulation {
  // A Set keeps the order of insertion: the first id is the least recently used one.
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
