import type { Report } from '@x/cache-metrics'
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { replay, type ReplayReport } from '../src/replay/replay.js'
import type { Database } from '../src/database/open.js'
import { buildTestApp, rowsAtOnce } from './fixtures/app.js'

const WEB07 = fileURLToPath(new URL('../../../../shared/traces/web07.ids.gz', import.meta.url))
const trace = existsSync(WEB07) ? WEB07 : undefined
if (trace === undefined) t.comment('no ../shared/traces/web07.ids.gz beside the repository: a made-up trace is replayed instead')
const REQUESTS = 4_000

/** A database that returns every record after a turn of the event loop, since the answers of PostgreSQL do not matter to the claims. */
function rowsInTurn (): Database {
  const { query } = rowsAtOnce()
  return { query: async (...given: Parameters<typeof query>) => { await setImmediate(); return query(...given) } } as Database
}

/** Replays the trace against a separate app; `ask` sends requests to the app before it stops. */
async function run<T> (env: Record<string, string>, ask: (url: string) => Promise<T>): Promise<{ replayed: ReplayReport; asked: T }> {
  const app = await buildTestApp({ teardown () {} }, rowsInTurn(), env)
  try {
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    const replayed = await replay({ trace, url, path: '/api/records/:id', concurrency: 1, rate: undefined, limit: REQUESTS, users: undefined, compare: false, checkLru: undefined, format: 'json' })
    return { replayed, asked: await ask(url) }
  } finally {
    await app.close()
  }
}

t.test('what observing a replay advises, applied as planned, gives the hit rate that was promised', async (t) => {
  const { replayed: observed, asked: report } = await run({ CACHE_IMPL: 'null' }, async (url) => (await fetch(`${url}/internal/cache/advice`)).json() as Promise<Report>)
  t.equal(observed.counted.total.hits, 0)
  const [top] = report.advice
  t.match(top, { kind: 'pattern', name: 'record', verdict: 'good' })
  assert(report.plan !== undefined)
  t.match(report.plan.options.patterns, { record: { ttl: Number, maxEntries: Number } })
  t.equal(report.verdict, 'not enough data', 'the gates want days')

  const applied = { ...report.plan.env, CACHE_MAX_ENTRIES: String(report.plan.options.memory.maxEntries) }
  const { replayed } = await run(applied, async (url) => (await fetch(`${url}/internal/cache`)).json())
  const { hits, misses } = replayed.counted.total
  t.equal(hits + misses, REQUESTS)
  const real = hits / (hits + misses)
  t.comment(`promised ${top!.hitRate.toFixed(3)} ± ${top!.margin.toFixed(3)} at ${top!.entries} entries and ${top!.ttl} s, got ${real.toFixed(3)}`)
  t.ok(Math.abs(real - top!.hitRate) <= 0.05, `promised ${top!.hitRate}, got ${real}`)
})
