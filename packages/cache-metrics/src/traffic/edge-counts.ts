import type { CacheRegistry } from '@x/cache-core'

const counted = new WeakMap<CacheRegistry, EdgeCounts>()

/** What the edge announced through the events of one cache. */
export class EdgeCounts {
  /** One per cache, whoever asks: two apps that share a cache hear the same events, and must not count them twice. */
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
