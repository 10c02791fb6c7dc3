import t from 'tap'
import { FakeClock } from '@x/test-kit/fake-clock'
import { Activity } from '../src/service/activity.js'

t.test('activity: a process is idle once no operation ran for five seconds, and busy again with the next', async (t) => {
  const clock = new FakeClock()
  let operations = 0
  const activity = new Activity(() => operations, () => clock.now())
  t.notOk(activity.isIdle(), 'a process that has just begun is busy')
  clock.advance(4.999)
  t.notOk(activity.isIdle())
  clock.advance(0.001)
  t.ok(activity.isIdle())
  operations++
  t.notOk(activity.isIdle())
  clock.advance(4)
  operations++
  t.notOk(activity.isIdle())
  clock.advance(4)
  t.notOk(activity.isIdle())
  clock.advance(1)
  t.ok(activity.isIdle())
})

t.test('activity: a process is not idle while Redis is out of service, and for five seconds after that', async (t) => {
  const clock = new FakeClock()
  let operations: number | undefined = 0
  const activity = new Activity(() => operations, () => clock.now())
  operations = undefined
  clock.advance(60)
  t.notOk(activity.isIdle())
  operations = 7
  t.notOk(activity.isIdle())
  clock.advance(5)
  t.ok(activity.isIdle())
})
