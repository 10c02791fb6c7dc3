import t, { type Test } from 'tap'
import type { RedisCache, RedisCacheOptions } from '../../../src/index.js'
import { read, startCache, startServer, valueOf } from '../../fixtures/caches.js'
import { until, type RedisServer } from '@x/test-kit/redis-server'

/** Starts two processes on one server. */
async function twoProcesses (t: Test, options: RedisCacheOptions = {}): Promise<{
  near: RedisCache; far: RedisCache; server: RedisServer
}> {
  const server = await startServer(t)
  return { near: await startCache(t, { url: server.url, ...options }), far: await startCache(t, { url: server.url, ...options }), server }
}

/** Returns the Redis key of the only entry. */
async function entryName (server: RedisServer): Promise<string> {
  const names = (await server.cli('KEYS', 'cache:e:*')).split('\n').filter((name) => name !== '')
  if (names.length !== 1) throw new Error(`one entry was expected: ${names.join(', ')}`)
  return names[0]!
}

t.test('leases: a plain JSON entry stays readable, with its ttl, while it is being replaced', async (t) => {
  const { near, far, server } = await twoProcesses(t)
  valueOf(await near.set('key', { a: 1 }, 100))
  const name = await entryName(server)
  t.equal(await server.cli('GET', name), '{"a":1}', 'it is plain JSON')
  const lease = valueOf(await near.leases.take('key', { ttl: 60 }))
  t.strictSame(await read(far, 'key'), { a: 1 })
  const left = Number(await server.cli('PTTL', name))
  t.ok(left > 30_000 && left <= 100_000, `${left} ms are left`)
  const entry = valueOf(await far.getEntry('key', { stale: true }))
  t.match(entry, { value: { a: 1 }, fresh: true })
  valueOf(await near.set('key', { a: 2 }, { ttl: 60, snapshot: lease }))
  t.strictSame(await read(far, 'key'), { a: 2 })
})

t.test('leases: a mark ends by itself, and one that is shared lasts as long as the longer lease', async (t) => {
  const { near, far, server } = await twoProcesses(t)
  valueOf(await near.leases.take('key', { ttl: 5 }))
  const name = await entryName(server)
  t.ok(Number(await server.cli('PTTL', name)) <= 5000)
  valueOf(await far.leases.take('key', { ttl: 50 }))
  const long = Number(await server.cli('PTTL', name))
  t.ok(long > 5000 && long <= 50_000, `${long} ms`)
  valueOf(await near.leases.take('key', { ttl: 5 }))
  t.ok(Number(await server.cli('PTTL', name)) > 5000, 'a shorter lease does not shorten it')
})

t.test('leases: an entry that is leased ends when it would have ended', async (t) => {
  const { near, server } = await twoProcesses(t)
  valueOf(await near.set('key', 1, { ttl: 5, staleIfError: 5 }))
  valueOf(await near.leases.take('key', { ttl: 60 }))
  t.ok(Number(await server.cli('PTTL', await entryName(server))) <= 10_000)
})

t.test('leases: what lies in the slot by another hand is no obstacle', async (t) => {
  const { near, far, server } = await twoProcesses(t)
  valueOf(await near.set('key', 1))
  const name = await entryName(server)
  await server.cli('DEL', name)
  await server.cli('RPUSH', name, 'a list')
  const lease = valueOf(await near.leases.take('key', { ttl: 60 }))
  valueOf(await near.set('key', 2, { ttl: 60, snapshot: lease }))
  t.equal(await read(far, 'key'), 2)
})

t.test('leases: with a serializer of its own the mark takes the place of a text that is none of its entries', async (t) => {
  const serializer = {
    serialize: (value: unknown) => Buffer.from(JSON.stringify(value)),
    deserialize: (bytes: Buffer) => JSON.parse(bytes.toString()) as unknown
  }
  const { near, far, server } = await twoProcesses(t, { serializer })
  valueOf(await near.set('key', 1))
  await server.cli('SET', await entryName(server), '"plain"')
  const lease = valueOf(await near.leases.take('key', { ttl: 60 }))
  t.equal(await read(far, 'key'), null)
  valueOf(await near.set('key', 2, { ttl: 60, snapshot: lease }))
  t.equal(await read(far, 'key'), 2)
})

t.test('leases: without an answer from Redis none is given', async (t) => {
  const { near, server } = await twoProcesses(t)
  await server.kill()
  t.match(await near.leases.take('key', { ttl: 60 }), { ok: false, error: { code: /UNAVAILABLE|TIMEOUT/ } })
})

t.test('leases: what was marked before a restart is not stored behind it, though Redis kept the mark', async (t) => {
  const { near, server } = await twoProcesses(t, { breaker: { probeMs: 50 } })
  valueOf(await near.set('other', 1, { ttl: 60 }))
  const lease = valueOf(await near.leases.take('key', { ttl: 60 }))
  await server.cli('SAVE')
  await server.kill()
  await server.start()
  await until('Redis is in service again', async () => (await near.get('other')).ok)
  await near.set('key', 'old', { ttl: 60, snapshot: lease })
  t.equal(await read(near, 'key'), null)
})

t.test('leases: bad input is refused with a coded error', async (t) => {
  const { near } = await twoProcesses(t)
  t.match(await near.leases.take('', { ttl: 1 }), { ok: false, error: { code: 'CACHE_ERR_KEY_INVALID' } })
  t.match(await near.leases.take('key', { ttl: 0 }), { ok: false, error: { code: 'CACHE_ERR_TTL_INVALID' } })
  t.match(await near.leases.take('key', { ttl: 1, tags: [''] }), { ok: false, error: { code: 'CACHE_ERR_TAG_INVALID' } })
  t.match(await near.leases.take('key', undefined as never), { ok: false, error: { code: 'CACHE_ERR_TTL_INVALID' } })
})
