import type { CacheRegistry } from '@x/cache-core'

// The events of @x/cache-edge that this package counts. They are declared here, since packages of the suite do not import one another.
declare module '@x/cache-core/suite' {
  interface CacheEvents {
    edgeCandidate: [route: string, method: string]
    etagMatch: [route: string, method: string]
  }
}

const counted = new WeakMap<CacheRegistry, EdgeCounts>()

/** Counts the events that @x/cache-edge emits on one cache. */
export class EdgeCounts {
  /**
   * Returns the counts of edge events for a cache. There is one object per cache, so that two apps with the same cache do not count an
   * event twice.
   */
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
