import t from 'tap'
import { Deadlines } from '../src/lib/deadlines.js'
import { deferred, settle } from '@x/test-kit/deferred'
import { fakeTimers } from '@x/test-kit/fake-timers'
import { runScript } from '@x/test-kit/run-script'

const outcome = {
  done: (value: string) => `done ${value}`,
  late: (ms: number) => `late ${ms}`,
  failed: (cause: unknown) => `failed ${cause}`
}
function bound (deadlines: Deadlines, pending: PromiseLike<string>): Promise<string> {
  return deadlines.bound(pending, outcome.done, outcome.late, outcome.failed)
}

t.test('bound: is what the call resolves to, or what is made of its rejection', async (t) => {
  const { tick, pending } = fakeTimers(t)
  t.equal(pending, 0)
  const deadlines = new Deadlines(80)
  t.equal(await bound(deadlines, Promise.resolve('value')), 'done value')
  t.equal(await bound(deadlines, Promise.reject(new Error('down'))), 'failed Error: down')
  await tick(10)
})

t.test('bound: ends a call that hangs between its limit and 9/8 of it', async (t) => {
  for (const begin of [0, 1, 5, 9]) {
    await t.test(`begun ${begin} ms into a tick`, async (t) => {
      const { tick } = fakeTimers(t)
      const deadlines = new Deadlines(80)
      void bound(deadlines, new Promise(() => {}))
      await tick(begin)
      let answer: string | undefined
      void bound(deadlines, new Promise(() => {})).then((late) => { answer = late })
      await tick(79)
      t.equal(answer, undefined)
      await tick(11)
      t.equal(answer, 'late 80')
    })
  }
})

t.test('bound: an answer that comes too late changes nothing', async (t) => {
  const { tick } = fakeTimers(t)
  const deadlines = new Deadlines(80)
  for (const settleIt of ['resolve', 'reject'] as const) {
    const late = deferred<string>()
    const call = bound(deadlines, late.promise)
    await tick(90)
    t.equal(await call, 'late 80')
    late[settleIt]('too late')
    await settle()
  }
})

t.test('bound: many calls at once each have their own end, in the order in which they began', async (t) => {
  const { tick } = fakeTimers(t)
  const deadlines = new Deadlines(80)
  const ended: number[] = []
  const hanging = deferred<string>()
  for (let at = 0; at < 1000; at++) {
    const pending = at % 2 === 0 ? hanging.promise : Promise.resolve('value')
    void bound(deadlines, pending).then((answer) => { if (answer.startsWith('late')) ended.push(at) })
    if (at % 100 === 99) await tick(1)
  }
  await tick(90)
  t.same(ended, Array.from({ length: 500 }, (_, at) => at * 2))
})

t.test('bound: calls that end in any order leave the others alone', async (t) => {
  const { tick } = fakeTimers(t)
  const deadlines = new Deadlines(80)
  for (const order of [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]) {
    const values = [0, 1, 2].map(() => deferred<string>())
    const calls = values.map(({ promise }) => bound(deadlines, promise))
    for (const at of order.slice(0, 2)) {
      values[at]!.resolve(String(at))
      t.equal(await calls[at], `done ${at}`)
    }
    await tick(90)
    t.equal(await calls[order[2]!], 'late 80', order.join())
  }
})

t.test('bound: no timer runs while no call is pending', async (t) => {
  const timers = fakeTimers(t)
  const deadlines = new Deadlines(80)
  t.equal(timers.pending, 0)
  const value = deferred<string>()
  const call = bound(deadlines, value.promise)
  t.equal(timers.pending, 1, 'one for all calls')
  void bound(deadlines, value.promise)
  t.equal(timers.pending, 1)
  value.resolve('value')
  await call
  await timers.tick(10)
  t.equal(timers.pending, 0)
  t.equal(await bound(deadlines, Promise.resolve('again')), 'done again')
  await timers.tick(10)
  t.equal(timers.pending, 0)
})

t.test('bound: a limit beyond what timers can count does not end calls at once', async (t) => {
  const { tick } = fakeTimers(t)
  for (const ms of [Infinity, 2 ** 40]) {
    const deadlines = new Deadlines(ms)
    const value = deferred<string>()
    const call = bound(deadlines, value.promise)
    await tick(60_000)
    value.resolve('value')
    t.equal(await call, 'done value')
  }
})

t.test('bound: a long limit holds the process no longer than its calls', async (t) => {
  const timers = fakeTimers(t)
  for (const ms of [60_000, Infinity]) {
    const deadlines = new Deadlines(ms)
    t.equal(await bound(deadlines, Promise.resolve('value')), 'done value')
    t.equal(timers.pending, 0)
    t.equal(await bound(deadlines, Promise.resolve('again')), 'done again')
  }
})

t.test('watch: without holding the process, its timer ends with the first tick that has nothing to watch', async (t) => {
  const timers = fakeTimers(t)
  const deadlines = new Deadlines(30_000, { holdsProcess: false })
  const expired: number[] = []
  const watched = deadlines.watch((ms) => { expired.push(ms) })
  deadlines.watch((ms) => { expired.push(ms) })
  t.ok(deadlines.unwatch(watched))
  t.notOk(deadlines.unwatch(watched))
  t.equal(timers.pending, 1)
  await timers.tick(29_999)
  t.same(expired, [])
  await timers.tick(3751)
  t.same(expired, [30_000])
  t.equal(timers.pending, 0)
})

t.test('bound: leaves nothing behind that keeps a process running', async (t) => {
  const source = `
    import { CacheRegistry } from '@x/cache-core'
    import { CacheClient } from '@x/cache-core/suite'
    const registry = new CacheRegistry({ readTimeoutMs: 40, writeTimeoutMs: 40 })
    const hang = () => new Promise(() => {})
    registry.register({ name: 'hanging', get: hang, set: hang, del: hang })
    const cache = new CacheClient(registry)
    const value = await cache.getOrSet('user:1', () => 'value', { timeoutMs: 60_000 })
    const { ok, error } = await cache.del('user:1')
    console.log(value, ok, error.code)`
  t.equal(await runScript(source), 'value false CACHE_ERR_TIMEOUT\n')
})
