import { cacheCore, cacheOptionsFromEnv } from '@x/cache-core'
import Fastify from 'fastify'
import t from 'tap'
import { advise } from '../../src/advisor/report/advice.js'
import { planFor } from '../../src/advisor/report/plan.js'
import { planText } from '../../src/advisor/report/plan-text.js'
import { seenOf } from '../fixtures/observation.js'

t.test('planFor: what is good, together; poor and unsafe patterns are left out', async (t) => {
  const plan = planFor(advise([
    seenOf({ name: 'item', requests: 3000, points: [{ ttl: 60, entries: 1000, hitRate: 0.9, margin: 0 }] }),
    seenOf({ name: 'user', requests: 1000, points: [{ ttl: 10, entries: 100, hitRate: 0.5, margin: 0 }] }),
    seenOf({ name: 'report', leak: { dimension: 'user', pairs: 9, differing: 9 } }),
    seenOf({ name: 'clock', isNoise: true }),
    seenOf({ name: 'other' })
  ]))
  const patterns = { item: { ttl: 60, maxEntries: 1000 }, user: { ttl: 10, maxEntries: 100 } }
  t.strictSame(plan, {
    options: { implementation: 'memory', memory: { maxEntries: 1100, maxBytes: 2 * 1024 * 1024 }, patterns, rollout: { allow: ['item', 'user'] } },
    redis: { near: { maxEntries: 1100, maxBytes: 2 * 1024 * 1024 }, rollout: { percent: 0 } },
    env: { CACHE_IMPL: 'memory', CACHE_PATTERN_WHITELIST: 'item,user', CACHE_PATTERNS: JSON.stringify(patterns) },
    expected: { ...plan!.expected, hitRate: 0.8, routeHitRate: undefined }
  })
})

t.test('planFor: a good route is a rule for this route alone, and its responses have their part of the memory', async (t) => {
  const plan = planFor(advise([
    seenOf({ name: 'item', points: [{ ttl: 60, entries: 600, hitRate: 0.9, margin: 0 }] }),
    seenOf({ name: 'GET /items/:id', kind: 'route', points: [{ ttl: 1.5, entries: 100, hitRate: 0.6, margin: 0 }] }),
    seenOf({ name: 'GET /me', kind: 'route', leak: { dimension: 'user', pairs: 9, differing: 9 } }),
    seenOf({ name: 'GET /files/*', kind: 'route' })
  ]))
  t.same(plan?.edge, { rules: [{ prefix: '/items/:id', exact: true, maxAge: 1, store: true }] })
  t.match(plan?.options, { memory: { maxEntries: 800, responseShare: 0.25 }, rollout: { allow: ['item', 'edge'] } })
  t.match(plan?.expected, { hitRate: 0.9, routeHitRate: 0.6 })
})

t.test('planFor: routes alone are a plan, without options of key patterns', async (t) => {
  const plan = planFor(advise([seenOf({ name: 'GET /items', kind: 'route' })]))
  t.notOk('patterns' in plan!.options)
  t.same(plan?.env, { CACHE_IMPL: 'memory', CACHE_PATTERN_WHITELIST: 'edge' })
  t.match(plan?.expected, { hitRate: undefined, savedSecondsPerHour: undefined })
})

t.test('planFor: nothing that is good is no plan', async (t) => {
  t.equal(planFor(advise([seenOf({ isNoise: true })])), undefined)
  t.equal(planFor([]), undefined)
})

t.test('planFor: the options are those of the core, and the variables say the same', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const plan = planFor(advise([seenOf()]))!
  await app.register(cacheCore, plan.options as never)
  t.equal(app.cache.registry.active.implName, 'MemoryCache')
  t.same(app.cache.registry.rollout.allow, ['item'])
  t.same(app.cache.registry.patterns.all(), { item: { ttl: 60, maxEntries: 1000 } })
  t.match(cacheOptionsFromEnv(plan.env), { implementation: 'memory', patterns: plan.options.patterns, rollout: { allow: ['item'] } })
})

t.test('planText: says what to expect, and registers Redis where there is a URL', async (t) => {
  const text = planText(planFor(advise([seenOf()]))!)
  t.match(text, /^\/\/ Expected: 70 % hits, 4\.2 min of loading saved per hour\.\n/)
  t.match(text, /"item": \{\n *"ttl": 60,\n *"maxEntries": 1000\n/)
  t.match(text, /if \(cacheRedisUrl !== undefined\) \{[^]*"percent": 0/)
  t.match(text, /CACHE_IMPL=memory CACHE_PATTERN_WHITELIST=item CACHE_PATTERNS='\{"item":\{"ttl":60,"maxEntries":1000\}\}'$/)
  t.notMatch(text, 'cache-edge')
})

t.test('planText: says that it replaces the registrations of all its packages, and that their other options stay', async (t) => {
  const withRoute = planText(planFor(advise([seenOf(), seenOf({ name: 'GET /items', kind: 'route' })]))!)
  t.match(withRoute, "in place of the app's own registrations of @x/cache-core, @x/cache-redis and @x/cache-edge.\n")
  t.match(withRoute, '// Keep their other options, such as serializer, personal, guard and keyPrefix: values of another serializer are not what the app has loaded.\n')
  t.match(planText(planFor(advise([seenOf()]))!), "in place of the app's own registrations of @x/cache-core and @x/cache-redis.\n")
})
