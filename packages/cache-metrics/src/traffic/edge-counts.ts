import type { CacheRegistry } from '@x/cache-core'

// The events of @x/cache-edge that are counted here: packages of the suite do not import one another.
declare module '@x/cache-core/suite' {
  interface CacheEvents {
    edgeCandidate: [route: string, method: string]
    etagMatch: [route: string, method: string]
  }
}

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
