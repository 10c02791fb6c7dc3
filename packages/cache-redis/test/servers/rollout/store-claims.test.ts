import { MAX_HISTORY, MemoryRolloutStore, monotonicClock, type RolloutStore } from '@x/cache-core/suite'
import { RedisCluster, RedisSentinels } from '@x/test-kit/redis-deployments'
import { RedisServer, until } from '@x/test-kit/redis-server'
import calculateSlot from 'cluster-key-slot'
import t from 'tap'
import { Keys } from '../../../src/entries/keys.js'
import { makeCache, newPrefix } from '../../fixtures/contract.js'

t.setTimeout(300_000)

/** Makes stores of one deployment. Stores with the same prefix share their contents, like the stores of several processes. */
type Make = (prefix: string) => Promise<RolloutStore>

const text = (revision: number, more: object = {}): string => JSON.stringify({ format: 1, revision, ...more })

/** Declares the claims that every store must meet; `canShare`: several stores may have the same prefix. */
function testStore (name: string, make: Make, canShare = true): void {
  const both = async (): Promise<[RolloutStore, RolloutStore]> => {
    const prefix = newPrefix()
    const one = await make(prefix)
    return [one, canShare ? await make(prefix) : one]
  }

  t.test(`${name}: replace: takes place if the revision is the expected one, and nobody else's otherwise`, async (t) => {
    const [one, two] = await both()
    t.equal(await one.read(), undefined)
    t.equal(await one.replace(text(2), 2, 1), false, 'there is none')
    t.equal(await one.replace(text(1), 1, undefined, 'first'), true)
    t.equal(await two.read(), text(1))
    t.equal(await two.replace(text(1, { other: true }), 1, undefined, 'never'), false, 'there is one')
    t.equal(await two.replace(text(2), 2, 1, 'second'), true)
    t.equal(await one.replace(text(2, { late: true }), 2, 1, 'never'), false)
    t.equal(await one.replace(text(3), 3, 2), true, 'without a record')
    t.same(await two.history(10), ['second', 'first'])
    t.equal(await one.read(), text(3))
  })

  t.test(`${name}: replace: of many at once, one takes place`, async (t) => {
    const [one, two] = await both()
    await one.replace(text(1), 1, undefined)
    for (let revision = 1; revision < 20; revision++) {
      const results = await Promise.all(Array.from({ length: 10 }, (_, at) =>
        [one, two][at % 2]!.replace(text(revision + 1, { by: at }), revision + 1, revision, `${revision + 1} by ${at}`)))
      t.equal(results.filter(Boolean).length, 1)
      const by = results.indexOf(true)
      t.equal(await one.read(), text(revision + 1, { by }))
      t.same(await two.history(1), [`${revision + 1} by ${by}`])
    }
    t.equal((await one.history(1000)).length, 19)
  })

  t.test(`${name}: history: the newest first, at most ${MAX_HISTORY}`, async (t) => {
    const [one] = await both()
    for (let revision = 1; revision <= MAX_HISTORY + 5; revision++) await one.replace(text(revision), revision, revision === 1 ? undefined : revision - 1, `to ${revision}`)
    t.same(await one.history(2), [`to ${MAX_HISTORY + 5}`, `to ${MAX_HISTORY + 4}`])
    const all = await one.history(5000)
    t.equal(all.length, MAX_HISTORY)
    t.equal(all.at(-1), 'to 6')
    await one.replace(text(9999), 9999, MAX_HISTORY + 5)
    t.equal((await one.history(5000)).length, MAX_HISTORY, 'a replacement without a record takes none away')
    t.same(await one.history(0), [])
  })

  t.test(`${name}: watch: every watcher of every process is called for a replacement, until it ends`, async (t) => {
    const [one, two] = await both()
    const calls = [0, 0, 0]
    const stops = [one, one, two].map((store, at) => store.watch(() => { calls[at]!++ }))
    // A listener is called once at the subscription, since earlier changes may have been missed.
    if (canShare) await until('all are subscribed', () => calls.every((count) => count > 0))
    const before = [...calls]
    await two.replace(text(1), 1, undefined)
    await until('all have heard', () => calls.every((count, at) => count > before[at]!))
    stops[0]!()
    const [ended] = calls
    await one.replace(text(2), 2, 1)
    await until('the others have heard', () => calls[1]! > before[1]! + 1 && calls[2]! > before[2]! + 1)
    t.equal(calls[0], ended)
    stops[1]!()
    stops[2]!()
    stops[2]!()
    const left = [...calls]
    await one.replace(text(3), 3, 2)
    t.same(calls, left)
  })

  t.test(`${name}: lead: one process at a time, until it resigns or its time is over`, async (t) => {
    const [one, two] = await both()
    t.equal(await one.lead('a', 60_000), true)
    t.equal(await two.lead('b', 60_000), false)
    t.equal(await one.lead('a', 60_000), true, 'the holder extends it')
    await two.resign('b')
    t.equal(await two.lead('b', 60_000), false, 'another cannot give it away')
    await one.resign('a')
    t.equal(await two.lead('b', 100), true)
    await until('the time is over', () => one.lead('a', 60_000))
    t.equal(await two.lead('b', 60_000), false)
  })

  t.test(`${name}: reports: one of each process and minute, the last one that it gave`, async (t) => {
    const [one, two] = await both()
    t.same(await one.reports(29_000_000), [])
    const bytes = Uint8Array.from({ length: 256 }, (_, at) => at)
    await one.report(29_000_000, 'a', Uint8Array.of(9))
    // The bytes are a part of a larger buffer, like those that an encoder returns.
    await one.report(29_000_000, 'a', new Uint8Array(bytes.buffer, 250, 6))
    await two.report(29_000_000, 'b', bytes)
    await two.report(29_000_001, 'b', Uint8Array.of())
    const found = (await two.reports(29_000_000)).map((report) => [...report]).sort((x, y) => x.length - y.length)
    t.same(found, [[250, 251, 252, 253, 254, 255], [...bytes]])
    t.same((await one.reports(29_000_001)).map((report) => report.length), [0])
    for (let at = 0; at < 100; at++) await one.report(29_000_002, `process ${at}`, Uint8Array.of(at))
    t.same((await one.reports(29_000_002)).map(([first]) => first!).sort((x, y) => x - y), Array.from({ length: 100 }, (_, at) => at))
  })

  t.test(`${name}: evidence: is that of the holder of the lease`, async (t) => {
    const [one, two] = await both()
    t.equal(await one.readEvidence(), undefined)
    t.equal(await one.writeEvidence('a', Uint8Array.of(1)), false)
    await one.lead('a', 60_000)
    t.equal(await one.writeEvidence('a', Uint8Array.of(0, 255, 128)), true)
    t.equal(await two.writeEvidence('b', Uint8Array.of(2)), false)
    t.same([...await two.readEvidence() ?? []], [0, 255, 128])
  })

  t.test(`${name}: now: grows, and is milliseconds since 1970`, async (t) => {
    const [one, two] = await both()
    const first = await one.now()
    t.ok(Math.abs(first - Date.now()) < 60_000)
    t.ok(await two.now() >= first)
  })
}

