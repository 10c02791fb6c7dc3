import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis-5'
import { Cluster as Cluster6, Redis as Redis6 } from 'ioredis-6'
import { Cluster as ValkeyCluster, Redis as Valkey } from 'iovalkey'
import t, { type Test } from 'tap'
import { RedisCache, type RedisCacheOptions } from '../../../src/index.js'
import type { RedisLease } from '../../../src/entries/leases.js'
import { isSettled, read, startProxy, startServer, store, valueOf } from '../../fixtures/caches.js'
import { RedisCluster, RedisSentinels } from '@x/test-kit/redis-deployments'
import { until } from '@x/test-kit/redis-server'

t.setTimeout(300_000)

type Client = NonNullable<RedisCacheOptions['client']>
type Made<T> = new (...args: any[]) => T
const LIBRARIES = [
  ['the copy of ioredis that the cache uses', Redis, Cluster],
  ['ioredis 5.11.1', Redis5, Cluster5],
  ['another copy of ioredis 6', Redis6, Cluster6],
  ['iovalkey 0.4.0', Valkey, ValkeyCluster]
] as unknown as [string, Made<Client & Redis>, Made<Client & Cluster>][]

const cluster = await RedisCluster.start()
t.teardown(() => cluster.close())

/** Starts two caches, each on a client of the app. */
async function startTwo (t: Test, make: () => Client, options: RedisCacheOptions = {}): Promise<RedisCache[]> {
  const caches = Array.from({ length: 2 }, () => {
    const client = make()
    client.on('error', () => {})
    const cache = new RedisCache({ client, commandTimeoutMs: 2000, ...options })
    t.teardown(async () => {
      await cache.close()
      client.disconnect()
    })
    return cache
  })
  for (const cache of caches) await until('the cache is in service, and trusts', () => isSettled(cache))
  return caches
}

const OPTIONS = { enableOfflineQueue: false, commandTimeout: 2000, socketTimeout: 2000 }

for (const [name, Single, OfCluster] of LIBRARIES) {
  t.test(`client: a Cluster of ${name} is taken for one, and each process hears of each invalidation`, async (t) => {
    const prefix = `${name.replace(/\W/g, '')}:`
    const make = (): Client => new OfCluster(cluster.urls.map((url) => ({ host: '127.0.0.1', port: Number(new URL(url).port) })), { redisOptions: OPTIONS })
    const heard: string[] = []
    const [one, two] = await startTwo(
      t, make, { keyPrefix: prefix, waitReplicas: 1, onInvalidated: (tags) => { heard.push(...tags) } }
    ) as [RedisCache, RedisCache]
    t.match([one.status().mode, two.status().mode], ['cluster', 'cluster'])
    const numbers = Array.from({ length: 40 }, (_, at) => at)
    await Promise.all(numbers.map((at) => store(one, `key ${at}`, at, `tag ${at}`)))
    // The read is repeated, since after the first read the process remembers the tokens on which the second one relies.
    for (let round = 0; round < 2; round++) {
      for (const cache of [one, two]) for (const at of numbers) t.equal(await read(cache, `key ${at}`), at)
    }
    for (const at of numbers) valueOf(await one.tags.invalidate(`tag ${at}`))
    for (const at of numbers) {
      t.equal(await read(one, `key ${at}`), null, 'at once in the process that invalidated')
      await until(`the other process has heard of tag ${at}`, async () => await read(two, `key ${at}`) === null)
    }
    await until('both listeners were called', () => heard.length >= 2 * numbers.length)
    // The writes of one key are carried out in the order of the calls.
    await Promise.all(numbers.map(async (at) => { valueOf(await one.set('same', at, 60)) }))
    t.equal(await read(two, 'same'), numbers.at(-1))
    const lock = valueOf(await one.lock('lock', { ttl: 60 }))!
    const waiting = two.lock('lock', { ttl: 60, waitMs: 10_000 })
    valueOf(await lock.release())
    t.ok(valueOf(await waiting))
    valueOf(await one.clear())
    await until('all is gone', async () => await read(two, 'same') === null)
  })

  t.test(`client: a single server's of ${name} works`, async (t) => {
    const server = await startServer(t)
    const [one, two] = await startTwo(
      t, () => new Single({ ...OPTIONS, port: server.port }), { connections: 2, near: true }
    ) as [RedisCache, RedisCache]
    t.equal(one.status().mode, 'single')
    await store(one, 'key', 1, 'tag')
    t.equal(await read(two, 'key'), 1)
    valueOf(await one.tags.invalidate('tag'))
    await until('the other process has heard of it', async () => await read(two, 'key') === null)
  })
}

t.test('client: one behind a Sentinel has the mode "sentinel", and works', async (t) => {
  const sentinels = await RedisSentinels.start(1, 1)
  t.teardown(() => sentinels.close())
  for (const [name, Single] of LIBRARIES) {
    t.comment(name)
    const [one, two] = await startTwo(
      t, () => new Single({ ...OPTIONS, name: 'mymaster', sentinels: [{ host: '127.0.0.1', port: sentinels.sentinels[0]!.port }] }), { keyPrefix: `${name.replace(/\W/g, '')}:` }
    ) as [RedisCache, RedisCache]
    t.equal(one.status().mode, 'sentinel')
    await store(one, 'key', 1, 'tag')
    t.equal(await read(two, 'key'), 1)
    valueOf(await one.tags.invalidate('tag'))
    await until('the other process has heard of it', async () => await read(two, 'key') === null)
  }
})

