import type { RolloutStore } from '@x/cache-core/suite'
import { until } from '@x/test-kit/redis-server'
import { RedisSentinels } from '@x/test-kit/redis-deployments'
import { Redis } from 'ioredis'
import t from 'tap'
import { RedisCache, type RedisCacheOptions } from '../../../src/index.js'
import { bounded, startCache, startProxy, startServer, startServerWithClient } from '../../fixtures/caches.js'
import { LIMITS } from '../../../src/rollout/redis-rollout-store.js'

t.setTimeout(300_000)

const options: RedisCacheOptions = { breaker: { probeMs: 200 } }
const text = (revision: number): string => JSON.stringify({ format: 1, revision })

/** Returns one call of each method of a store. */
function calls (store: RolloutStore): [string, () => Promise<unknown>][] {
  return [
    ['now', () => store.now()],
    ['read', () => store.read()],
    ['replace', () => store.replace(text(1), 1, undefined, 'record')],
    ['lead', () => store.lead('a', 1000)],
    ['resign', () => store.resign('a')],
    ['history', () => store.history(10)],
    ['report', () => store.report(1, 'a', Uint8Array.of(1))],
    ['reports', () => store.reports(1)],
    ['readEvidence', () => store.readEvidence()],
    ['writeEvidence', () => store.writeEvidence('a', Uint8Array.of(1))]
  ]
}

for (const [what, signal] of [['killed', 'SIGKILL'], ['stopped', 'SIGSTOP']] as const) {
  t.test(`Redis ${what}: every method rejects in bounded time with a code, and works again afterwards without being told`, async (t) => {
    const server = await startServer(t)
    const { rolloutStore: store } = await startCache(t, { url: server.url, ...options })
    let heard = 0
    t.teardown(store.watch(() => { heard++ }))
    await until('it is subscribed', () => heard > 0)
    await store.replace(text(1), 1, undefined)
    if (signal === 'SIGKILL') await server.kill()
    else server.signal(signal)
    for (let round = 0; round < 2; round++) {
      await Promise.all(calls(store).map(async ([name, call]) => {
        await t.rejects(bounded(name, call(), 10_000), { code: /^CACHE_ERR_(UNAVAILABLE|TIMEOUT)$/ }, `${name}, round ${round}`)
      }))
    }
    const before = heard
    if (signal === 'SIGKILL') await server.start()
    else server.signal('SIGCONT')
    // The watcher is called only after a lost connection; a connection that stayed open has missed no message.
    if (signal === 'SIGKILL') await until('the watcher is called once Redis is back', () => heard > before)
    // A killed server has lost the state, since it stores nothing on disk.
    await until('the state is as Redis has it', async () => await store.read().catch(() => 'away') === (signal === 'SIGKILL' ? undefined : text(1)))
    const after = heard
    await until('it can be written', () => store.replace(text(2), 2, signal === 'SIGKILL' ? undefined : 1).catch(() => false))
    await until('the subscription works again', () => heard > after)
  })
}

t.test('only the connection for messages is lost: the watcher is called once it is back, and hears what comes later', async (t) => {
  const server = await startServer(t)
  const proxy = await startProxy(t, server.port)
  const { rolloutStore: near } = await startCache(t, { url: proxy.url, ...options })
  const { rolloutStore: far } = await startCache(t, { url: server.url, ...options })
  const seen: (string | undefined)[] = []
  t.teardown(near.watch(() => { void near.read().then((state) => { seen.push(state) }) }))
  await until('it is subscribed', () => seen.length > 0)
  await far.replace(text(1), 1, undefined)
  await until('the message has arrived', () => seen.at(-1) === text(1))
  proxy.refuses = true
  proxy.cut('cache-subscriber')
  await far.replace(text(2), 2, 1)
  proxy.refuses = false
  await until('what was missed is read', () => seen.at(-1) === text(2))
  await far.replace(text(3), 3, 2)
  await until('and the next message arrives', () => seen.at(-1) === text(3))
})

