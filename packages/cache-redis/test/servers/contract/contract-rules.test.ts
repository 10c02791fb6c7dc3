import { cacheCore } from '@x/cache-core'
import { cacheRedis, jsonSerializer, richSerializer } from '@x/cache-redis'
import Fastify, { type FastifyInstance } from 'fastify'
import v8 from 'node:v8'
import t, { type Test } from 'tap'
import { newPrefix } from '../../fixtures/contract.js'
import { deferred } from '@x/test-kit/deferred'
import { PATIENT_REDIS } from '@x/test-kit/patient-redis'
import { RedisServer } from '@x/test-kit/redis-server'

t.setTimeout(120_000)
const server = await RedisServer.start()
t.teardown(() => server.close())

async function build (t: Test, keyPrefix: string, patterns: object, options: object = {}): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheCore, { patterns } as never)
  await app.register(cacheRedis, { url: server.url, keyPrefix, ...PATIENT_REDIS, ...options })
  await app.ready()
  return app
}

for (const options of [{}, { near: true }]) {
  const name = 'near' in options ? 'Redis with copies' : 'Redis'
  t.test(`${name}: entries of another version, and values that do not pass, are misses; tags reach every version`, async (t) => {
    const keyPrefix = newPrefix()
    const schema = (value: { id?: unknown }): boolean => typeof value.id === 'number'
    const old = await build(t, keyPrefix, {}, options)
    const first = await build(t, keyPrefix, { user: { schema } }, options)
    const second = await build(t, keyPrefix, { user: { schema, version: 2 } }, options)
    await old.cache.set('user:1', { id: 'one' }, { tags: ['users'] })
    t.same(await first.cache.getOrSet('user:1', () => ({ id: 1 }), { tags: ['users'] }), { id: 1 })
    t.equal(first.cache.registry.active.stats.errors.get('schema'), 1)
    t.same(await second.cache.getOrSet('user:1', () => ({ id: 2 }), { tags: ['users'] }), { id: 2 })
    for (let time = 0; time < 2; time++) t.same(await second.cache.get('user:1'), { ok: true, value: { id: 2 } })
    t.match(await old.cache.tags.invalidate('users'), { ok: true })
    await t.resolveMatch(second.cache.getOrSet('user:1', () => ({ id: 3 }), { tags: ['users'] }), { id: Number })
  })

  t.test(`${name}: a removal by the newer version reaches the version before`, async (t) => {
    const keyPrefix = newPrefix()
    const first = await build(t, keyPrefix, { user: { version: 1 } })
    const second = await build(t, keyPrefix, { user: { version: 2 } }, options)
    await first.cache.set('user:1', 1)
    await second.cache.set('user:1', 2)
    t.match(await second.cache.del('user:1'), { ok: true })
    t.same([await first.cache.get('user:1'), await second.cache.get('user:1')], [{ ok: true, value: null }, { ok: true, value: null }])
  })
}

t.test('a version that is set during a load: its value is not stored, since the lease is that of another key', async (t) => {
  const keyPrefix = newPrefix()
  const app = await build(t, keyPrefix, { user: { version: 1 } })
  const other = await build(t, keyPrefix, { user: { version: 2 } })
  const source = deferred<string>()
  const began = deferred()
  const old = app.cache.getOrSet('user:1', () => { began.resolve(); return source.promise })
  await began.promise
  app.cache.registry.patterns.set('user', { version: 2 })
  t.match(await other.cache.del('user:1'), { ok: true })
  source.resolve('read before the removal')
  t.equal(await old, 'read before the removal')
  t.equal(await app.cache.getOrSet('user:1', () => 'new'), 'new')
})

t.test('serializer: that of the core is taken over, and another one is CACHE_ERR_OPTION_CLASH', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheCore, { serializer: 'rich' })
  await app.register(cacheRedis, { url: server.url, keyPrefix: newPrefix(), ...PATIENT_REDIS })
  await app.ready()
  await app.cache.set('user:1', { at: new Date(5) })
  t.strictSame(await app.cache.get('user:1'), { ok: true, value: { at: new Date(5) } })
  const other = Fastify()
  t.teardown(() => other.close())
  await other.register(cacheCore, { serializer: 'rich' })
  await t.rejects(async () => other.register(cacheRedis, { url: server.url, serializer: 'json' }), { code: 'CACHE_ERR_OPTION_CLASH' })
})

t.test('serializer of the app: callers that share a load, queued writes and hits have the same values', async (t) => {
  const app = await build(t, newPrefix(), {}, { serializer: { serialize: v8.serialize, deserialize: v8.deserialize } })
  const made = (): object => ({ at: new Date(5), roles: new Map([['admin', 5n]]) })
  const get = (): Promise<unknown> => app.cache.getOrSet('user:1', async () => made())
  t.strictSame([...await Promise.all([get(), get(), get()]), await get()], [made(), made(), made(), made()])
  t.same(await Promise.all([app.cache.set('user:2', made()), app.cache.set('user:2', 5n)]), [{ ok: true, value: undefined }, { ok: true, value: undefined }])
  t.strictSame(await app.cache.get('user:2'), { ok: true, value: 5n })
})

t.test('serializer: an exported serializer is the one of its name, and stores no NaN as null', async (t) => {
  const json = await build(t, newPrefix(), {}, { serializer: jsonSerializer })
  for (const value of [NaN, 5n]) t.match(await json.cache.set('user:1', value), { ok: false, error: { code: 'CACHE_ERR_VALUE_INVALID' } })
  t.same(await json.cache.get('user:1'), { ok: true, value: null })
  const rich = await build(t, newPrefix(), {}, { serializer: richSerializer })
  await rich.cache.set('user:1', NaN)
  t.same(await rich.cache.get('user:1'), { ok: true, value: NaN })
})
