import t from 'tap'
import { mix } from '../../src/advisor/hash.js'
import { HeldKeys } from '../../src/ledger/held-keys.js'

t.test('count: is exact for few keys, of which each counts once', async (t) => {
  const held = new HeldKeys()
  for (let at = 0; at < 100; at++) held.store(mix(at), 1000, 0)
  for (let at = 0; at < 100; at++) held.store(mix(at), 2000, 0)
  t.equal(held.count(999), 100)
  t.equal(held.count(1000), 100)
  t.equal(held.count(2000), 0)
})

t.test('count: is within a fifth for many keys, without those that have ended or were removed', async (t) => {
  const held = new HeldKeys()
  for (let at = 0; at < 100_000; at++) held.store(mix(at), at < 50_000 ? 1000 : 2000, 0)
  t.ok(Math.abs(held.count(0) - 100_000) < 20_000, String(held.count(0)))
  t.ok(Math.abs(held.count(1000) - 50_000) < 13_000, String(held.count(1000)))
  for (let at = 0; at < 100_000; at++) held.remove(mix(at))
  t.equal(held.count(1000), 0)
})

t.test('count: begins anew once nothing is held, so that few keys after many are exact again', async (t) => {
  for (const end of ['clear', 'time'] as const) {
    const held = new HeldKeys()
    for (let at = 0; at < 10_000; at++) held.store(mix(at), 1000, 0)
    if (end === 'clear') held.clear()
    t.equal(held.count(1000), 0)
    for (let at = 0; at < 20; at++) held.store(mix(at), 3000, 1000)
    t.equal(held.count(2000), 20, end)
  }
})