t.test('a flush: nothing is stored, and the next replacement expects that', async (t) => {
  const server = await startServer(t)
  const { rolloutStore: store } = await startCache(t, { url: server.url, ...options })
  await store.replace(text(7), 7, undefined, 'record')
  await store.lead('a', 60_000)
  await store.report(1, 'a', Uint8Array.of(1))
  await server.cli('FLUSHALL')
  t.equal(await store.read(), undefined)
  t.same(await store.reports(1), [])
  t.equal(await store.writeEvidence('a', Uint8Array.of(1)), false)
  t.equal(await store.replace(text(8), 8, 7), false)
  t.equal(await store.replace(text(8), 8, undefined, 'again'), true)
  t.same(await store.history(10), ['again'])
})

t.test('a full server that evicts nothing: the state is still replaced, or a bad cache could not be switched off; counts are refused', async (t) => {
  const server = await startServer(t)
  const { rolloutStore: store } = await startCache(t, { url: server.url, ...options })
  await store.replace(text(1), 1, undefined, 'record')
  await server.cli('CONFIG', 'SET', 'maxmemory', '1')
  t.equal(await store.replace(text(2), 2, 1, 'full'), true)
  t.equal(await store.read(), text(2))
  t.same(await store.history(10), ['full', 'record'])
  await t.rejects(store.report(1, 'a', Uint8Array.of(1)), { code: 'CACHE_ERR_OUT_OF_MEMORY' })
})

t.test('a READONLY replica: a replacement rejects with a code', async (t) => {
  const master = await startServer(t)
  const replica = await startServer(t)
  const { rolloutStore: store } = await startCache(t, { url: replica.url, ...options })
  await store.replace(text(1), 1, undefined)
  await replica.cli('REPLICAOF', '127.0.0.1', String(master.port))
  await until('it is a replica', async () => (await replica.cli('INFO', 'replication')).includes('master_link_status:up'))
  await t.rejects(store.replace(text(2), 2, undefined), { code: /^CACHE_ERR_(READONLY|UNAVAILABLE)$/ })
})

t.test('what another program wrote in place of a key: any text is given as it is, another type as an empty text, and both are replaced', async (t) => {
  const { server, raw } = await startServerWithClient(t)
  const { rolloutStore: store } = await startCache(t, { url: server.url, ...options })
  const key = (name: string): string => `cache:{rollout}:${name}`
  const long = 'x'.repeat(LIMITS.state * 2)
  for (const foreign of ['', 'null', '{', '[1]', '{"revision":0x10}', '{"revision":NaN}', '{"revision":-1}', `{"revision":5,"x":"${long}"}`]) {
    await raw.set(key('state'), foreign)
    const read = await store.read()
    t.equal(read, foreign.slice(0, LIMITS.state + 1))
    t.equal(await store.replace(text(1), 1, undefined), false, 'something is stored')
    t.equal(await store.replace(text(1), 1, 0), true, `${foreign.slice(0, 20)} has revision 0`)
    t.equal(await store.read(), text(1))
  }
  for (const name of ['state', 'history', 'lease', 'evidence', 'report:1']) {
    await raw.del(key(name))
    await raw.zadd(key(name), 1, 'x')
  }
  t.equal(await store.read(), '')
  await t.rejects(store.history(10), { code: 'CACHE_ERR_CORRUPT' })
  t.same([...await store.readEvidence() ?? []], [])
  t.same(await store.reports(1), [])
  t.equal(await store.writeEvidence('a', Uint8Array.of(1)), false)
  t.equal(await store.replace(text(1), 1, 0, 'record'), true)
  t.same(await store.history(10), ['record'])
  t.equal(await store.lead('a', 60_000), true)
  t.equal(await store.writeEvidence('a', Uint8Array.of(1)), true)
  await store.report(1, 'a', Uint8Array.of(1))
  t.equal((await store.reports(1)).length, 1)
  for (const set of [['someone'], ['someone', 'PX', String(30 * 86_400_000)]]) {
    await raw.call('SET', key('lease'), ...set)
    t.equal(await store.lead('a', 1000), true, 'a lease that hardly ends is nobody\'s')
  }
  await raw.publish(key('changed'), 'x'.repeat(1000))
})

