import { FakeClock } from '@x/test-kit/fake-clock'
import { PATIENT_REDIS } from '@x/test-kit/patient-redis'
import { RedisServer } from '@x/test-kit/redis-server'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { advised, load, observing, paste, TOLERANCE, traceOf } from '../fixtures/pasted-plan.js'

// The time limit only ends a test that hangs.
t.setTimeout(600_000)

/** A trace of fewer keys than the largest size of the advice, since Redis evicts no entry: it has more hits than a smaller size promises. */
const trace = traceOf(3000, 500)

/** Runs the code of a plan in an app with a URL of Redis, whose connections have patient time limits. */
async function pasteWithRedis (t: Test, code: string, url: string): Promise<FastifyInstance> {
  process.env.CACHE_REDIS_URL = url
  try {
    return await paste(t, code.replace('url: cacheRedisUrl,', `$& ...${JSON.stringify(PATIENT_REDIS)},`))
  } finally {
    delete process.env.CACHE_REDIS_URL
  }
}

/** Returns the hit rate of a trace in an app. */
async function hitRateOf (app: FastifyInstance): Promise<number> {
  let loads = 0
  const stop = app.cache.registry.events.on('loaded', () => { loads++ })
  for (const request of trace) await load(app, request)
  stop()
  return 1 - loads / trace.length
}

t.test('a plan that is pasted where there is a URL of Redis gives the hit rate that it promised, once its percent is raised', async (t) => {
  const server = await RedisServer.start()
  t.teardown(() => server.close())
  const clock = new FakeClock()
  const observed = await observing(t, clock)
  await observed.ready()
  for (const request of trace) {
    clock.advance(0.001)
    await load(observed, request)
  }
  const { report: { plan }, code } = await advised(observed)
  const promised = plan!.expected.hitRate!
  t.ok(promised > 0.5, String(promised))

  const [one, other] = [await pasteWithRedis(t, code, server.url), await pasteWithRedis(t, code, server.url)]
  for (const app of [one, other]) {
    const { registry } = app.cache
    t.equal(registry.active.implName, 'RedisCache')
    t.same(registry.patterns.all(), plan!.options.patterns)
    t.same(registry.rollout.allow, plan!.options.rollout.allow)
    t.equal(registry.rollout.percent, 0)
  }
  t.equal(await hitRateOf(one), 0, 'nothing is cached at first')
  for (const app of [one, other]) app.cache.registry.rollout.percent = 100
  const real = await hitRateOf(one)
  t.ok(Math.abs(real - promised) <= TOLERANCE, `promised ${promised}, got ${real}`)
  t.equal(await hitRateOf(other), 1, 'the other process has all entries')
  const entry = await other.cache.getEntry('item:0')
  t.ok(entry.ok && entry.value!.ttlLeft > 5, 'the ttl is that of the plan, and not that of the call')
})
