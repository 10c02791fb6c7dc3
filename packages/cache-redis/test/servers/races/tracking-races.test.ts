import t, { type Test } from 'tap'
import type { RedisCache, RedisCacheOptions } from '../../../src/index.js'
import { begin, clientOf, isSettled, read, startCache, startProxy, startServer, store, valueOf, warmUp } from '../../fixtures/caches.js'
import type { Proxy } from '../../fixtures/proxy.js'
import { until, type RedisServer } from '@x/test-kit/redis-server'

/** The time limits are long, so that a test can hold a reply as long as it needs. */
const patient: RedisCacheOptions = { commandTimeoutMs: 10_000, socketTimeoutMs: 20_000, connectTimeoutMs: 20_000 }

/** Starts one process that is connected to Redis through a proxy, and another one that is connected directly. */
async function twoProcesses (t: Test, options: RedisCacheOptions = {}): Promise<{
  near: RedisCache; far: RedisCache; proxy: Proxy; server: RedisServer
}> {
  const server = await startServer(t)
  const proxy = await startProxy(t, server.port)
  const near = await startCache(t, { url: server.url })
  const far = await startCache(t, { url: proxy.url, heartbeatMs: 20, ...options })
  return { near, far, proxy, server }
}

/**
 * Waits until a message has arrived: it was passed on, and so were two later replies to heartbeats, the second of which was requested after
 * the message.
 */
async function messagesArrived (proxy: Proxy, text: string): Promise<void> {
  await until(`the message about ${text} is there`, () => {
    const seen = proxy.seen('cache-tracking')
    const at = seen.indexOf(text)
    return at >= 0 && seen.slice(at).split('pong').length > 2
  })
}

/** Starts two processes and a call of `far` that hangs: the proxy holds a reply with the old token. */
async function slowCall<T> (t: Test, call: (far: RedisCache) => Promise<T>): Promise<{
  near: RedisCache; far: RedisCache; proxy: Proxy; slow: Promise<T>
}> {
  const { near, far, proxy, server } = await twoProcesses(t, patient)
  await store(near, 'key', 1, 'tag')
  const token = await server.cli('GET', 'cache:t:tag')
  proxy.hold('cache', 'down')
  const slow = call(far)
  await until('the old token is on its way', () => proxy.held('cache', 'down').includes(token))
  return { near, far, proxy, slow }
}

const readEntry = (cache: RedisCache): Promise<unknown> => cache.getEntry('key', { tags: ['tag'] })

t.test('get: a slow reply does not bring an old token back', async (t) => {
  const { near, far, proxy, slow } = await slowCall(t, readEntry)
  t.match(await near.tags.invalidate('tag'), { ok: true })
  await messagesArrived(proxy, 'cache:t:tag')
  proxy.release('cache', 'down')
  await slow
  t.equal(await read(far, 'key'), null)
  await begin(near, 'tag')
  t.equal(await read(far, 'key'), null, 'also once the tag has a token again')
})

t.test('capture: a slow reply does not bring an old token back', async (t) => {
  const { near, far, proxy, slow } = await slowCall(t, (cache) => cache.tags.capture(['tag']))
  t.match(await near.tags.invalidate('tag'), { ok: true })
  await messagesArrived(proxy, 'cache:t:tag')
  proxy.release('cache', 'down')
  const snapshot = valueOf(await slow)
  valueOf(await far.set('key', 2, { ttl: 600, snapshot }))
  for (const cache of [near, far]) t.equal(await read(cache, 'key'), null, 'what was loaded under the old token is not served')
})

t.test('get: a message that was missed in a silent cut is made up for within heartbeatTimeoutMs', async (t) => {
  const { near, far, proxy } = await twoProcesses(t)
  await store(near, 'key', 1, 'tag')
  await warmUp(t, far, 'key', 1)
  proxy.hold('cache-tracking', 'up', 'down')
  t.match(await near.tags.invalidate('tag'), { ok: true })
  const cutAt = performance.now()
  let lastStaleAt = cutAt
  await until('the old value is gone', async () => {
    const askedAt = performance.now()
    const value = await read(far, 'key')
    if (value !== null) lastStaleAt = askedAt
    return value === null
  })
  t.ok(lastStaleAt - cutAt <= 1000, `stale for ${Math.round(lastStaleAt - cutAt)} ms`)
  await store(near, 'key', 2, 'tag')
  await until('the doubt shows', () => far.status().tracking === 'in doubt')
  t.equal(await read(far, 'key'), 2, 'in doubt tokens are asked for, and what they prove is served')
  t.match(await near.tags.invalidate('tag'), { ok: true })
  t.equal(await read(far, 'key'), null, 'in doubt nothing is stale')
})

