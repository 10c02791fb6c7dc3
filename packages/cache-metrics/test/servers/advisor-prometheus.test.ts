import Fastify from 'fastify'
import t from 'tap'
import { freePort, holds } from '@x/test-kit/servers'
import { cacheCore } from '@x/cache-core'
import { cacheMetrics } from '../../src/index.js'
import { startPrometheus } from '../fixtures/prometheus-server.js'
import { run } from '../fixtures/run-cli.js'

t.setTimeout(300_000)

const port = await freePort()
// Prometheus is started at once, together with the app, since its first scrape takes place only after 5 s.
const starting = startPrometheus(port)
const app = Fastify()
t.teardown(() => app.close())
await app.register(cacheCore, { implementation: 'memory' })
await app.register(cacheMetrics)
app.get('/users/:id', async (request) => {
  const { id } = request.params as { id: string }
  return request.cache.getOrSet(`user:${id}`, async () => ({ id }))
})
app.get('/pages', async (request) => {
  return request.cache.getOrSet('page:1', async () => 'page')
})
await app.listen({ port, host: '127.0.0.1' })
const prometheus = await starting

async function ask (requests: number): Promise<void> {
  for (let at = 0; at < requests; at++) {
    await app.inject(`/users/${at % 50}`)
    if (at % 4 === 0) await app.inject('/pages')
  }
}

/** Waits until a scrape has seen this number of requests for users. */
function scraped (requests: number): Promise<void> {
  return holds(`${requests} requests are scraped`, async () =>
    (await prometheus.query('cache_candidate_requests{route="/users/:id"}')).some(({ value }) => value === requests), 120_000, 200)
}

const json = async (...argv: string[]) => {
  const ran = await run([...argv, '--prometheus', prometheus.url, '--window', '10m', '--format', 'json'])
  t.equal(ran.stderr, '')
  return { status: ran.status, found: JSON.parse(ran.stdout) }
}

// The first request is scraped before the others, since Prometheus counts an increase only from the first scrape on.
await ask(1)
await scraped(1)
await ask(400)
await scraped(401)

t.test('report: is what a real Prometheus server has of an app', async (t) => {
  const { status, found } = await json('report', '--selector', 'job="app"', '--min-days', '0')
  t.match(found, { version: 1, source: `prometheus ${prometheus.url}/`, advice: [], notes: [/hit-rate curves/] })
  t.ok(found.observedSeconds > 0 && found.observedSeconds <= 600, `observed ${found.observedSeconds} s`)
  t.equal(status, { go: 0, 'no-go': 1 }[found.verdict as string] ?? 2)

  // Rates are computed over at least a minute, even if the observed time is shorter.
  const rateSeconds = Math.max(60, found.observedSeconds)
  // Prometheus extrapolates by half an interval at each end. With only two scrapes the result may be twice the real increase.
  const about = (value: number, least: number) => value >= least && value <= least * 2.1
  t.ok(about(found.requests, 500), `${found.requests} requests`)
  const patterns = Object.fromEntries(found.measured.map((one: { name: string }) => [one.name, one]))
  t.same(Object.keys(patterns).sort(), ['page', 'user'])
  t.ok(about(patterns.user.readsPerHour * rateSeconds / 3600, 400), `${patterns.user.readsPerHour} reads per hour`)
  t.ok(Math.abs(patterns.user.hitRate - 351 / 400) < 0.01, `hit rate ${patterns.user.hitRate}`)
  t.equal(patterns.page.hitRate, 1)
  t.ok(patterns.user.meanLoadSeconds > 0 && patterns.user.savedSecondsPerHour > 0)

  const gates = Object.fromEntries(found.gates.map(({ name, value }: { name: string, value?: number }) => [name, value]))
  t.equal(gates['Candidate routes'], 2)
  // The rate and the time come from two queries. A scrape between them adds one interval to the few intervals of the rate.
  const candidates = gates['Candidate volume'] * rateSeconds
  t.ok(candidates >= 250 && candidates <= 1500, `${candidates} candidates`)
  t.ok(gates['Slow endpoints'] > 0 && gates['Slow endpoints'] < 0.5, `p95 ${gates['Slow endpoints']}`)
  t.equal(gates['Edge hit rate'], undefined, 'there is no edge')
})

t.test('gates: until enough days were observed there is not enough data', async (t) => {
  t.equal((await json('gates')).status, 2)
  const { status, found } = await json('gates', '--min-days', '0')
  t.equal(status, 0)
  t.match(found, { verdict: 'go', gates: [{ source: 'prometheus' }] })
})

t.test('report: labels that nothing has', async (t) => {
  const { status, found } = await json('report', '--selector', 'job="other"', '--min-days', '0')
  t.equal(status, 2)
  t.match(found, { verdict: 'not enough data', observedSeconds: 0, measured: [], notes: [/job="other"/] })
})

t.test('report: a selector that is none', async (t) => {
  // This is the last test, so it closes Prometheus, which evaluates its rules twice a second until then.
  t.teardown(() => prometheus.close())
  const { status, stderr } = await run(['report', '--prometheus', prometheus.url, '--selector', 'job=app'])
  t.equal(status, 3)
  t.match(stderr, /^cache-advisor: .*refuses a query: .*parse error.*\n$/)
})
