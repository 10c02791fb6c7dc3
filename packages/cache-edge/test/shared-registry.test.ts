import { cacheCore, CacheRegistry, MemoryCache } from '@x/cache-core'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { cacheEdge, type CacheEdgeOptions } from '../src/index.js'

async function start (t: Test, registry: CacheRegistry, text: string, options: CacheEdgeOptions): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheCore, { registry })
  await app.register(cacheEdge, options)
  app.get('/page', { config: { cache: { store: true } } }, async () => text)
  app.put('/page', async () => 'written')
  await app.ready()
  return app
}

function registryWithMemory (): CacheRegistry {
  const registry = new CacheRegistry()
  registry.register(new MemoryCache())
  return registry
}

const bodyOf = async (app: FastifyInstance): Promise<string> => (await app.inject('/page')).body

t.test('two apps with names of their own that share a registry do not answer for each other', async (t) => {
  const registry = registryWithMemory()
  const [shop, blog] = [await start(t, registry, 'shop', { app: 'shop' }), await start(t, registry, 'blog', { app: 'blog' })]
  const other = await start(t, registry, 'other', {})
  const ask = async (): Promise<string[]> => [await bodyOf(shop), await bodyOf(blog), await bodyOf(other)]
  t.same(await ask(), ['shop', 'blog', 'other'])
  t.same(await ask(), ['shop', 'blog', 'other'])
})

t.test('two instances of one app, under one name, share what they store', async (t) => {
  const registry = registryWithMemory()
  const [one, two] = [await start(t, registry, 'one', { app: 'shop' }), await start(t, registry, 'two', { app: 'shop' })]
  t.equal(await bodyOf(one), 'one')
  t.equal(await bodyOf(two), 'one')
})

t.test('a write in one app invalidates the target in the other', async (t) => {
  const registry = registryWithMemory()
  const [shop, admin] = [await start(t, registry, 'shop', { app: 'shop' }), await start(t, registry, 'admin', { app: 'admin' })]
  await bodyOf(shop)
  t.match((await shop.inject('/page')).headers['cache-status'], /hit/)
  await admin.inject({ method: 'PUT', url: '/page' })
  t.notMatch((await shop.inject('/page')).headers['cache-status'], /hit/)
})

t.test('two apps without a name that store in one registry: the second does not start', async (t) => {
  const registry = registryWithMemory()
  const first = await start(t, registry, 'first', {})
  await t.rejects(start(t, registry, 'second', {}), { code: 'CACHE_ERR_APP_UNNAMED' })
  await first.close()
  t.equal(await bodyOf(await start(t, registry, 'third', {})), 'third', 'the place is free once the first has closed')
})
