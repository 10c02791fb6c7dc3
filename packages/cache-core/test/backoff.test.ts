import t from 'tap'
import { Backoff } from '../src/loading/backoff.js'
import { FakeClock } from '@x/test-kit/fake-clock'

t.test('isActive: for the given time from the failure on, to its exact end', async (t) => {
  const clock = new FakeClock()
  const backoff = new Backoff({ clock })
  t.notOk(backoff.isActive('a'))
  clock.advance(100)
  backoff.start('a', 1000)
  t.ok(backoff.isActive('a'))
  t.notOk(backoff.isActive('b'))
  clock.advance(0.999)
  t.ok(backoff.isActive('a'))
  clock.advance(0.001)
  t.notOk(backoff.isActive('a'))
})

t.test('start: counts anew from the last failure', async (t) => {
  const clock = new FakeClock()
  const backoff = new Backoff({ clock })
  backoff.start('a', 1000)
  clock.advance(0.5)
  backoff.start('a', 1000)
  clock.advance(0.999)
  t.ok(backoff.isActive('a'))
})

t.test('start: what is no time is none', async (t) => {
  const backoff = new Backoff({ clock: new FakeClock() })
  for (const ms of [0, -1, NaN]) {
    backoff.start('a', ms)
    t.notOk(backoff.isActive('a'), String(ms))
  }
})

t.test('end: is over at once, for this key alone', async (t) => {
  const backoff = new Backoff({ clock: new FakeClock() })
  backoff.start('a', 1000)
  backoff.start('b', 1000)
  backoff.end('a')
  t.notOk(backoff.isActive('a'))
  t.ok(backoff.isActive('b'))
})

t.test('start: holds a bounded number of keys; the one that failed longest ago makes room', async (t) => {
  const backoff = new Backoff({ clock: new FakeClock() })
  for (let at = 0; at < Backoff.MAX_KEYS; at++) backoff.start(`key:${at}`, 1000)
  backoff.start('key:0', 1000)
  backoff.start('one more', 1000)
  t.notOk(backoff.isActive('key:1'))
  t.ok(backoff.isActive('key:0'))
  t.ok(backoff.isActive('key:2'))
  t.ok(backoff.isActive('one more'))
})

t.test('isActive: goes by the clock that its owner has now', async (t) => {
  const owner = { clock: new FakeClock() }
  const backoff = new Backoff(owner)
  backoff.start('a', 1000)
  owner.clock = new FakeClock()
  owner.clock.advance(2)
  t.notOk(backoff.isActive('a'))
})
