import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { ReplayOptions } from '../../src/replay/options.js'
import { replay } from '../../src/replay/replay.js'
import { formatReport } from '../../src/replay/report.js'
import { buildTestApp, rowsAtOnce } from '../fixtures/app.js'

const WEB07 = fileURLToPath(new URL('../../../../../shared/traces/web07.ids.gz', import.meta.url))
const REQUESTS = 1500
const ENTRIES = 100

const options: ReplayOptions = {
  trace: undefined, url: undefined, path: '/api/records/:id', concurrency: 8, rate: undefined, limit: REQUESTS, checkLru: undefined, format: 'text'
}
if (existsSync(WEB07)) options.trace = WEB07
else t.comment('no ../shared/traces/web07.ids.gz beside the repository: a made-up trace is replayed instead')

async function listen (t: Tap, env: Record<string, string>): Promise<string> {
  const app = await buildTestApp(t, rowsAtOnce(), env)
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
