import t from 'tap'
import { buildApp } from '@x/test-kit/build-app'

const PATH = '/internal/cache/counts'

t.test('GET /internal/cache/counts: the counts by implementation and key pattern', async (t) => {
  const app = await buildApp(t, { implementation: 'memory' })
  app.cache.registry.stats.measuresDurations = true
  for (let turn = 0; turn < 3; turn++) await app.cache.getOrSet('user:1', () => 1)
  await app.cache.del('user:1')
  await app.cache.get('')
  const response = await app.inject(PATH)
  t.match(response.headers, { 'cache-control': 'no-store', 'content-type': /json/ })
  const { at, implementations, patterns } = response.json()
  t.equal(new Date(at).toISOString(), at)
  t.match(implementations, [
    { impl: 'null', isInService: false, operations: [] },
    { impl: 'memory', isInService: true, hits: 2, misses: 1, errors: 1, errorTypes: { key_invalid: 1 } }
  ])
  t.match(implementations[1].operations.find(({ operation }: { operation: string }) => operation === 'get'), { count: 4, meanSeconds: Number, p95Seconds: Number, sumSeconds: Number, buckets: [Number] })
  t.match(patterns, [{ impl: 'memory', keyPattern: 'user', hits: 2, misses: 1, sets: 1, dels: 1, loads: 1, meanLoadSeconds: Number }])
})

t.test('GET /internal/cache/counts: an operation above all bounds has no percentile, a pattern without a load no duration', async (t) => {
  const app = await buildApp(t, { implementation: 'memory' })
  await app.cache.set('user:1', 1)
  app.cache.registry.active.stats.observe('set', 60)
  const { implementations, patterns, durationBounds } = (await app.inject(PATH)).json()
  t.match(implementations[1].operations, [{ operation: 'set', count: 1, meanSeconds: 60, p95Seconds: null, sumSeconds: 60 }])
  t.equal(implementations[1].operations[0].buckets.length, durationBounds.length + 1)
  t.equal(implementations[1].operations[0].buckets.at(-1), 1)
  t.notOk('meanLoadSeconds' in patterns[0])
})

t.test('GET /internal/cache/counts: the status and the counts are those of one process, whose id stays the same', async (t) => {
  const [app, other] = [await buildApp(t, { implementation: 'memory' }), await buildApp(t)]
  const ask = async (to = app) => (await to.inject(PATH)).json()
  const { process, status } = await ask()
  t.match(process, /^[\da-f-]{36}$/)
  t.same(status, (await app.inject('/internal/cache')).json())
  t.equal((await ask()).process, process)
  t.not((await ask(other)).process, process)
})