t.test('sizes are bounded: what is too large is refused before it is sent, and no more processes than the limit may report', async (t) => {
  const { server, raw } = await startServerWithClient(t)
  const { rolloutStore: store } = await startCache(t, { url: server.url, ...options })
  const tooLarge = { code: 'CACHE_ERR_TOO_LARGE' }
  await t.rejects(store.replace(`{"revision":1,"x":"${'x'.repeat(LIMITS.state)}"}`, 1, undefined), tooLarge)
  await t.rejects(store.replace(text(1), 1, undefined, 'x'.repeat(LIMITS.record + 1)), tooLarge)
  await t.rejects(store.report(1, 'a', new Uint8Array(LIMITS.report + 1)), tooLarge)
  await t.rejects(store.writeEvidence('a', new Uint8Array(LIMITS.evidence + 1)), tooLarge)
  await t.rejects(store.replace(text(1), 2, undefined), { code: 'CACHE_ERR_UNSUPPORTED' }, 'another revision than that of the text')
  t.equal(await store.replace(text(1), 1, undefined), true)
  const key = 'cache:{rollout}:report:5'
  for (let at = 0; at < 1024; at++) await raw.hset(key, `p${at}`, 'x')
  await t.rejects(store.report(5, 'another', Uint8Array.of(1)), { code: 'CACHE_ERR_CORRUPT' })
  await store.report(5, 'p7', Uint8Array.of(1))
  t.equal((await store.reports(5)).length, 1024)
  t.ok(await raw.pttl(key) > 3_500_000, 'they end after an hour')
  await raw.hset(key, 'p8', 'x'.repeat(LIMITS.report + 1))
  t.equal((await store.reports(5)).length, 1023, 'a report that this package cannot have written is left out')
  await raw.hset(key, 'more', 'x')
  await t.rejects(store.reports(5), { code: 'CACHE_ERR_CORRUPT' })
})

t.test('a closed cache: its store rejects, also on a client of the app that stays open', async (t) => {
  const server = await startServer(t)
  const client = new Redis(server.port, { enableOfflineQueue: false })
  t.teardown(() => { client.disconnect() })
  const cache = new RedisCache({ client, maxTags: 10 })
  await until('it is in service', () => cache.ready())
  const { rolloutStore: store } = cache
  t.equal(store, cache.rolloutStore, 'one cache has one store')
  let heard = 0
  const stop = store.watch(() => { heard++ })
  await until('it is subscribed', () => heard > 0)
  await cache.close()
  for (const [name, call] of calls(store)) await t.rejects(call(), { code: 'CACHE_ERR_UNAVAILABLE' }, name)
  stop()
  t.doesNotThrow(() => store.watch(() => {})())
  await until('nobody subscribes any more', async () => await server.cli('PUBSUB', 'CHANNELS') === '')
})

t.test('a watcher that throws harms nobody, and is told once', async (t) => {
  const server = await startServer(t)
  const warnings: string[] = []
  const cache = new RedisCache({ url: server.url, maxTags: 10 }, { onWarning: ({ message }) => { warnings.push(message) } })
  t.teardown(() => cache.close())
  await until('it is in service', () => cache.ready())
  let heard = 0
  const { rolloutStore: store } = cache
  store.watch(() => { throw new Error('broken') })
  store.watch(() => { heard++ })
  await until('it is subscribed', () => heard > 0)
  await store.replace(text(1), 1, undefined)
  await until('the other has heard', () => heard > 1)
  t.match(warnings, [/^the watcher of the rollout failed: broken/])
  t.equal(warnings.length, 1)
})

t.test('a failover by Sentinels: the store goes on with the new master', async (t) => {
  const sentinels = await RedisSentinels.start()
  t.teardown(() => sentinels.close())
  const { rolloutStore: store } = await startCache(t, { mode: 'sentinel', url: sentinels.urls, ...options })
  let heard = 0
  t.teardown(store.watch(() => { heard++ }))
  await store.replace(text(1), 1, undefined)
  const master = await sentinels.master()
  await until('the replicas have it', async () => {
    for (const each of sentinels.servers) if (await each.cli('GET', 'cache:{rollout}:state') !== text(1)) return false
    return true
  })
  await master.kill()
  await until('the new master has it', async () => await store.read().catch(() => undefined) === text(1))
  await until('it is replaced there', () => store.replace(text(2), 2, 1, 'after').catch(() => false))
  const before = heard
  await until('and the watcher hears of it', async () => {
    const { revision } = JSON.parse(await store.read().catch(() => undefined) ?? '{}') as { revision?: number }
    if (revision !== undefined) await store.replace(text(revision + 1), revision + 1, revision).catch(() => false)
    return heard > before
  })
})
