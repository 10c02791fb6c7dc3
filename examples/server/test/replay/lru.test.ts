import t from 'tap'
import { LruSimulation } from '../../src/replay/lru.js'

t.test('LruSimulation: keeps the ids that were asked for last', async (t) => {
  const lru = new LruSimulation(2)
  const isHit = (id: string) => {
    const before = lru.hits
    lru.request(id)
    return lru.hits > before
  }
  // After a and b, the next a makes b the least recently used entry, and c replaces b.
  t.same(['a', 'b', 'a', 'c', 'b', 'a', 'c', 'a', 'c'].map(isHit), [false, false, true, false, false, false, false, true, true])
  t.same([lru.hits, lru.misses], [3, 6])
})

t.test('LruSimulation: with room for all ids only the first request of each misses', async (t) => {
  const lru = new LruSimulation(1000)
  for (let n = 0; n < 5000; n++) lru.request(String(n % 700))
  t.same([lru.hits, lru.misses], [4300, 700])
})

t.test('LruSimulation: a loop over one id more than fits never hits', async (t) => {
  const lru = new LruSimulation(9)
  for (let n = 0; n < 100; n++) lru.request(String(n % 10))
  t.same([lru.hits, lru.misses], [0, 100])
})
