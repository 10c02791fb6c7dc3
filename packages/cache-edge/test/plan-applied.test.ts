import { FakeClock } from '@x/test-kit/fake-clock'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { advised, load, observing, paste, TOLERANCE, traceOf } from './fixtures/pasted-plan.js'

// The time limit only ends a test that hangs.
t.setTimeout(600_000)

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