const [server, cluster, sentinels] = await Promise.all([RedisServer.start(), RedisCluster.start(), RedisSentinels.start()])
for (const deployment of [server, cluster, sentinels]) t.teardown(() => deployment.close())

testStore('memory', async () => new MemoryRolloutStore(() => monotonicClock), false)
testStore('single', async (keyPrefix) => (await ended({ keyPrefix, url: server.url })).rolloutStore)
testStore('cluster', async (keyPrefix) => (await ended({ keyPrefix, mode: 'cluster', url: cluster.urls })).rolloutStore)
testStore('sentinel', async (keyPrefix) => (await ended({ keyPrefix, mode: 'sentinel', url: sentinels.urls })).rolloutStore)

/** Makes a cache that is closed with the tests. */
async function ended (options: Parameters<typeof makeCache>[0]): ReturnType<typeof makeCache> {
  const cache = await makeCache(options)
  t.teardown(() => cache.close())
  return cache
}

t.test('clear of the cache leaves what is shared about the rollout', async (t) => {
  const cache = await ended({ url: server.url, keyPrefix: newPrefix() })
  await cache.rolloutStore.replace(text(1), 1, undefined, 'record')
  await cache.set('key', 'value')
  t.match(await cache.clear(), { ok: true })
  t.equal(await cache.rolloutStore.read(), text(1))
  t.same(await cache.rolloutStore.history(1), ['record'])
})

t.test('all keys of a rollout have one slot, whatever the prefix', async (t) => {
  for (const prefix of ['cache:', '{app}:', 'a{b}c:', 'a}']) {
    const { state, history, lease, evidence, report } = new Keys(prefix).rollout
    t.equal(new Set([state, history, lease, evidence, report(1), report(2)].map((key) => calculateSlot(key))).size, 1, prefix)
  }
})

t.test('cluster: the slot of the rollout moves while it is used', async (t) => {
  const keyPrefix = newPrefix()
  const { rolloutStore } = await ended({ keyPrefix, mode: 'cluster', url: cluster.urls })
  let revision = 1
  await rolloutStore.replace(text(1), 1, undefined)
  let isOver = false
  const moving = cluster.moveSlotOf(`${keyPrefix}{rollout}:state`).finally(() => { isOver = true })
  let hasGoneOn = 0
  while (!isOver || hasGoneOn < 5) {
    // During the move Redis may refuse an operation on several keys. The test then reads the present revision.
    const isDone = await rolloutStore.replace(text(revision + 1), revision + 1, revision, `${revision + 1}`).catch((error: Error & { code?: string }) => {
      t.match(error.code, /^CACHE_ERR_(UNAVAILABLE|TIMEOUT)$/, error.message)
      return undefined
    })
    if (isDone === undefined) revision = (JSON.parse((await rolloutStore.read().catch(() => undefined)) ?? `{"revision":${revision}}`) as { revision: number }).revision
    else if (isDone) revision++
    if (isOver) hasGoneOn++
  }
  await moving
  t.equal(await rolloutStore.read(), text(revision))
  t.equal((await rolloutStore.history(1))[0], String(revision))
})
