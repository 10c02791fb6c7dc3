import t from 'tap'
import { settle } from '@x/test-kit/deferred'
import { FakeTime } from '@x/test-kit/fake-time'
import { Health } from '../src/service/health.js'

t.test('health: asks every so often, until it is closed', async (t) => {
  const time = new FakeTime(t)
  let answer = true
  let checks = 0
  const health = new Health(1000, async () => { checks++; return answer })
  t.equal(health.last, undefined, 'not known yet')
  time.advance(999)
  t.equal(checks, 0)
  time.advance(1)
  await settle()
  t.match(health.last, { ok: true, latencyMs: Number, at: /^\d{4}-\d\d-\d\dT/ })
  answer = false
  time.advance(1000)
  await settle()
  t.match(health.last, { ok: false })
  t.equal(checks, 2)
  health.close()
  // The test does not check the number of pending timers, since a connection that an earlier test closed may still have one.
  time.advance(5000)
  await settle()
  t.equal(checks, 2, 'no check after the close')
})

t.test('health: run answers what it found', async (t) => {
  const health = new Health(1000, async () => false)
  t.teardown(() => health.close())
  t.equal(await health.run(), false)
  t.equal(health.last?.ok, false)
})
