import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { RedisCache } from '../../src/index.js'
import { isSettled, read, startCache, store } from '../fixtures/caches.js'
import { printReports, survive } from '../fixtures/outage.js'
import { RedisCluster, until } from '../fixtures/redis-server.js'
import { sharedNow } from '../fixtures/world.js'

t.setTimeout(180_000)

const HEARTBEAT_TIMEOUT_MS = 1000

/** Keys that are removed by tag. What else a master forgot that its replica never got, a Cluster can bring back. */
const isTagged = (key: string): boolean => !key.startsWith('own')

// One cluster after the other outage: each is mended before the next.
let cluster: RedisCluster
t.before(async () => { cluster = await RedisCluster.start(1000) })
t.teardown(async () => {
  printReports(t)
  await cluster?.close()
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
    await until('another is promoted', async () => (await cluster.masterOf('cache:t:a')).port !== master.port, 20_000)
    t.comment(`the cluster itself took ${Math.round(sharedNow() - brokenAt)} ms`)
    void wait(500).then(() => master.start())
    return { mendedAt: sharedNow() }
  }, isTagged)
  await cluster.settled()
})

t.test('SIGSTOP of the master of the generation', async (t) => {
  const caches = await startTwo(t)
  const master = await cluster.masterOf('cache:g')
  await survive(t, 'cluster: SIGSTOP of the master of the generation', caches, HEARTBEAT_TIMEOUT_MS, async () => {
    const brokenAt = sharedNow()
    master.signal('SIGSTOP')
    await until('another is promoted', async () => (await cluster.masterOf('cache:g', master)).port !== master.port, 20_000)
    t.comment(`the cluster itself took ${Math.round(sharedNow() - brokenAt)} ms`)
    return { mendedAt: sharedNow() }
  }, isTagged)
  master.signal('SIGCONT')
  await cluster.settled()
})
