import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { ReplayOptions } from '../../src/replay/options.js'
import { replay } from '../../src/replay/replay.js'
import { formatReport } from '../../src/replay/report.js'
import { buildTestApp, rowsAtOnce } from '../fixtures/app.js'

const WEB07 = fileURLToPath(new URL('../../../../../shared/traces/web07.ids.gz', import.meta.url))
const REQUESTS = 800
const ENTRIES = 100

const options: ReplayOptions = {
  trace: undefined, url: undefined, path: '/api/records/:id', concurrency: 8, rate: undefined, limit: REQUESTS, users: undefined, compare: false, checkLru: undefined, format: 'text'
}
if (existsSync(WEB07)) options.trace = WEB07
else t.comment('no ../shared/traces/web07.ids.gz beside the repository: a made-up trace is replayed instead')

async function listen (t: Tap, env: Record<string, string>, percent = 100): Promise<string> {
  const app = await buildTestApp(t, rowsAtOnce(), env)
  app.cache.registry.configure({ rollout: { percent } })
  return app.listen({ port: 0, host: '127.0.0.1' })
}
type Tap = Parameters<typeof buildTestApp>[0]

t.test('replay: with NullCache all that was sent was counted, as misses', async (t) => {
  let sent = 0
  const report = await replay({ ...options, url: await listen(t, { CACHE_IMPL: 'null' }) }, (count) => { sent = count })
  t.same(report.checks.filter(({ ok }) => !ok), [])
  t.equal(sent, REQUESTS)
  t.match(report.load, { sent: REQUESTS, statuses: { 200: REQUESTS } })
  t.same(report.counted.total, { hits: 0, misses: REQUESTS, sets: report.counted.total.sets })
  t.equal(report.counted.candidates['/api/records/:id'], REQUESTS)
})

t.test('replay: with MemoryCache the hits are those of an exact LRU', async (t) => {
  const url = await listen(t, { CACHE_MAX_ENTRIES: String(ENTRIES) })
  const report = await replay({ ...options, url, concurrency: 1, checkLru: ENTRIES })
  t.same(report.checks.filter(({ ok }) => !ok), [])
  t.equal(report.checks.length, 4)
  t.ok(report.counted.total.hits > 100, `${report.counted.total.hits} hits`)
})

t.test('replay: a cache that is not the one simulated is found out', async (t) => {
  const url = await listen(t, { CACHE_MAX_ENTRIES: String(ENTRIES / 2) })
  const report = await replay({ ...options, url, concurrency: 1, checkLru: ENTRIES })
  t.same(report.checks.map(({ ok }) => ok), [true, true, true, false])
})

t.test('replay: the report says what was sent, what was counted, and whether they agree', async (t) => {
  const text = formatReport(await replay({ ...options, limit: 50, url: await listen(t, {}) }))
  t.match(text, /50 × GET \/api\/records\/:id/)
  t.match(text, /p50 .* ms, p90 .* ms, p99 .* ms, max .* ms/)
  t.match(text, /record +\d+ +\d+ +\d+ +[\d.]+ %/)
  t.match(text, /ok - sent 50 = counted hits \+ misses 50/)
  t.notMatch(text, 'NOT OK')
})

t.test('replay: at 50 % requests from one address are all of one arm, and that is not ok', async (t) => {
  const report = await replay({ ...options, limit: 200, url: await listen(t, {}, 50) })
  t.match(report.checks.filter(({ ok }) => !ok), [{ claim: /at 50 % both arms had requests: .*--users N/ }])
})

t.test('replay: users are spread over both arms, each counted where it was sent from', async (t) => {
  const report = await replay({ ...options, users: 50, url: await listen(t, {}, 50) })
  t.same(report.checks.filter(({ ok }) => !ok), [])
  const { cached, control } = report.load.groups
  t.equal(cached!.sent + control!.sent, REQUESTS)
  t.ok(cached!.sent > REQUESTS / 5 && control!.sent > REQUESTS / 5)
  t.ok(report.counted.arms.cached.hits > 0)
  t.equal(report.counted.arms.control.hits, 0)
  t.notMatch(formatReport(report), 'control    ', 'not asked for')
})

t.test('replay: --compare shows both arms side by side', async (t) => {
  const text = formatReport(await replay({ ...options, users: 50, compare: true, url: await listen(t, {}, 50) }))
  t.match(text, /at 50 % +cached +control\n +requests +[\d,]+ +[\d,]+\n +hit rate +[1-9][\d.]* % +0\.00 %\n +ok +100\.00 % +100\.00 %\n +p50 .* ms .* ms\n +p90 .*\n +p99 .*\n +max /)
  t.match(text, /50 users/)
})

t.test('replay: --compare without a rollout is refused with what to set', async (t) => {
  for (const percent of [0, 100]) await t.rejects(replay({ ...options, users: 5, compare: true, url: await listen(t, {}, percent) }), { message: /one arm at \d+ %.*CACHE_REDIS_ROLLOUT_PERCENT/ })
})
