import { randomBytes } from 'node:crypto'
import { CacheRegistry } from '@x/cache-core'
import { CacheClient } from '@x/cache-core/suite'
import t, { type Test } from 'tap'
import type { RedisCache, RedisCacheOptions } from '../../../src/index.js'
import { read, startCache, startServer, valueOf } from '../../fixtures/caches.js'
import type { RedisServer } from '@x/test-kit/redis-server'

/** Starts two processes on one server. */
async function twoProcesses (t: Test, options: RedisCacheOptions = {}): Promise<{
  here: RedisCache; there: RedisCache; server: RedisServer
}> {
  const server = await startServer(t)
  return { here: await startCache(t, { url: server.url, ...options }), there: await startCache(t, { url: server.url, ...options }), server }
}

/** Returns the Redis key of the only entry. */
async function entryName (server: RedisServer): Promise<string> {
  const names = (await server.cli('KEYS', 'cache:e:*')).split('\n').filter((name) => name !== '')
  if (names.length !== 1) throw new Error(`one entry was expected: ${names.join(', ')}`)
  return names[0]!
}

async function timeLeft (server: RedisServer, name: string): Promise<number> {
  return Number(await server.cli('PTTL', name))
}

t.test('touch: plain JSON stays plain JSON, and a frame keeps its payload', async (t) => {
  const { here, there, server } = await twoProcesses(t)
  valueOf(await here.set('key', { a: 1 }, 10))
  const name = await entryName(server)
  t.equal(valueOf(await there.touch('key', 1000)), true)
  t.equal(await server.cli('GET', name), '{"a":1}')
  const left = await timeLeft(server, name)
  t.ok(left > 900_000 && left <= 1_000_000, `${left} ms are left`)

  valueOf(await here.set('key', { a: 2 }, { ttl: 10, staleIfError: 5 }))
  t.equal(valueOf(await there.touch('key', 2000)), true)
  t.same(await read(here, 'key'), { a: 2 })
  const withWindow = await timeLeft(server, name)
  t.ok(withWindow > 1_905_000 && withWindow <= 2_005_000, `${withWindow} ms are left`)
})

t.test('touch: the tokens of the tags, and of the generation, last as long as the touched entry', async (t) => {
  const { here, there, server } = await twoProcesses(t)
  valueOf(await here.set('key', 1, { ttl: 1, tags: ['tag'] }))
  const days = 20 * 24 * 3600
  t.equal(valueOf(await there.touch('key', days)), true)
  const tokens = (await server.cli('KEYS', 'cache:*')).split('\n').filter((name) => name !== '' && !name.startsWith('cache:e:'))
  t.ok(tokens.length >= 2, tokens.join())
  for (const token of tokens) t.ok(await timeLeft(server, token) > days * 1000 - 60_000, token)
})

t.test('touch: a compressed value is neither read nor changed', async (t) => {
  const { here, server } = await twoProcesses(t, { compressAboveBytes: 100 })
  const value = { text: randomBytes(50_000).toString('base64') }
  valueOf(await here.set('key', value, { ttl: 10, staleIfError: 10 }))
  await server.cli('CONFIG', 'RESETSTAT')
  t.equal(valueOf(await here.touch('key', 1000)), true)
  const sent = Number(/total_net_output_bytes:(\d+)/.exec(await server.cli('INFO', 'stats'))?.[1])
  t.same(await read(here, 'key'), value)
  const sentByRead = Number(/total_net_output_bytes:(\d+)/.exec(await server.cli('INFO', 'stats'))?.[1]) - sent
  t.ok(sent < 10_000 && sentByRead > 40_000, `${sent} bytes were sent for touch, ${sentByRead} for get`)
})

t.test('touch: an entry that another load replaces at the same time is the replaced one, or the touched one, and never lost', async (t) => {
  const { here, there } = await twoProcesses(t)
  for (let turn = 0; turn < 50; turn++) {
    valueOf(await here.set('key', 'old', { ttl: 60, staleIfError: 60, tags: ['tag'] }))
    const lease = valueOf(await here.leases.take('key', { ttl: 60, tags: ['tag'] }))
    const [touched] = await Promise.all([
      there.touch('key', 1000),
      here.set('key', 'new', { ttl: 60, tags: ['tag'], snapshot: lease })
    ])
    t.equal(valueOf(touched), true)
    t.equal(await read(there, 'key'), 'new')
  }
})

t.test('touch: never revives an entry that another process invalidates at the same time', async (t) => {
  const { here, there } = await twoProcesses(t)
  for (let turn = 0; turn < 50; turn++) {
    valueOf(await here.set('key', turn, { ttl: 60, tags: ['tag'] }))
    const [, invalidated] = await Promise.all([here.touch('key', 1000), turn % 2 === 0 ? there.tags.invalidate('tag') : there.del('key')])
    valueOf(invalidated)
    t.equal(await read(there, 'key'), null)
    t.equal(valueOf(await there.touch('key', 1000)), false)
  }
})

t.test('touch: a key of another type, and bytes that are no entry, are no entry, or a coded error', async (t) => {
  const { here, server } = await twoProcesses(t)
  valueOf(await here.set('key', 1, 60))
  const name = await entryName(server)
  await server.cli('DEL', name)
  await server.cli('RPUSH', name, 'x')
  t.equal(valueOf(await here.touch('key', 60)), false)
  await server.cli('DEL', name)
  await server.cli('EVAL', "redis.call('SET', KEYS[1], '\\193\\009\\000\\000\\000\\000\\000\\00012345678')", '1', name)
  t.match(await here.touch('key', 60), { ok: false, error: { code: 'CACHE_ERR_CORRUPT' } })
})

t.test('getOrSet: unchanged() renews an entry that other processes read', async (t) => {
  const { here, there, server } = await twoProcesses(t)
  const registry = new CacheRegistry()
  registry.register(here)
  const client = new CacheClient(registry)
  const options = { ttl: 600, staleIfError: 600, tags: ['tag'] }
  await client.getOrSet('key', () => ({ a: 1 }), options)
  await registry.flights.allStored()
  t.equal(valueOf(await there.touch('key', 0)), true, 'its ttl has passed')
  t.same(await client.getOrSet('key', ({ stale, unchanged }) => stale === undefined ? { a: 2 } : unchanged(), options), { a: 1 })
  await registry.flights.allStored()
  const entry = valueOf(await there.getEntry('key'))
  t.match(entry, { value: { a: 1 }, fresh: true, tags: ['tag'] })
  t.ok(entry!.ttlLeft > 500)
  valueOf(await there.tags.invalidate('tag'))
  t.equal(await read(there, 'key'), null)
  t.ok(server)
})