t.test('get: what was missed while the tracking connection was cut is not remembered after it came back', async (t) => {
  const { near, far, proxy } = await twoProcesses(t)
  await store(near, 'key', 1, 'tag')
  await warmUp(t, far, 'key', 1)
  proxy.refuses = true
  proxy.cut('cache-tracking')
  await until('the cut is noticed', () => far.status().tracking === 'in doubt')
  t.match(await near.tags.invalidate('tag'), { ok: true })
  t.equal(await read(far, 'key'), null)
  proxy.refuses = false
  await until('tracking is back', () => isSettled(far))
  t.equal(await read(far, 'key'), null)
})

t.test('tracking: is armed again after each reconnect', async (t) => {
  const { near, far, proxy } = await twoProcesses(t)
  for (let round = 0; round < 3; round++) {
    proxy.cut(round === 2 ? undefined : 'cache-tracking')
    await until('the cut is noticed', () => far.status().tracking === 'in doubt')
    await until('tracking is back', () => isSettled(far))
    await store(near, 'key', round, 'tag')
    await warmUp(t, far, 'key', round)
    proxy.forget()
    t.match(await near.tags.invalidate('tag'), { ok: true })
    await messagesArrived(proxy, 'cache:t:tag')
    t.equal(await read(far, 'key'), null)
  }
})

t.test('get: nothing that is read while trust breaks is remembered', async (t) => {
  const { near, far, proxy, slow } = await slowCall(t, readEntry)
  proxy.cut('cache-tracking')
  await until('the cut is noticed', () => far.status().tracking === 'in doubt')
  t.match(await near.tags.invalidate('tag'), { ok: true })
  // The tracking connection works again before the held reply is released.
  await until('tracking is back', () => far.status().tracking === 'trusted')
  proxy.release('cache', 'down')
  await slow
  t.equal(await read(far, 'key'), null)
})

t.test('get: in strong mode nothing stale is served, even while the messages are held', async (t) => {
  const { near, far, proxy } = await twoProcesses(t, { consistency: 'strong' })
  proxy.hold('cache-tracking', 'up', 'down')
  for (let round = 0; round < 20; round++) {
    await store(near, 'key', round, 'tag')
    t.equal(await read(far, 'key'), round)
    t.match(await (round % 2 === 0 ? near.tags.invalidate('tag') : near.clear()), { ok: true })
    t.equal(await read(far, 'key'), null)
  }
})

t.test('invalidate: in the process that calls it nothing is served from before, even while the messages are held', async (t) => {
  const { near, far, proxy } = await twoProcesses(t)
  await store(near, 'key', 1, 'tag')
  await warmUp(t, far, 'key', 1)
  proxy.hold('cache-tracking', 'down')
  t.match(await far.tags.invalidate('tag'), { ok: true })
  t.equal(await read(far, 'key'), null)
})

t.test('set: what was loaded before an invalidation is never served', async (t) => {
  const { near, far } = await twoProcesses(t)
  const snapshot = await begin(far, 'tag', 'other')
  t.match(await near.tags.invalidate('tag'), { ok: true })
  await begin(near, 'tag')
  valueOf(await far.set('key', 'loaded before', { ttl: 600, snapshot }))
  for (const cache of [near, far]) t.equal(await read(cache, 'key'), null)
})

t.test('getOrSet: a load that another process invalidates meanwhile is given to its caller and not stored for others', async (t) => {
  const { near, far } = await twoProcesses(t)
  const cache = clientOf(far)
  const value = await cache.getOrSet('key', async () => {
    t.match(await near.tags.invalidate('tag'), { ok: true })
    return 'old'
  }, { ttl: 600, tags: ['tag'] })
  t.equal(value, 'old')
  await cache.registry.flights.allStored()
  for (const each of [near, far]) t.equal(await read(each, 'key'), null)
})

t.test('clear: what another process loads meanwhile is never served', async (t) => {
  const { near, far } = await twoProcesses(t)
  const cache = clientOf(far)
  await cache.getOrSet('plain', async () => {
    t.match(await near.clear(), { ok: true })
    return 'old'
  }, { ttl: 600 })
  await cache.registry.flights.allStored()
  for (const each of [near, far]) t.equal(await read(each, 'plain'), null)
})

