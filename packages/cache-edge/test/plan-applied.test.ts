import { cacheCore } from '@x/cache-core'
import { cacheMetrics, type Report } from '@x/cache-metrics'
import { FakeClock } from '@x/test-kit/fake-clock'
import { Random } from '@x/test-kit/virtual-time'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'

/** The maximum difference between a hit rate and that of the plan. */
const TOLERANCE = 0.03
const ADVICE = '/internal/cache/advice'
const ADVISOR = { ttls: [1, 60, 600], entries: [50, 200, 1000] }

// The time limit only ends a test that hangs.
t.setTimeout(600_000)

/** The code of a plan as a function; `from` imports a package by name. */
type Pasted = (app: FastifyInstance, from: (name: string) => unknown) => Promise<void>
interface TraceRequest { readonly pattern: 'item' | 'user'; readonly id: number }

/** Makes a trace of many items and few users, some of which are requested often, as in a Zipf distribution. */
function traceOf (requests: number): TraceRequest[] {
  const random = new Random(11)
  const zipf = (count: number): number => Math.floor(count ** random.next()) - 1
  return Array.from({ length: requests }, () => random.chance(0.25) ? { pattern: 'user', id: zipf(300) } : { pattern: 'item', id: zipf(20_000) })
}

/** Loads an item or a user. The code is the same with and without a cache; its ttl was chosen before any measurement. */
function load (app: FastifyInstance, { pattern, id }: TraceRequest): Promise<unknown> {
  return app.cache.getOrSet(`${pattern}:${id}`, async () => ({ id, name: `${pattern} ${id}`, text: 'x'.repeat(100) }), { ttl: 5 })
}

/** Builds an app that observes with a stopped clock, since the advisor would count the time of a busy machine as its own. */
async function observing (t: Test, clock: FakeClock): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheCore, { clock })
  await app.register(cacheMetrics, { advisor: ADVISOR })
  return app
}

/** Returns the report of an app, and the code of its plan from the Markdown. */
async function advised (app: FastifyInstance): Promise<{ report: Report; code: string }> {
  const report = JSON.parse((await app.inject(ADVICE)).body) as Report
  const { body } = await app.inject({ url: ADVICE, headers: { accept: 'text/markdown' } })
  return { report, code: /```js\n([^]*?)\n```/.exec(body)?.[1] ?? '' }
}

/** Runs the code of a plan in an app whose cache has the clock of a test. */
async function paste (t: Test, code: string, clock: FakeClock): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheMetrics, { advisor: false })
  app.cache.registry.clock = clock
  const AsyncFunction = (async () => {}).constructor as new (...code: string[]) => Pasted
  await new AsyncFunction('app', 'from', code.replaceAll("register(import('@x/", "register(from('@x/"))(app, (name) => import(name))
  return app
}

t.test('a pasted plan gives the hit rates that it promised, whatever ttl the calls have', async (t) => {
  const trace = traceOf(20_000)
  const clock = new FakeClock()
  const observed = await observing(t, clock)
  await observed.ready()
  for (const request of trace) {
    clock.advance(0.1)
    await load(observed, request)
  }
  const { report, code } = await advised(observed)
  t.match(report.plan?.options, { patterns: { item: { ttl: 600, maxEntries: Number }, user: { maxEntries: Number } } })

  const later = new FakeClock()
  const app = await paste(t, code, later)
  t.equal(app.cache.registry.active.implName, 'MemoryCache')
  for (const request of trace) {
    later.advance(0.1)
    await load(app, request)
  }
  const total = { hits: 0, reads: 0 }
  for (const { name, hitRate } of report.advice) {
    const { hits, misses } = app.cache.registry.active.stats.of(`${name}:1`)
    total.hits += hits
    total.reads += hits + misses
    const real = hits / (hits + misses)
    t.ok(hitRate > 0.3 && Math.abs(real - hitRate) <= TOLERANCE, `${name}: promised ${hitRate}, got ${real}`)
  }
  t.equal(total.reads, trace.length)
  const promised = report.plan!.expected.hitRate!
  t.ok(Math.abs(total.hits / total.reads - promised) <= TOLERANCE, `together: promised ${promised}, got ${total.hits / total.reads}`)
})

t.test('the rules of a pasted plan give the share of stored responses that it promised', async (t) => {
  const trace = traceOf(2000).filter(({ pattern }) => pattern === 'item')
  const addRoutes = (app: FastifyInstance): void => {
    app.get('/items/:id', async (request) => ({ id: (request.params as { id: string }).id, text: 'x'.repeat(100) }))
    app.get('/items/:id/owner', async () => ({ owner: 1 }))
  }
  const clock = new FakeClock()
  const observed = await observing(t, clock)
  addRoutes(observed)
  for (const { id } of trace) {
    clock.advance(0.1)
    await observed.inject(`/items/${id}`)
  }
  const { report: { plan }, code } = await advised(observed)
  t.match(plan?.edge, { rules: [{ prefix: '/items/:id', maxAge: Number }] })

  const later = new FakeClock()
  const app = await paste(t, code, later)
  addRoutes(app)
  let hits = 0
  for (const { id } of trace) {
    later.advance(0.1)
    const { headers } = await app.inject(`/items/${id}`)
    if (/hit/.test(String(headers['cache-status']))) hits++
  }
  const real = hits / trace.length
  const promised = plan!.expected.routeHitRate!
  t.ok(promised > 0.2 && Math.abs(real - promised) <= TOLERANCE, `promised ${promised}, got ${real}`)
  t.equal((await app.inject('/items/1/owner')).headers['cache-control'], 'no-cache', 'a route below that of a rule has no policy')
})
