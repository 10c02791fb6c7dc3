import { get } from 'node:http'
import t from 'tap'
import { sendRequests } from '@x/example-server/replay/load'
import { zipfTrace } from '@x/example-server/replay/zipf'
import { startServer } from '@x/example-server/server-process'
import { freePort, holds } from '@x/test-kit/servers'
import { RedisServer } from '@x/test-kit/redis-server'
import { startPrometheus } from '../fixtures/prometheus-server.js'
import { dailyCheck, dashboardQueries, type Query } from '../fixtures/queries.js'

t.setTimeout(300_000)

const port = await freePort()
// Prometheus is started at once, together with the app, since its first scrape takes place only after 5 s.
const prometheus = startPrometheus(port)
const redis = await RedisServer.start()
const server = await startServer({
  PORT: String(port),
  DATABASE_DIR: '',
  LOG_LEVEL: 'silent',
  CACHE_IMPL: 'redis',
  CACHE_REDIS_URL: redis.url,
  CACHE_REDIS_ROLLOUT_PERCENT: '50'
})
let stopUsers = async (): Promise<void> => {}
t.teardown(stopAll)

/** Ends everything that uses processor time, since tests of other files follow in this process. */
async function stopAll (): Promise<void> {
  await stopUsers()
  await server.stop()
  await (await prometheus).close()
  await redis.close()
}

/**
 * Sends a request without a user, whose response the edge stores. The address is in the cached arm, whereas at 50 % 127.0.0.1 is in the
 * control arm.
 */
function askAnonymously (url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    get(url, { localAddress: '127.0.0.2' }, (response) => response.resume().once('end', resolve).once('error', reject)).once('error', reject)
  })
}

/**
 * Sends requests for records from twelve users until it is stopped. Several users are needed, since one user is one subject and therefore
 * in one arm.
 */
function startUsers (url: string): () => Promise<void> {
  let isStopped = false
  const paths = ['/api/tables', '/api/user', '/api/profile', '/api/public/tables', '/api/data/tables/1/summary', '/api/users/1', '/api/records/1']
  const ask = async (path: string, init: RequestInit) => {
    const response = await fetch(url + path, init)
    await response.arrayBuffer()
    return response.headers
  }
  const user = async (id: number) => {
    const headers = { 'x-user-id': String(id) }
    for (const path of paths) {
      const etag = (await ask(path, { headers })).get('etag')
      if (etag !== null) await ask(path, { headers: { ...headers, 'if-none-match': etag } })
    }
    await ask(`/api/records/${id}`, { method: 'PATCH', headers: { ...headers, 'content-type': 'application/json' }, body: `{"fields":{"stock":${id}}}` })
  }
  const work = async () => {
    for (let seed = 1; !isStopped; seed++) {
      // The requests are few: each query needs some of each kind, and they are sent until all queries have an answer.
      await sendRequests(zipfTrace({ length: 20, ids: 200, skew: 0.9, seed }), { url, path: '/api/records/:id', concurrency: 4, rate: 50 })
      await user(seed % 12 + 1)
      for (const path of ['/api/public/tables', '/api/public/tables/1/records?limit=3']) await askAnonymously(url + path)
    }
  }
  const worked = work()
  return () => {
    isStopped = true
    return worked
  }
}

/** Polls less often than other tests, since Prometheus has other data four times a second at most. */
function hasData (what: string, condition: () => Promise<boolean>): Promise<void> {
  return holds(what, condition, undefined, 200)
}

/** Repeats each query until its result is a number. */
async function answer (queries: Query[]): Promise<void> {
  for (const { where, expr } of queries) {
    await hasData(`${where}: ${expr}`, async () => (await (await prometheus).query(expr)).some(({ value }) => Number.isFinite(value)))
  }
}

/** Whether a query is about a canary. The example server has none; `canary-metrics.test.ts` tests these queries. */
const isOfCanary = (expr: string) => /cache_rollout_(stage|paused|verdict)/.test(expr)
const needsErrors = ({ expr }: Query) => /cache_errors_total/.test(expr)
const queries = [
  ...dashboardQueries(10),
  // The offset of a day is replaced by one of a second, since no day has passed in the test.
  ...dailyCheck().map(({ where, expr }) => ({ where, expr: expr.replaceAll('offset 1d', 'offset 1s') }))
].filter(({ expr }) => !isOfCanary(expr))

t.test('prometheus: every query of the dashboards and of the daily check has data of the example server under a replay', async (t) => {
  stopUsers = startUsers(server.url)
  const inService = queries.filter((query) => !needsErrors(query))
  t.ok(inService.length > 30)
  await answer(inService)
})

t.test('prometheus: all rules are evaluated, and every recording rule has data', async (t) => {
  const rules = await (await prometheus).rules()
  await answer(rules.filter(({ name, type }) => type === 'recording' && !isOfCanary(name)).map(({ name }) => ({ where: 'recording rule', expr: name })))
  for (const { name, health, lastError } of await (await prometheus).rules()) t.match({ health, lastError }, { health: 'ok', lastError: undefined }, name)
})

t.test('prometheus: what it holds is what the app counts', async (t) => {
  const arms = await (await prometheus).query('sum by (arm) (cache_request_duration_seconds_count{arm!="none"})')
  t.same(arms.map(({ metric }) => metric.arm).sort(), ['cached', 'control'])
  const [ratio] = await (await prometheus).query('job_impl:cache_hit_ratio:rate5m')
  t.match(ratio, { metric: { job: 'app', impl: 'redis' } })
  // The test waits for a rate between 0 and 1, since a new series begins with a rate of 0.
  const hitRate = async (): Promise<number> => (await (await prometheus).query('job_impl:cache_hit_ratio:rate5m'))[0]!.value
  await hasData('the hit rate is that of a cache that is used', async () => { const rate = await hitRate(); return rate > 0 && rate < 1 })
  const saved = 'sum(job_key_pattern:cache_saved_load_seconds:rate5m)'
  await hasData('load time is saved', async () => (await (await prometheus).query(saved))[0]!.value > 0)
})

t.test('prometheus: with Redis killed the queries of errors have data, and the alerts begin', async (t) => {
  t.teardown(stopAll)
  await redis.kill()
  await answer(queries.filter(needsErrors))
  await answer([
    { where: 'recording rule', expr: 'job:cache_degraded:ratio == 1' },
    { where: 'recording rule', expr: 'job_impl:cache_error_ratio:rate5m > 0' },
    ...['CacheDegraded', 'CacheInvalidationsQueued'].map((name) => ({ where: 'alert', expr: `ALERTS{alertname="${name}",alertstate="pending"}` }))
  ])
})