t.test('clear: reaches a process that remembers the generation', async (t) => {
  const { near, far, proxy } = await twoProcesses(t)
  await store(near, 'key', 1)
  await warmUp(t, far, 'key', 1)
  proxy.forget()
  t.match(await near.clear(), { ok: true })
  await messagesArrived(proxy, 'cache:g')
  t.equal(await read(far, 'key'), null)
})

t.test('del: removes from the generation that Redis has, when the one remembered was cleared elsewhere', async (t) => {
  const { near, far, proxy } = await twoProcesses(t)
  await store(near, 'key', 1)
  await warmUp(t, far, 'key', 1)
  proxy.hold('cache-tracking', 'down')
  t.match(await near.clear(), { ok: true })
  await store(near, 'key', 2)
  t.match(await far.del('key'), { ok: true })
  t.equal(await read(near, 'key'), null)
})

t.test('capture: two processes that seed the same tag at once have the same token', async (t) => {
  const { near, far } = await twoProcesses(t)
  for (let round = 0; round < 50; round++) {
    const tag = `tag:${round}`
    const [one, two] = await Promise.all([begin(near, tag), begin(far, tag)])
    await Promise.all([near.set(`a:${round}`, 1, { ttl: 600, snapshot: one }), far.set(`b:${round}`, 2, { ttl: 600, snapshot: two })])
    t.equal(await read(far, `a:${round}`), 1)
    t.equal(await read(near, `b:${round}`), 2)
  }
})

t.test('invalidate: soft leaves an entry as stale in every process, and hard takes it away', async (t) => {
  const { near, far, proxy } = await twoProcesses(t)
  await store(near, 'key', 1, 'tag')
  await warmUp(t, far, 'key', 1)
  proxy.forget()
  t.match(await near.tags.invalidate('tag', { soft: true }), { ok: true })
  await messagesArrived(proxy, 'cache:t:tag')
  for (const cache of [near, far]) {
    t.equal(await read(cache, 'key'), null)
    t.match(await cache.getEntry('key'), { ok: true, value: { value: 1, fresh: false } })
  }
  // A value whose load began before a soft invalidation is outdated, as it is with a hard one.
  const snapshot = await begin(far, 'tag')
  t.match(await near.tags.invalidate('tag', { soft: true }), { ok: true })
  valueOf(await far.set('later', 2, { ttl: 600, snapshot }))
  t.equal(await read(near, 'later'), null)
  proxy.forget()
  t.match(await near.tags.invalidate('tag'), { ok: true })
  await messagesArrived(proxy, 'cache:t:tag')
  for (const cache of [near, far]) t.match(await cache.getEntry('key'), { ok: true, value: null })
})

for (const [loss, lose] of Object.entries({
  FLUSHALL: (server: RedisServer) => server.cli('FLUSHALL'),
  'the expiry of a token': (server: RedisServer) => server.cli('PEXPIRE', 'cache:t:tag', '1'),
  'the eviction of a token': (server: RedisServer) => server.cli('DEL', 'cache:t:tag'),
  'the eviction of the generation': (server: RedisServer) => server.cli('DEL', 'cache:g')
})) {
  t.test(`get: ${loss} makes misses of what was stored before`, async (t) => {
    const { near, far, server } = await twoProcesses(t)
    await store(near, 'key', 1, 'tag')
    await warmUp(t, far, 'key', 1)
    await lose(server)
    await until('the loss is known', async () => await read(far, 'key') === null)
    t.equal(await read(near, 'key'), null)
    await begin(near, 'tag')
    t.equal(await read(far, 'key'), null, 'also once there is a token again')
    await store(far, 'key', 2, 'tag')
    t.equal(await read(near, 'key'), 2)
  })
}

t.test('get: a token lost while the messages are held is a miss within heartbeatTimeoutMs', async (t) => {
  const { near, far, proxy, server } = await twoProcesses(t)
  await store(near, 'key', 1, 'tag')
  await warmUp(t, far, 'key', 1)
  proxy.hold('cache-tracking', 'down')
  await server.cli('DEL', 'cache:t:tag')
  await until('the old value is gone', async () => await read(far, 'key') === null, 1500)
  t.pass('it is')
})
