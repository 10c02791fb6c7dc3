import t from 'tap'
import { hashKey, HASHES } from '../../src/advisor/hash.js'
import { KeySample } from '../../src/advisor/curve/key-sample.js'

t.test('KeySample: is exact up to 1024 keys', async (t) => {
  const sample = new KeySample()
  t.equal(sample.distinct, 0)
  t.equal(sample.onceShare, 0)
  for (let id = 0; id < 1024; id++) sample.note(hashKey(`key-${id}`))
  for (let id = 0; id < 256; id++) sample.note(hashKey(`key-${id}`))
  for (let id = 0; id < 256; id++) sample.note(hashKey(`key-${id}`))
  t.equal(sample.limit, HASHES)
  t.equal(sample.distinct, 1024)
  t.equal(sample.onceShare, 0.75)
})

t.test('KeySample: hash 0 is a key like any other', async (t) => {
  const sample = new KeySample()
  sample.note(0)
  t.equal(sample.distinct, 1)
  t.equal(sample.onceShare, 1)
  sample.note(0)
  t.equal(sample.distinct, 1)
  t.equal(sample.onceShare, 0)
})

t.test('KeySample: estimates beyond, within its bounds, and does not grow', async (t) => {
  // Half of the keys are requested a second time, late and in another order.
  const KEYS = 300_000
  for (let salt = 0; salt < 5; salt++) {
    const sample = new KeySample()
    const note = (id: number): void => {
      const hash = hashKey(`${salt}:${id}`)
      if (hash < sample.limit) sample.note(hash)
    }
    for (let id = 0; id < KEYS; id++) note(id)
    for (let id = KEYS - 1; id >= 0; id -= 2) note(id)
    t.ok(Math.abs(sample.distinct / KEYS - 1) < 0.12, `${sample.distinct} keys, salt ${salt}`)
    t.ok(Math.abs(sample.onceShare - 0.5) < 0.07, `${sample.onceShare} asked for once, salt ${salt}`)
    t.ok(sample.bytes <= 10_240)
  }
})
