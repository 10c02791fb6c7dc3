import { cacheCore, CacheRegistry, MemoryCache, coreOf } from '@x/cache-core'
import { err, ok, unavailable } from '@x/cache-core/implementing'
import { CacheClient, type Core } from '@x/cache-core/suite'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { FakeClock } from '@x/test-kit/fake-clock'

const load = async (): Promise<string> => 'value'

for (const [name, implementation] of [['NullCache', undefined], ['MemoryCache', new MemoryCache()]] as const) {
  t.test(`events, read: hears of every read of ${name} once, whatever the call`, async (t) => {
    const registry = new CacheRegistry()
    if (implementation !== undefined) registry.register(implementation)
    const client = new CacheClient(registry)
    const seen: string[] = []
    const stop = registry.events.on('read', (key, pattern) => { seen.push(`${pattern} ${key}`) })
    await client.getOrSet('a:1', load)
    await client.getOrSet('a:1', load)
    await client.getOrSet('a:2', load, { staleIfError: 10 })
    await client.get('b:1')
    await client.getEntry('b:2')
    await client.getMany(['c:1', 'c:2'])
    t.same(seen.sort(), ['a a:1', 'a a:1', 'a a:2', 'b b:1', 'b b:2', 'c c:1', 'c c:2'])
    stop()
    await client.get('b:1')
    t.equal(seen.length, 7)
  })
}

t.test('events, read: several listen, and each stops for itself', async (t) => {
  const { events, observer, stats } = new CacheRegistry()
  const heard = { one: 0, other: 0 }
  const stopOne = events.on('read', () => { heard.one++ })
  const stopOther = events.on('read', () => { heard.other++ })
  observer.read(stats.for('memory').of('a:1'), 'a:1', 'hit')
  stopOne()
  observer.read(stats.for('memory').of('a:1'), 'a:1', 'miss')
  stopOther()
  observer.read(stats.for('memory').of('a:1'), 'a:1', 'miss')
  t.same(heard, { one: 1, other: 2 })
  t.equal(events.hasReaders, false)
})

async function build (t: Test, options: object): Promise<{ app: FastifyInstance; core: Core }> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheCore, options)
  app.get('/:id', async (request) => {
    const { id } = request.params as { id: string }
    return request.cache.getOrSet(`item:${id}`, async () => ({ id }))
  })
  app.get('/namespaced', async (request) => request.cache.namespace('n').getOrSet('item:1', () => 'now'))
  return { app, core: coreOf(app)! }
}

for (const options of [{}, { implementation: 'memory' }, { implementation: 'memory', rollout: { percent: 50, key: () => 'somebody' } }]) {
  t.test(`watch: what is loaded for a watched request is announced with it, and for no other: ${JSON.stringify(options)}`, async (t) => {
    const { app, core } = await build(t, options)
    const seen: unknown[] = []
    core.registry.events.on('loadedFor', (key, value, request) => { seen.push([key, value, request.headers['x-user']]) })
    const stop = core.watch((request) => request.headers['x-user'] !== undefined)
    await app.inject({ url: '/1', headers: { 'x-user': 'ada' } })
    await app.inject({ url: '/2' })
    await app.inject({ url: '/namespaced', headers: { 'x-user': 'bob' } })
    t.same(seen, [['item:1', { id: '1' }, 'ada'], ['n:item:1', 'now', 'bob']])
    stop()
    await app.inject({ url: '/3', headers: { 'x-user': 'ada' } })
    t.equal(seen.length, 2)
  })
}

t.test('watch: a loader that is none fails as it does elsewhere', async (t) => {
  const { app, core } = await build(t, {})
  core.watch(() => true)
  app.get('/broken', async (request) => request.cache.getOrSet('item:1', 7 as never))
  t.equal((await app.inject('/broken')).statusCode, 500)
})

t.test('events, read: tells hit, stale, miss and failed, and leaves the counters as they were', async (t) => {
  const clock = new FakeClock()
  const registry = new CacheRegistry({ clock })
  registry.register(new MemoryCache({ clock }))
  const client = new CacheClient(registry)
  const outcomes: string[] = []
  registry.events.on('read', (_key, _pattern, outcome) => { outcomes.push(outcome) })
  await client.set('a:1', 'value', { ttl: 1, staleIfError: 60 })
  await client.get('a:1')
  clock.advance(2)
  await client.getEntry('a:1')
  await client.get('a:1')
  registry.register({ get: async () => err(unavailable('get')), set: async () => ok(), del: async () => ok() }, 'Broken')
  await client.get('a:1')
  t.same(outcomes, ['hit', 'stale', 'miss', 'failed'])
  t.match(registry.stats.for('memory').totals(), { hits: 2, misses: 1, errors: 0 })
  t.match(registry.stats.for('Broken').totals(), { hits: 0, misses: 0, errors: 1 })
  t.equal(registry.stats.for('Broken').counters.size, 0)
})

t.test('events, read: a listener that throws harms no read', async (t) => {
  const registry = new CacheRegistry()
  registry.register(new MemoryCache())
  const client = new CacheClient(registry)
  const failed: string[] = []
  registry.events.on('listenerFailed', (event) => { failed.push(event) })
  registry.events.on('read', () => { throw new Error('broken listener') })
  t.equal(await client.getOrSet('a:1', load), 'value')
  t.match(await client.get('a:1'), { ok: true, value: 'value' })
  t.same(failed, ['read'])
})
