import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { CacheMetricsOptions } from '../../src/index.js'
import { adviceOn, build, reportOf, Time, URL } from '../fixtures/advised-app.js'
import { Processes } from '../fixtures/processes.js'
import { atRate, zipf } from '../fixtures/streams.js'
import { exactMissRatesOf, withWrites } from '../fixtures/writes.js'

const TTLS = [1, 60, 3600]
const ENTRIES = [100, 1000, 5000]

function fileOf (t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'cache-advice-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return join(folder, 'advice')
}

/** Runs a process of an app that reads 20 keys, one key every second, and closes; returns its report. */
async function live (t: Test, seconds: number, advisor: Exclude<CacheMetricsOptions['advisor'], boolean | undefined>, time = new Time()) {
  const app = await build(t, { time, metrics: { advisor: { minRequests: 1, ...advisor } } })
  await app.ready()
  for (let second = 0; second < seconds; second++) {
    await app.cache.getOrSet(`item:${second % 20}`, () => second, { tags: ['all'] })
    time.advance(1)
  }
  const report = await reportOf(app)
  await app.close()
  return report
}

/** Returns the estimated hit rate of the key pattern `item` at a ttl of 60 s and 1000 entries. */
const hitRateOf = (report: Awaited<ReturnType<typeof live>>): number =>
  adviceOn(report, 'item').points.find(({ ttl, entries }) => ttl === 60 && entries === 1000)!.hitRate

t.test('keep: a restarted process goes on as if it had never stopped, and the time between does not count', async (t) => {
  const keep = fileOf(t)
  const whole = await live(t, 300, {})
  await live(t, 100, { keep })
  const clock = new Time()
  clock.advance(1_000_000)
  await live(t, 100, { keep }, clock)
  const last = await live(t, 100, { keep })
  t.equal(hitRateOf(last), hitRateOf(whole))
  t.ok(Math.abs(last.observedSeconds - 300) < 1, String(last.observedSeconds))
  t.equal(adviceOn(last, 'item').requestsPerHour, adviceOn(whole, 'item').requestsPerHour)
  t.equal(adviceOn(await live(t, 100, {}), 'item').requestsPerHour, 60 * 60, 'without the option each process begins anew')
})

t.test('keep: a state of a clock that was a year ahead goes on at the present time, with the same estimates', async (t) => {
  const { now } = Date
  t.teardown(() => { Date.now = now })
  const keep = fileOf(t)
  const whole = await live(t, 200, {})
  Date.now = () => now() + 365 * 86_400_000
  await live(t, 100, { keep })
  Date.now = now
  const last = await live(t, 100, { keep })
  t.equal(hitRateOf(last), hitRateOf(whole))
  t.ok(Math.abs(last.observedSeconds - 200) < 1, String(last.observedSeconds))
  const app = await build(t, { metrics: { advisor: { keep } } })
  await app.ready()
  const { spans } = (await app.inject(`${URL}/accesses`)).json<{ spans: [number, number][] }>()
  t.equal(spans.length, 3)
  // The bound is above 200 s, since the fake clock has run 200 s ahead of the real one.
  t.ok(spans.every(([, to]) => to < now() + 300_000), 'states of other processes have the present time, too')
})

t.test('keep: false keeps nothing', async (t) => {
  await live(t, 10, { keep: false })
  t.equal((await live(t, 10, { keep: false })).observedSeconds, 10)
})

t.test('keep: no key is in the file, and a damaged file is replaced after one line of the log', async (t) => {
  const keep = fileOf(t)
  await live(t, 30, { keep })
  const bytes = await readFile(keep)
  t.notMatch(bytes.toString('latin1'), /item:/)
  await writeFile(keep, bytes.subarray(0, bytes.length - 30))
  t.equal((await live(t, 40, { keep })).observedSeconds, 40)
  t.equal((await live(t, 10, { keep })).observedSeconds, 50)
})

for (const [share, write] of [[0, 'del'], [0.1, 'del'], [0.1, 'tag']] as const) {
  t.test(`restore: three restarts leave the estimate within 0.03 of an exact simulation: ${share * 100} % ${write}`, async (t) => {
    for (let seed = 1; seed <= 3; seed++) {
      const steps = withWrites(atRate(100, zipf(seed, 0.9, 10_000, 60_000)), share, write, seed)
      const exact = new Map(ENTRIES.flatMap((entries) => exactMissRatesOf(steps, TTLS, entries, 30_000).map((missRate, at) => [`${TTLS[at]} ${entries}`, 1 - missRate] as const)))
      const processes = new Processes(1, { ttls: TTLS, entries: ENTRIES }, { seed })
      for (const [at, step] of steps.entries()) {
        processes.note(0, step)
        if (at % 15_000 === 14_999) await processes.restart(0)
      }
      const errors = processes.observed[0]!.observation(1, 0.001).points
        .map(({ ttl, entries, hitRate }) => Math.abs(hitRate - exact.get(`${ttl} ${entries}`)!))
      const figures = `seed ${seed}: mean ${(errors.reduce((sum, error) => sum + error) / errors.length).toFixed(4)}, worst ${Math.max(...errors).toFixed(4)}`
      t.comment(figures)
      t.ok(Math.max(...errors) <= 0.03, figures)
    }
  })
}
