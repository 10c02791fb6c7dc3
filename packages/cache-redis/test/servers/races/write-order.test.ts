import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { Compression, RedisCacheOptions } from '../../../src/index.js'
import { clientOf, read, startCache, startProxy, startServer, valueOf, warmUp } from '../../fixtures/caches.js'
import { Masters } from '../../fixtures/masters.js'
import { until } from '@x/test-kit/redis-server'

t.setTimeout(300_000)

const LARGE = 'large '.repeat(100)

/** Makes a compression that waits until `letGo` is called, and then returns the result that `gives` determines. */
function held (): { compression: Compression; letGo: () => void } {
  let letGo = (): void => {}
  const isLetGo = new Promise<void>((resolve) => { letGo = resolve })
  const compression: Compression = {
    id: 200,
    compress: async () => {
      await isLetGo
      return Buffer.from([1])
    },
    decompress: async () => Buffer.from('"late"')
  }
  return { compression, letGo }
}

t.test('set, del: a value that takes long to compress does not land behind what was done after it', async (t) => {
  const server = await startServer(t)
  const { compression, letGo } = held()
  const cache = await startCache(t, { url: server.url, compressAboveBytes: 100, compression, commandTimeoutMs: 5000 })
  const writes = [cache.set('deleted', LARGE), cache.del('deleted'), cache.set('replaced', LARGE), cache.set('replaced', 'new')]
  letGo()
  for (const written of await Promise.all(writes)) valueOf(written)
  t.equal(await read(cache, 'deleted'), null)
  t.equal(await read(cache, 'replaced'), 'new')
})

t.test('set, del: a value whose tokens have to be asked for does not land behind what was done after it', async (t) => {
  const server = await startServer(t)
  const cache = await startCache(t, { url: server.url })
  valueOf(await cache.set('other', 1))
  // The test waits until the message about the process's own store has arrived; from then on the generation is remembered.
  await until('a read is one command', async () => {
    await server.cli('CONFIG', 'RESETSTAT')
    for (let times = 0; times < 5; times++) t.equal(await read(cache, 'other'), 1)
    return (await server.cli('INFO', 'commandstats')).includes('cmdstat_get:calls=5,')
  })
  for (const written of await Promise.all([cache.set('key', 'old', { tags: ['unknown'] }), cache.set('key', 'new')])) valueOf(written)
  t.equal(await read(cache, 'key'), 'new')
})

/** The kinds of deployment: a single server, and a Cluster. */
const kinds: Record<string, (t: Test) => Promise<RedisCacheOptions>> = {
  single: async (t) => ({ url: (await startServer(t)).url }),
  cluster: async (t) => {
    const masters = await Masters.start()
    t.teardown(() => masters.close())
    return { mode: 'cluster', url: masters.urls }
  }
}

for (const [kind, start] of Object.entries(kinds)) {
  t.test(`a compression that hangs is a refused value: the cache stays in service, and nothing lands behind a removal (${kind})`, async (t) => {
    const { compression, letGo } = held()
    const cache = await startCache(t, { ...await start(t), compressAboveBytes: 100, compression })
    const client = clientOf(cache)
    t.match(await client.set('key', LARGE), { ok: false, error: { code: 'CACHE_ERR_VALUE_INVALID' } })
    await until('del is acknowledged', async () => (await client.del('key')).ok)
    await until('nothing waits', () => cache.status().queuedInvalidations === 0)
    for (let times = 0; times < 30; times++) t.match(await client.set(`key ${times % 3}`, LARGE), { ok: false, error: { code: 'CACHE_ERR_VALUE_INVALID' } })
    t.match(cache.status(), { degraded: false, breaker: 'closed', queuedInvalidations: 0 })
    letGo()
    await new Promise((resolve) => { setTimeout(resolve, 100) })
    t.equal(valueOf(await client.get('key')), null)
  })
}

t.test('set: what it replaces is not served again, also where the process has not heard of a clear', async (t) => {
  const server = await startServer(t)
  const proxy = await startProxy(t, server.port)
  const settings = { heartbeatTimeoutMs: 60_000, commandTimeoutMs: 5000 }
  const [near, far] = [await startCache(t, { url: server.url, ...settings }), await startCache(t, { url: proxy.url, ...settings })]
  for (const key of ['loaded', 'stored', 'tagged']) valueOf(await far.set(key, 'first', { ttl: 600 }))
  await warmUp(t, far, 'loaded', 'first')
  await new Promise((resolve) => { setTimeout(resolve, 100) })
  await warmUp(t, far, 'loaded', 'first')
  proxy.hold('cache-tracking', 'down')
  valueOf(await near.clear())
  const lease = valueOf(await near.leases.take('loaded', { ttl: 60 }))
  valueOf(await near.set('stored', 'old', { ttl: 600 }))
  valueOf(await near.set('tagged', 'old', { ttl: 600 }))
  valueOf(await far.set('loaded', 'new', { ttl: 600 }))
  valueOf(await far.setMany([{ key: 'stored', value: 'new' }, { key: 'tagged', value: 'new', options: { tags: ['tag'] } }]))
  await near.set('loaded', 'old', { ttl: 600, snapshot: lease })
  for (const key of ['loaded', 'stored', 'tagged']) t.equal(await read(near, key), 'new', key)
  proxy.release('cache-tracking', 'down')
  for (const key of ['loaded', 'stored', 'tagged']) t.equal(await read(far, key), 'new', key)
})

t.test('set: one that timed out while it waited for its turn is not sent any more: another process may have written meanwhile', async (t) => {
  const server = await startServer(t)
  const proxy = await startProxy(t, server.port)
  // The client has no time limit of its own, so that it does not give up the connection.
  const client = new Redis(proxy.port, { enableOfflineQueue: false })
  t.teardown(() => client.disconnect())
  const near = await startCache(t, { client, commandTimeoutMs: 300, heartbeatTimeoutMs: 60_000 })
  const far = await startCache(t, { url: server.url, commandTimeoutMs: 5000 })
  const lease = valueOf(await near.leases.take('key', { ttl: 60 }))
  proxy.hold('cache', 'up')
  // The first store is of a loaded value, which is stored only while its mark exists; the plain store waits behind it.
  for (const late of await Promise.all([near.set('key', 'loaded', { snapshot: lease }), near.set('key', 'late')])) {
    t.match(late, { ok: false, error: { code: 'CACHE_ERR_TIMEOUT' } })
  }
  valueOf(await far.set('key', 'new'))
  proxy.release('cache', 'up')
  for (let times = 0; times < 3; times++) await until('commands arrive again', async () => (await near.set('other', times)).ok)
  for (const cache of [near, far]) t.equal(await read(cache, 'key'), 'new')
})
