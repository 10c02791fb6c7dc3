import t from 'tap'
import { LagCounts } from '../../src/advisor/key-leak/lag-counts.js'

t.test('age: counts are halved and never run over; what is rare stays if it is rounded up', async (t) => {
  for (const isRoundedUp of [true, false]) {
    const counts = new LagCounts(2, 4, isRoundedUp)
    counts.add(1, 2)
    for (let request = 2; request <= 100_000; request++) {
      counts.add(1, 3)
      counts.age(1, request, request)
      if (counts.here(1, 3) > 250 || counts.anywhere(3) > 2100) t.fail(String(request))
    }
    t.equal(counts.here(1, 2), Number(isRoundedUp))
    t.equal(counts.anywhere(2), Number(isRoundedUp))
    t.equal(counts.sumHere(0), 0)
    t.equal(counts.sumHere(1), counts.here(1, 2) + counts.here(1, 3))
    t.equal(counts.sumAnywhere(), counts.anywhere(2) + counts.anywhere(3))
  }
})

t.test('clear: of a slot, and of all', async (t) => {
  const counts = new LagCounts(2, 4, true)
  for (const slot of [0, 1]) counts.add(slot, 1)
  counts.clear(0)
  t.same([counts.here(0, 1), counts.here(1, 1), counts.anywhere(1)], [0, 1, 2])
  counts.clearAll()
  t.same([counts.here(1, 1), counts.anywhere(1)], [0, 0])
})
