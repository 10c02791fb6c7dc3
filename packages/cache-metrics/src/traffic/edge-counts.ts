import type { CacheRegistry } from '@x/cache-core'

const counted = new WeakMap<CacheRegistry, EdgeCounts>()

/** Counts of the events that the edge emitted on one cache. */
export class EdgeCounts {
  /** The counts of a cache: one object per cache, so that two apps that share it do not count an event twice. */
  static of (cache: CacheRegistry): EdgeCounts {
    let counts = counted.get(cache)
    if (counts === undefined) counted.set(cache, counts = new EdgeCounts(cache))
    return counts
  }

  candidates = 0
  etagMatches = 0

  private constructor (cache: CacheRegistry) {
    cache.events.on('edgeCandidate', () => { this.candidates++ })
    cache.events.on('etagMatch', () => { this.etagMatches++ })
  }
}
