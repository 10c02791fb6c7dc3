import t from 'tap'
import { KeyRings } from '../../src/advisor/key-leak/key-rings.js'

t.test('slotOf: a key in use keeps its slot, one that is not gives way, and the new one starts empty', async (t) => {
  const rings = new KeyRings(2, 4)
  for (let turn = 0; turn < 5; turn++) t.equal(rings.slotOf(1), 0)
  t.equal(rings.slotOf(2), 1)
  rings.push(1, 0)
  t.equal(rings.slotOf(3), undefined)
  t.equal(rings.slotOf(3), 1)
  t.equal(rings.requests(1), 0)
  t.equal(rings.slotOf(1), 0)
})

t.test('lastOf: how many requests ago, as far as it reaches, also where the ring begins anew', async (t) => {
  const rings = new KeyRings(2, 4)
  const values = new Uint32Array(8)
  for (let turn = 1; turn <= 6; turn++) {
    values[rings.at(1, 0)] = turn
    rings.push(1, turn)
  }
  t.equal(rings.reach(1, 6), 3)
  t.same([6, 5, 4, 3].map((value) => rings.lastOf(values, 1, value, 3)), [1, 2, 3, 0])
  t.equal(rings.lastOf(values, 1, 4, 2), 0)
})

t.test('reach: ends where it is more than an hour ago, with times of today too', async (t) => {
  const now = 1.8e9
  const rings = new KeyRings(1, 8)
  for (const time of [0, 10, 3000]) rings.push(0, now + time)
  t.equal(rings.reach(0, now + 3600), 3)
  t.equal(rings.reach(0, now + 3605), 2)
  t.equal(rings.reach(0, now + 9999), 0)
  t.equal(rings.age(0, 2, now + 11), 1)
})
