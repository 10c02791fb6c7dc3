import t, { type Test } from 'tap'
import type { RedisCache } from '../../../src/index.js'
import { begin, isSettled, read, startCache, startProxy, startServer, store, valueOf, warmUp } from '../../fixtures/caches.js'
import { until } from '@x/test-kit/redis-server'

t.setTimeout(300_000)

/** Checks that no earlier value is served, and that the cache works again. */
async function showsNothingOld (t: Test, cache: RedisCache): Promise<void> {
  for (const key of ['tagged', 'plain']) t.equal(await read(cache, key), null, `${key} is a miss`)
  await begin(cache, 'tag')
  for (const key of ['tagged', 'plain']) t.equal(await read(cache, key), null, `${key} is a miss, also once there is a token again`)
  await store(cache, 'tagged', 'new', 'tag')
  t.equal(await read(cache, 'tagged'), 'new')
}

for (const consistency of ['bounded', 'strong'] as const) {
  t.test(`restart: entries and tokens that were brought back from disk are misses (${consistency})`, async (t) => {
    const server = await startServer(t)
    const cache = await startCache(t, { url: server.url, consistency })
    await store(cache, 'tagged', 'old', 'tag')
    await store(cache, 'plain', 'old')
    await warmUp(t, cache, 'tagged', 'old')
    const snapshot = await begin(cache, 'tag')
    await server.cli('SAVE')
    t.match(await cache.tags.invalidate('tag'), { ok: true })
    t.match(await cache.del('plain'), { ok: true })
    await server.kill()
    await server.start()
    t.match(await server.cli('KEYS', 'cache:t:*'), 'cache:t:tag', 'the old token is back')
    await until('the cache is back', async () => isSettled(cache, { consistency }) && (await cache.get('tagged')).ok)
    valueOf(await cache.set('tagged', 'loaded before', { ttl: 600, snapshot }))
    await showsNothingOld(t, cache)
    const other = await startCache(t, { url: server.url, consistency })
    t.equal(await read(other, 'plain'), null, 'also for a process that begins now')
  })
}

t.test('restart: an empty server is a miss, whatever this process remembers', async (t) => {
  const server = await startServer(t)
  const cache = await startCache(t, { url: server.url })
  await store(cache, 'tagged', 'old', 'tag')
  await warmUp(t, cache, 'tagged', 'old')
  await server.kill()
  await server.start()
  await until('the cache is back', () => isSettled(cache))
  await showsNothingOld(t, cache)
})

t.test('failover: a replica that was promoted with an old token serves nothing from before', async (t) => {
  const master = await startServer(t)
  const replica = await startServer(t, '--replicaof', '127.0.0.1', String(master.port))
  const proxy = await startProxy(t, master.port)
  const cache = await startCache(t, { url: proxy.url })
  await store(cache, 'tagged', 'old', 'tag')
  await store(cache, 'plain', 'old')
  await warmUp(t, cache, 'tagged', 'old')
  await until('the replica has it all', async () => await replica.cli('DBSIZE') === await master.cli('DBSIZE') && (await replica.cli('INFO', 'replication')).includes('master_link_status:up'))
  await replica.cli('REPLICAOF', 'NO', 'ONE')
  t.match(await cache.tags.invalidate('tag'), { ok: true }, 'acknowledged by a master that is lost now')
  t.match(await cache.del('plain'), { ok: true })
  proxy.lead(replica.port)
  await until('the cut is noticed', () => cache.status().tracking === 'in doubt')
  await until('the cache is back', () => isSettled(cache))
  t.match(await replica.cli('KEYS', 'cache:t:*'), 'cache:t:tag', 'the old token is there')
  await showsNothingOld(t, cache)
})

t.test('failover: a server that became a replica and a master again, on open connections, serves nothing from before', async (t) => {
  const server = await startServer(t)
  const other = await startServer(t, '--replicaof', '127.0.0.1', String(server.port))
  const cache = await startCache(t, { url: server.url })
  await store(cache, 'tagged', 'old', 'tag')
  await store(cache, 'plain', 'old')
  await warmUp(t, cache, 'tagged', 'old')
  await until('the other has it all', async () => await other.cli('DBSIZE') === await server.cli('DBSIZE'))
  await other.cli('REPLICAOF', 'NO', 'ONE')
  t.match(await cache.tags.invalidate('tag'), { ok: true })
  t.match(await cache.del('plain'), { ok: true })
  await server.cli('REPLICAOF', '127.0.0.1', String(other.port))
  await until('it has the old data', async () => (await server.cli('KEYS', 'cache:t:*')).includes('cache:t:tag'))
  await until('the role is noticed', () => cache.status().tracking === 'in doubt')
  await server.cli('REPLICAOF', 'NO', 'ONE')
  await until('the cache is back', () => isSettled(cache))
  await showsNothingOld(t, cache)
})

t.test('failover: a master that became a replica refuses many stores at once without a warning, and the cache follows its return', async (t) => {
  const warnings: string[] = []
  const note = ({ name }: Error): void => { warnings.push(name) }
  process.on('warning', note)
  t.teardown(() => process.off('warning', note))
  const server = await startServer(t)
  const other = await startServer(t)
  const cache = await startCache(t, { url: server.url })
  await store(cache, 'plain', 'old')
  await warmUp(t, cache, 'plain', 'old')
  await server.cli('REPLICAOF', '127.0.0.1', String(other.port))
  const stores = await Promise.all(Array.from({ length: 40 }, (_, at) => cache.set(`key ${at}`, at)))
  t.ok(stores.every(({ ok }) => !ok))
  await until('the role is noticed', () => cache.status().tracking === 'in doubt')
  await server.cli('REPLICAOF', 'NO', 'ONE')
  await until('the cache is back', async () => isSettled(cache) && (await cache.get('plain')).ok)
  await store(cache, 'plain', 'new')
  t.equal(await read(cache, 'plain'), 'new')
  t.notOk(warnings.includes('MaxListenersExceededWarning'), warnings.join())
})

t.test('invalidate: with waitReplicas it is not ok without them, and waits until it is', async (t) => {
  const master = await startServer(t)
  const cache = await startCache(t, { url: master.url, waitReplicas: 1, commandTimeoutMs: 1000 })
  await store(cache, 'tagged', 'old', 'tag')
  t.match(await cache.tags.invalidate('tag'), { ok: false, error: { queued: true } })
  t.equal(cache.status().queuedInvalidations, 1)
  await startServer(t, '--replicaof', '127.0.0.1', String(master.port))
  await until('it is replayed', () => cache.status().queuedInvalidations === 0)
  // A replica counts as online as soon as it has the snapshot, but may acknowledge later writes up to a second later, so the test waits for
  // that.
  await master.cli('SET', 'other', 'written')
  await until('the replica acknowledges what is written', async () => {
    const info = await master.cli('INFO', 'replication')
    const offset = /^slave0:.*state=online,offset=(\d+)/m.exec(info)?.[1]
    return Number(offset) > 0 && offset === /^master_repl_offset:(\d+)/m.exec(info)?.[1]
  })
  // The first replica gives its master a new history, and therefore a new server identity. Reads that notice this are refused, so the test
  // waits.
  await until('the cache is back', async () => isSettled(cache) && (await cache.get('tagged')).ok)
  t.match(await cache.tags.invalidate('tag'), { ok: true })
  t.equal(await read(cache, 'tagged'), null)
})
