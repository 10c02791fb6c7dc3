import { ensureCore } from '@x/cache-core/suite'
import t, { type Test } from 'tap'
import { nameOfSalt } from '../../src/advisor/accesses/advice-state.js'
import { packState } from '../../src/advisor/keeping/packed-state.js'
import { toMarkdown, type Report } from '../../src/advisor/report/report.js'
import { SharedReport } from '../../src/advisor/shared-report.js'
import { build, reportOf, Time } from '../fixtures/advised-app.js'
import { MemoryStore, SALT } from '../fixtures/memory-store.js'
import { Processes } from '../fixtures/processes.js'

const OPTIONS = { ttls: [60], entries: [100] }

/** Makes a shared report that takes some seconds of a clock; returns the number of reports that were made. */
function shared (time: Time, seconds: number, isReusable = true) {
  const made = { count: 0 }
  const reports = new SharedReport(() => time.clock, async () => {
    const requests = ++made.count
    await Promise.resolve()
    time.advance(seconds)
    return { report: { requests } as Report, isReusable }
  })
  return { made, ask: async () => (await reports.get()).requests }
}

t.test('get: clients that ask together get one report', async (t) => {
  const { ask } = shared(new Time(), 0)
  t.same(await Promise.all([ask(), ask(), ask()]), [1, 1, 1])
  t.equal(await ask(), 2, 'one that took no time is not used again')
})

t.test('get: a report is used again for 20 times as long as it took, and a minute at most', async (t) => {
  for (const [seconds, reused] of [[0.5, 10], [30, 60]] as const) {
    const time = new Time()
    const { ask } = shared(time, seconds)
    t.equal(await ask(), 1)
    time.advance(reused - 0.001)
    t.equal(await ask(), 1)
    time.advance(0.001)
    t.equal(await ask(), 2)
    time.advance(-1000)
    t.equal(await ask(), 3, 'a clock that was set back makes no report last')
  }
})

t.test('get: the report of one process is always a new one', async (t) => {
  const { ask } = shared(new Time(), 5, false)
  t.same([await ask(), await ask()], [1, 2])
})

t.test('get: a report that fails is made anew', async (t) => {
  let fails = true
  const reports = new SharedReport(() => new Time().clock, async () => {
    if (fails) throw new Error('broken')
    return { report: {} as Report, isReusable: true }
  })
  await t.rejects(Promise.all([reports.get(), reports.get()]), /broken/)
  fails = false
  t.ok(await reports.get())
})

/** Builds an app with a rollout of 50 %, beside another process whose state is in the store. */
async function besideAnother (t: Test) {
  const store = new MemoryStore()
  store.states = [await packState({ ...new Processes(1, OPTIONS).states()[0]!, saltName: nameOfSalt(SALT) })]
  const app = await build(t, { core: { implementation: 'memory', rollout: { percent: 50 } }, metrics: { advisor: OPTIONS } })
  const core = await ensureCore(app)
  core.advice.store = store
  app.get('/items/:id', async (request) => request.cache.getOrSet('item:1', () => 1))
  await app.ready()
  return { app, store }
}

t.test('report: several clients at a time read the states of the other processes once', async (t) => {
  const { app, store } = await besideAnother(t)
  let reads = 0
  const others = store.others.bind(store)
  store.others = () => { reads++; return others() }
  const reports = await Promise.all([reportOf(app), reportOf(app), reportOf(app)])
  t.match(reports, [{ source: '2 processes' }, { source: '2 processes' }, { source: '2 processes' }])
  t.equal(reads, 1)
})

t.test('report: a report on several processes compares the arms of the rollout in this process, too', async (t) => {
  const { app } = await besideAnother(t)
  for (let user = 0; user < 100; user++) await app.inject({ url: '/items/1', headers: { 'x-user-id': `user-${user}` } })
  const report = await reportOf(app)
  t.match(report, { source: '2 processes', arms: { percent: 50, routes: [{ name: '/items/:id' }], patterns: [{ name: 'item' }] } })
  t.match(toMarkdown(report), /## With and without the cache\n\n.* At 50 %, for .*, in this process\./)
})
