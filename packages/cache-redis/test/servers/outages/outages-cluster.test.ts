import { setTimeout as wait } from 'node:timers/promises'
import { Cluster } from 'ioredis'
import t, { type Test } from 'tap'
import type { RedisCache } from '../../../src/index.js'
import { isSettled, read, startCache, store } from '../../fixtures/caches.js'
import { printReports, survive } from '../../fixtures/outage.js'
import { RedisCluster } from '@x/test-kit/redis-deployments'
import { until } from '@x/test-kit/redis-server'
import { sharedNow } from '../../fixtures/world.js'

t.setTimeout(300_000)

const HEARTBEAT_TIMEOUT_MS = 1000

// One Cluster is used for all outages; each outage is repaired before the next one.
const cluster = await RedisCluster.start(1000)
t.teardown(async () => {
  printReports(t)
  await cluster.close()
})

async function startTwo (t: Test): Promise<RedisCache[]> {
  return Promise.all([1, 2].map(() => startCache(t, { mode: 'cluster', url: cluster.urls, breaker: { probeMs: 200 } })))
}

t.test('slots that move under load', async (t) => {
  const caches = await startTwo(t)
  await survive(t, 'cluster: slot migration', caches, HEARTBEAT_TIMEOUT_MS, async () => {
    for (const key of ['cache:t:a', 'cache:t:one:b:1', 'cache:g']) await cluster.moveSlotOf(key)
    return { mendedAt: sharedNow() }
  })
  await store(caches[0]!, 'key', 1, 'a')
  t.equal(await read(caches[1]!, 'key'), 1)
  await until('tracking is trusted again', () => caches.every((cache) => isSettled(cache)))
})

t.test('kill -9 of a master', async (t) => {
  const caches = await startTwo(t)
  await survive(t, 'cluster: kill -9 of the master of a tag', caches, HEARTBEAT_TIMEOUT_MS, async () => {
    const master = await cluster.masterOf('cache:t:a')
    const brokenAt = sharedNow()
    await master.kill()
    await until('another is promoted', async () => (await cluster.masterOf('cache:t:a')).port !== master.port)
    t.comment(`the cluster itself took ${Math.round(sharedNow() - brokenAt)} ms`)
    void wait(500).then(() => master.start())
    return { mendedAt: sharedNow() }
  })
  await cluster.settled()
})

t.test('SIGSTOP of the master of the generation', async (t) => {
  const caches = await startTwo(t)
  const master = await cluster.masterOf('cache:g')
  await survive(t, 'cluster: SIGSTOP of the master of the generation', caches, HEARTBEAT_TIMEOUT_MS, async () => {
    const brokenAt = sharedNow()
    master.signal('SIGSTOP')
    await until('another is promoted', async () => (await cluster.masterOf('cache:g', master)).port !== master.port)
    t.comment(`the cluster itself took ${Math.round(sharedNow() - brokenAt)} ms`)
    return { mendedAt: sharedNow() }
  })
  master.signal('SIGCONT')
  await cluster.settled()
})

t.test('a replica that lacked a del serves nothing of what it still has', async (t) => {
  const caches = await startTwo(t)
  const client = new Cluster([cluster.urls[0]!])
  t.teardown(() => client.disconnect())
  const keys = Array.from({ length: 20 }, (_, each) => `lost:${each}`)
  for (const key of keys) await store(caches[0]!, key, 'old')
  const home = await cluster.masterOf('cache:g')
  const names: string[] = []
  for (const node of client.nodes('master')) if (node.options.port !== home.port) names.push(...await node.keys('cache:e:*:lost:*'))
  t.ok(names.length > 5, 'some lie on other masters than the generation')
  const master = await cluster.masterOf(names[0]!)
  const kept = new Map<string, Buffer | null>()
  for (const name of names) if (await cluster.masterOf(name) === master) kept.set(name, await client.getBuffer(name))
  t.equal((await caches[0]!.delMany(keys)).ok, true)
  await master.kill()
  await until('another is promoted', async () => (await cluster.masterOf(names[0]!)).port !== master.port)
  await until('all are back', async () => (await Promise.all(caches.map(async (cache) => (await cache.set('lost:0', 'new')).ok))).every(Boolean))
  // The last acknowledgement before a master ends cannot be timed, so the test writes to the replica the data that it would have got.
  for (const [name, entry] of kept) await client.set(name, entry!)
  for (const name of kept.keys()) {
    const key = name.slice(name.indexOf('lost:'))
    for (const cache of caches) t.not(await read(cache, key), 'old', key)
  }
  await master.start()
  await cluster.settled()
})
