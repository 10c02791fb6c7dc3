import { CacheRegistry } from '@x/cache-core'
import t from 'tap'
import { EdgeCounts } from '../src/traffic/edge-counts.js'

t.test('of: counts what the edge announces', async (t) => {
  const cache = new CacheRegistry()
  const counts = EdgeCounts.of(cache)
  cache.events.emit('edgeCandidate', '/a', 'GET')
  cache.events.emit('edgeCandidate', '/b', 'GET')
  cache.events.emit('etagMatch', '/a', 'GET')
  t.match(counts, { candidates: 2, etagMatches: 1 })
})

t.test('of: counts an event once, however often it is asked', async (t) => {
  const cache = new CacheRegistry()
  t.equal(EdgeCounts.of(cache), EdgeCounts.of(cache))
  cache.events.emit('etagMatch', '/a', 'GET')
  t.equal(EdgeCounts.of(cache).etagMatches, 1)
  t.equal(EdgeCounts.of(new CacheRegistry()).etagMatches, 0)
})