t.test('client: twelve caches on one add no listener each, and warn of no leak', async (t) => {
  const server = await startServer(t)
  const warnings: Error[] = []
  const note = (warning: Error): void => { warnings.push(warning) }
  process.on('warning', note)
  t.teardown(() => process.off('warning', note))
  const clients: (Redis | Cluster)[] = [new Redis({ port: server.port }), new Cluster(cluster.urls)]
  for (const client of clients) {
    await until('the client is connected', () => client.status === 'ready')
    const count = (): number => client.eventNames().reduce((total, name) => total + client.listenerCount(name as 'ready'), 0)
    const before = count()
    const caches = Array.from({ length: 12 }, (_, at) => new RedisCache({ client, keyPrefix: `cache ${at}:`, commandTimeoutMs: 30_000 }))
    for (const [at, cache] of caches.entries()) {
      await until('the cache is in service', () => cache.ready(1000))
      valueOf(await cache.set('key', at, { tags: ['tag'] }))
    }
    t.ok(count() - before <= 6, `${count() - before} listeners for twelve caches`)
    for (const cache of caches) await cache.close()
    t.equal(count(), before, 'all are gone')
    t.equal(client.status, 'ready', 'the client stays open')
    client.disconnect()
  }
  await new Promise((resolve) => { setImmediate(resolve) })
  t.same(warnings, [])
})

for (const [name, Single] of LIBRARIES) {
  t.test(`client: reads of one tick over ${name} get their own values, also if it pipelines by itself, and all end if it closes`, async (t) => {
    const server = await startServer(t)
    const keys = Array.from({ length: 40 }, (_, at) => `key ${at}`)
    for (const enableAutoPipelining of [false, true]) {
      const [cache, other] = await startTwo(
        t, () => new Single(server.port, { ...OPTIONS, enableAutoPipelining }), { keyPrefix: `pipelines ${enableAutoPipelining}:`, commandTimeoutMs: 10_000 }
      ) as [RedisCache, RedisCache]
      for (let at = 0; at < 40; at += 2) await store(cache, keys[at]!, at, 'tag')
      const expected = keys.map((_key, at) => at % 2 === 0 ? at : null)
      t.same(valueOf(await other.getMany(keys)), expected)
      const pending = keys.map((key) => cache.get(key))
      t.same((await Promise.all(pending)).map(valueOf), expected)
      const ended = [...keys.map((key) => cache.get(key)), cache.getMany(keys)]
      await cache.close()
      t.equal((await Promise.all(ended)).length, 41)
    }
  })
}

t.test('client: a read that it sends again, to a server that has what was removed, finds nothing', async (t) => {
  const [first, second] = [await startServer(t), await startServer(t)]
  const proxy = await startProxy(t, first.port)
  const [cache] = await startTwo(
    t, () => new Redis(proxy.port, { enableOfflineQueue: false, commandTimeout: 5000 }),
    { commandTimeoutMs: 5000, heartbeatTimeoutMs: 60_000 }
  ) as [RedisCache]
  valueOf(await cache.set('key', 'old'))
  await until('the generation is known', async () => await read(cache, 'key') === 'old')
  const name = await first.cli('KEYS', 'cache:e:*')
  await second.cli('SET', 'cache:g', await first.cli('GET', 'cache:g'))
  await second.cli('SET', name, '"old"')
  const lease = valueOf(await cache.leases.take('loaded', { ttl: 60 })) as RedisLease
  const admin = new Redis(second.port)
  t.teardown(() => admin.disconnect())
  await admin.set(lease.slot.name, lease.slot.header)
  for (const each of ['key', 'loaded']) valueOf(await cache.del(each))
  t.equal(await read(cache, 'key'), null)
  proxy.hold('cache', 'up')
  const isCurrent = cache.leases.isCurrent(lease)
  const sentTwice = [cache.get('key'), cache.getEntry('key', { tags: [] }), cache.getMany(['key'])]
  await until('they were sent', () => proxy.held('cache', 'up').split(name).length >= 4)
  proxy.lead(second.port)
  proxy.release('cache', 'up')
  for (const pending of sentTwice) {
    const result = await pending
    if (result.ok) t.notMatch(JSON.stringify(result.value), 'old')
  }
  const current = await isCurrent
  t.equal(current.ok && current.value, false, 'and a load that began before the removal is not joined')
})

t.test('waitReplicas: WAIT that a client of the app\'s own would send again, to another server, is no acknowledgement', async (t) => {
  const [first, second] = [await startServer(t), await startServer(t)]
  await startServer(t, '--replicaof', '127.0.0.1', String(second.port))
  await until('the other server has a replica', async () => (await second.cli('INFO', 'replication')).includes('state=online'))
  const proxy = await startProxy(t, first.port)
  const [cache] = await startTwo(
    t, () => new Redis(proxy.port, { commandTimeout: 20_000 }), { waitReplicas: 1, commandTimeoutMs: 20_000 }
  ) as [RedisCache]
  const invalidated = cache.tags.invalidate('tag')
  await until('it waits for replicas', async () => (await first.cli('CLIENT', 'LIST')).includes('cmd=wait'))
  proxy.lead(second.port)
  t.match(await invalidated, { ok: false, error: { code: 'CACHE_ERR_UNAVAILABLE', queued: true } })
})
