import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { buildApp } from '../src/app.js'
import { CustomCache } from '../src/custom-cache.js'

async function ready (t: Test): Promise<{ app: FastifyInstance; custom: CustomCache }> {
  const custom = new CustomCache()
  const app = await buildApp(custom)
  t.teardown(() => app.close())
  await app.ready()
  return { app, custom }
}

t.test('fastify.cache: is served by it, under its own name', async (t) => {
  const { app, custom } = await ready(t)
  t.match(await app.cache.set('user:1', { name: 'Ada' }, 60), { ok: true })
  t.same(await custom.get('user:1'), { ok: true, value: { name: 'Ada' } })
  t.same(await app.cache.get('user:1'), { ok: true, value: { name: 'Ada' } })
  const status = await app.inject('/internal/cache')
  t.match(status.json(), { enabled: true, implName: 'CustomCache', recentStats: { hits: 1, misses: 0 } })
  t.same([...app.cache.registry.stats.impls.keys()].sort(), ['custom', 'null'])
})

t.test('getOrSet: a stored null is a hit', async (t) => {
  const { app } = await ready(t)
  let loads = 0
  const load = async (): Promise<null> => {
    loads++
    return null
  }
  for (let times = 0; times < 3; times++) t.equal(await app.cache.getOrSet('user:404', load, { ttl: 60 }), null)
  t.equal(loads, 1)
})

t.test('getOrSet: 0, an empty text and false are hits', async (t) => {
  const { app } = await ready(t)
  for (const value of [0, '', false]) {
    await app.cache.getOrSet(`value:${typeof value}`, () => value)
    t.equal(await app.cache.getOrSet<unknown>(`value:${typeof value}`, () => t.fail('loaded again')), value)
  }
})

t.test('getOrSet: one load for all who ask at once', async (t) => {
  const { app } = await ready(t)
  let loads = 0
  const load = async (): Promise<number> => ++loads
  t.same(await Promise.all([1, 2, 3].map(() => app.cache.getOrSet('report:1', load))), [1, 1, 1])
})

t.test('an entry with tags is never stored, since nothing could invalidate it', async (t) => {
  const { app, custom } = await ready(t)
  t.match(await app.cache.set('user:1', 'value', { tags: ['users'] }), { ok: false, error: { code: 'CACHE_ERR_UNSUPPORTED' } })
  let loads = 0
  for (let times = 0; times < 2; times++) await app.cache.getOrSet('user:1', () => ++loads, { tags: ['users'] })
  t.equal(loads, 2)
  t.same(await custom.get('user:1'), { ok: true, value: null })
})

t.test('what it lacks answers CACHE_ERR_UNSUPPORTED', async (t) => {
  const { app: { cache } } = await ready(t)
  const answers = [
    await cache.getEntry('key'), await cache.getMany(['key']), await cache.setMany([{ key: 'key', value: 1 }]), await cache.delMany(['key']),
    await cache.tags.capture(['tag']), await cache.tags.invalidate('tag'), await cache.lock('key', { ttl: 1 }), await cache.clear(), await cache.health()
  ]
  for (const answer of answers) t.match(answer, { ok: false, error: { code: 'CACHE_ERR_UNSUPPORTED' } })
})

t.test('set: bad input never reaches it', async (t) => {
  const { app } = await ready(t)
  t.match(await app.cache.set('', 1), { error: { code: 'CACHE_ERR_KEY_INVALID' } })
  t.match(await app.cache.set('key', undefined), { error: { code: 'CACHE_ERR_VALUE_INVALID' } })
  t.match(await app.cache.set('key', 1, -1), { error: { code: 'CACHE_ERR_TTL_INVALID' } })
})

t.test('set: a value that it cannot clone is a coded error', async (t) => {
  const { app } = await ready(t)
  t.match(await app.cache.set('key', { call: () => {} }), { error: { code: 'CACHE_ERR_VALUE_INVALID' } })
})

t.test('maxEntries: the oldest makes room', async (t) => {
  const custom = new CustomCache({ maxEntries: 2 })
  for (const key of ['a', 'b', 'b', 'c']) await custom.set(key, key)
  t.same(await Promise.all(['a', 'b', 'c'].map(async (key) => await custom.get(key))), [
    { ok: true, value: null }, { ok: true, value: 'b' }, { ok: true, value: 'c' }
  ])
})
