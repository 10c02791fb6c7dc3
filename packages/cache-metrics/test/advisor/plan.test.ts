import { cacheCore } from '@x/cache-core'
import Fastify from 'fastify'
import t from 'tap'
import { advise } from '../../src/advisor/report/advice.js'
import { planFor } from '../../src/advisor/report/plan.js'
import { planText } from '../../src/advisor/report/report.js'
import { seenOf } from '../fixtures/observation.js'

t.test('planFor: what is good, together; routes, poor and unsafe patterns are left out', async (t) => {
  const plan = planFor(advise([
    seenOf({ name: 'item', requests: 3000, points: [{ ttl: 60, entries: 1000, hitRate: 0.9, margin: 0 }] }),
    seenOf({ name: 'user', requests: 1000, points: [{ ttl: 10, entries: 100, hitRate: 0.5, margin: 0 }] }),
    seenOf({ name: 'report', leak: { dimension: 'user', pairs: 9, differing: 9 } }),
    seenOf({ name: 'clock', isNoise: true }),
    seenOf({ name: 'other' }),
    seenOf({ name: 'GET /items', kind: 'route' })
  ]))
  t.match(plan, {
    options: { implementation: 'memory', memory: { maxEntries: 1100, maxBytes: 2 * 1024 * 1024 }, defaultTtl: 10, rollout: { allow: ['item', 'user'] } },
    env: { CACHE_IMPL: 'memory', CACHE_PATTERN_WHITELIST: 'item,user' },
    ttls: { item: 60, user: 10 }
  })
  t.equal(plan!.expected.hitRate, 0.8)
})

t.test('planFor: nothing that is good is no plan', async (t) => {
  t.equal(planFor(advise([seenOf({ isNoise: true })])), undefined)
  t.equal(planFor([]), undefined)
})

t.test('planFor: the options are those of the core', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const plan = planFor(advise([seenOf()]))!
  await app.register(cacheCore, plan.options as never)
  t.equal(app.cache.registry.active.implName, 'MemoryCache')
  t.same(app.cache.registry.rollout.allow, ['item'])
  t.match(planText(plan), /^\/\/ Each process [^]*percent 0[^]*\nawait app\.register\(cacheCore, \{\n[^]*item: 60[^]*CACHE_IMPL=memory CACHE_PATTERN_WHITELIST=item$/)
})
