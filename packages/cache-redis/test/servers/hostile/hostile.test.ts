import t, { type Test } from 'tap'
import type { CacheError } from '@x/cache-core'
import { FRAME, writeFrame } from '../../../src/entries/frame.js'
import { Keys } from '../../../src/entries/keys.js'
import { RedisCache, type RedisCacheOptions } from '../../../src/index.js'
import { bounded, clientOf, isSettled, startServerWithClient, valueOf } from '../../fixtures/caches.js'
import { until } from '@x/test-kit/redis-server'

const { server, raw } = await startServerWithClient(t)
let made = 0

interface Setup { cache: RedisCache; prefix: string; keys: Keys; corrupted: CacheError[] }

/** Makes a cache whose breaker opens as soon as a few calls count as an outage. */
async function setUp (t: Test, options: RedisCacheOptions = {}): Promise<Setup> {
  const prefix = `hostile${++made}:`
  const corrupted: CacheError[] = []
  const all = {
    url: server.url, keyPrefix: prefix, commandTimeoutMs: 3000, heartbeatTimeoutMs: 3000, breaker: { minimumCalls: 3 }, ...options
  }
  const cache = new RedisCache(all, { onCorrupt: (error) => corrupted.push(error) })
  t.teardown(() => cache.close())
  await until('the cache is in service', () => isSettled(cache, all))
  return { cache, prefix, keys: new Keys(prefix), corrupted }
}

/** A text that has the form of a token of another server, like a token after a failover; it is replaced without a report. */
const LOOKS_OWN = 'a text as long as a token'

/** Contents that foreign software may leave under a Redis key; each function writes one. */
const planted: Record<string, (name: string) => Promise<unknown>> = {
  'bytes that are no text': (name) => raw.set(name, Buffer.from([0xff, 0xc1, 0, 0x80, ...Buffer.from('abcdefghijklmnop')])),
  'an empty text': (name) => raw.set(name, ''),
  'a short text': (name) => raw.set(name, 'abc'),
  [LOOKS_OWN]: (name) => raw.set(name, 'abcdefghijkl12345678'),
  'a text as long as a token after a soft invalidation': (name) => raw.set(name, 'abcdefghijkl12345678_abcdefghijkl'),
  'a long text': (name) => raw.set(name, 'x'.repeat(1_000_000)),
  'a negative number': (name) => raw.set(name, '-5'),
  'a large number': (name) => raw.set(name, '9007199254740993'),
  'a number of many digits': (name) => raw.set(name, '9'.repeat(30)),
  'a fraction': (name) => raw.set(name, '1e400'),
  'a list': (name) => raw.rpush(name, 'item'),
  'a hash': (name) => raw.hset(name, 'field', 'value'),
  'a text with the longest life': (name) => raw.set(name, '7', 'PX', 9_000_000_000_000)
}

async function replace (name: string, plant: (name: string) => Promise<unknown>): Promise<void> {
  await raw.del(name)
  await plant(name)
}

for (const ahead of ['9007199254740990', '5000000000000000']) {
  t.test(`lock: fencing tokens grow, and stay exact, after another has set the counter to ${ahead}`, async (t) => {
    const { cache, keys } = await setUp(t)
    const names = keys.lock('key')
    let last = 0
    for (const disturb of [
      () => raw.set(names.fencingCounter, ahead), async () => {}, () => raw.set(names.fencingCounter, ahead),
      () => raw.del(names.fencingCounter), async () => {}
    ]) {
      await disturb()
      const lock = valueOf(await bounded('lock', cache.lock('key', { ttl: 60 })))
      t.ok(Number.isSafeInteger(lock?.token) && lock!.token > last, `${lock?.token} is more than ${last}`)
      last = lock!.token
      valueOf(await lock!.release())
    }
  })
}

for (const [what, plant] of Object.entries(planted)) {
  t.test(`tokens: ${what} in place of a tag's token is a counted miss; the tag works again at once, and no other key is harmed`, async (t) => {
    const { cache, keys, corrupted } = await setUp(t)
    valueOf(await cache.set('other', 'calm', { tags: ['calm'] }))
    valueOf(await cache.set('key', 'old', { tags: ['tag'] }))
    await replace(keys.token('tag'), plant)
    await until('it is a miss', async () => valueOf(await cache.get('key')) === null)
    for (let times = 0; times < 5; times++) {
      valueOf(await cache.tags.capture(['tag']))
      valueOf(await cache.get('key'))
    }
    valueOf(await cache.set('key', 'new', { tags: ['tag'] }))
    await until('it is stored', async () => valueOf(await cache.get('key')) === 'new' || (await cache.set('key', 'new', { tags: ['tag'] })).ok === false)
    t.equal(valueOf(await cache.get('other')), 'calm')
    if (what !== LOOKS_OWN) t.match(corrupted, [{ code: 'CACHE_ERR_CORRUPT' }], 'it is told')
    t.match(cache.status(), { degraded: false, breaker: 'closed' })
    t.ok(await raw.pttl(keys.token('tag')) > 0, 'its successor has an end')
  })

  t.test(`tokens: ${what} in place of the generation is a clear, which is counted, and the cache works again at once`, async (t) => {
    const { cache, keys, corrupted } = await setUp(t)
    valueOf(await cache.set('key', 'old'))
    await replace(keys.generation, plant)
    await until('it is a miss', async () => valueOf(await cache.get('key')) === null)
    await until('it is stored', async () => (await cache.set('key', 'new')).ok && valueOf(await cache.get('key')) === 'new')
    if (what !== LOOKS_OWN) t.match(corrupted, [{ code: 'CACHE_ERR_CORRUPT' }], 'it is told')
    t.match(cache.status(), { degraded: false, breaker: 'closed' })
  })

  t.test(`lock: ${what} in place of the lock, its counter or its dismissal ends no call early, and hands out no token twice`, async (t) => {
    const { cache, keys } = await setUp(t)
    const names = keys.lock('key')
    let last = 0
    for (const name of [names.lock, names.fencingCounter, names.dismissed, names.fencingCounter, names.dismissed]) {
      await replace(name, plant)
      const lock = valueOf(await bounded('lock', cache.lock('key', { ttl: 60, waitMs: 2000 })))
      t.ok(lock !== null, `${name} is taken`)
      t.ok(Number.isSafeInteger(lock?.token) && lock!.token > last, `${lock?.token} is more than ${last}`)
      last = lock!.token
      const waiting = cache.lock('key', { ttl: 60, waitMs: 5000 })
      await replace(name === names.lock ? names.dismissed : name, plant)
      await new Promise((resolve) => { setTimeout(resolve, 50) })
      valueOf(await lock!.release())
      const next = valueOf(await bounded('waiting', waiting, 6000))
      t.ok(next !== null, 'who waits gets it next')
      last = next!.token
      valueOf(await next!.release())
    }
    t.match(cache.status(), { degraded: false, breaker: 'closed' })
  })

  t.test(`leases: ${what} in place of an entry or a mark is replaced, and no later load is kept from being stored`, async (t) => {
    const { cache, prefix } = await setUp(t)
    const client = clientOf(cache)
    valueOf(await cache.set('key', 1, { tags: ['tag'] }))
    const [name] = await raw.keys(`${prefix}e:*:key`)
    await replace(name!, plant)
    const lease = valueOf(await cache.leases.take('key', { ttl: 60 }))
    await replace(name!, plant)
    const stored = await cache.set('key', 'leased', { snapshot: lease, ttl: 60 })
    t.ok(stored.ok || stored.error.code === 'CACHE_ERR_CORRUPT')
    valueOf(await cache.leases.release(lease))
    valueOf(await cache.del('key'))
    t.equal(await client.getOrSet('key', () => 'loaded', { ttl: 60 }), 'loaded')
    await until('it is stored', async () => valueOf(await cache.get('key')) === 'loaded')
    t.match(cache.status(), { degraded: false, breaker: 'closed' })
  })
}

t.test('lock: a forged message wakes who waits, and does not end the wait', async (t) => {
  const { cache, keys } = await setUp(t)
  const held = valueOf(await cache.lock('key', { ttl: 60 }))!
  const waiting = cache.lock('key', { ttl: 60, waitMs: 10_000 })
  const { channel } = keys.lock('key')
  await until('it listens', async () => (await raw.publish(channel, 'stored')) === 1)
  for (const message of ['stored', 'not-stored', 'free', '', 'x'.repeat(100_000), '\0']) await raw.publish(channel, message)
  t.equal(await Promise.race([waiting, new Promise((resolve) => { setTimeout(resolve, 300, 'it waits') })]), 'it waits')
  valueOf(await held.release())
  t.ok(valueOf(await waiting))
})

t.test('lock: who waits is released by an outcome, also where the message is lost', async (t) => {
  const { cache } = await setUp(t)
  const held = valueOf(await cache.lock('key', { ttl: 60 }))!
  const waiting = [1, 2, 3].map(() => cache.lock('key', { ttl: 60, waitMs: 30_000 }))
  await new Promise((resolve) => { setTimeout(resolve, 100) })
  valueOf(await held.release('stored'))
  for (const each of waiting) t.equal(valueOf(await bounded('waiting', each, 25_000)), null)
  t.ok(valueOf(await cache.lock('key', { ttl: 60 })), 'it is free for who comes later')
})

t.test('get: an entry with 50 000 tags is corrupt, and asks for none of their tokens', async (t) => {
  const { cache, prefix } = await setUp(t)
  valueOf(await cache.set('key', 1))
  valueOf(await cache.set('other', 'calm'))
  const [name] = await raw.keys(`${prefix}e:*:key`)
  const tags = Array.from({ length: 50_000 }, (_, at) => ({ tag: `tag ${at}`, token: 'abcdefghijkl', serverId: '12345678' }))
  await raw.set(name!, writeFrame({ payload: 0, codec: 0, ttlMs: 60_000, windowMs: 0, tags }, Buffer.from('1')), 'PX', 60_000)
  await raw.config('RESETSTAT')
  for (let times = 0; times < 10; times++) {
    for (const result of [await cache.get('key'), await cache.getEntry('key')]) t.match(result, { ok: false, error: { code: 'CACHE_ERR_CORRUPT' } })
    t.same(await cache.getMany(['key', 'other']), { ok: true, value: [null, 'calm'] })
  }
  const [, calls] = /cmdstat_get:calls=(\d+)/.exec(await raw.info('commandstats'))!
  t.ok(Number(calls) < 100, `${calls} GETs`)
  t.match(cache.status(), { degraded: false, breaker: 'closed' })
  const client = clientOf(cache)
  t.equal(await client.getOrSet('key', () => 2, { ttl: 60 }), 2)
  await until('it is replaced', async () => valueOf(await cache.getMany(['key']))[0] === 2)
})

t.test('getEntry: an entry whose time another changed has at most the time that it was stored for', async (t) => {
  const { cache, prefix } = await setUp(t)
  valueOf(await cache.set('framed', 1, { ttl: 60, staleWhileRevalidate: 40 }))
  valueOf(await cache.set('plain', 1, 60))
  for (const change of [(name: string) => raw.pexpire(name, 9_000_000_000_000), (name: string) => raw.persist(name)]) {
    for (const name of await raw.keys(`${prefix}e:*`)) await change(name)
    for (const [key, longest] of [['framed', 100], ['plain', 30 * 24 * 3600]] as const) {
      const entry = valueOf(await cache.getEntry(key))!
      t.ok(entry.staleLeft <= longest && entry.ttlLeft <= longest, `${key}: ${entry.staleLeft} s`)
      t.ok(!(entry.age < 0))
    }
  }
})

t.test('messages: whatever is published where this cache listens throws nothing, and removes nothing', async (t) => {
  const heard: string[][] = []
  const { cache, keys } = await setUp(t, { onInvalidated: (tags) => { heard.push([...tags]) } })
  valueOf(await cache.set('key', 1, { tags: ['tag'] }))
  await until('it listens', async () => (await raw.publish(keys.channel, 'no announcement')) === 1)
  const one = { from: 'another', tags: ['a'], soft: false }
  const messages = ['x', '', 'null', '[]', '7', '"text"', '{', '{}', '{"tags":null}', '{"tags":{"length":1}}', '{"tags":[null]}', '{"tags":[[]]}', '['.repeat(100_000), JSON.stringify({ ...one, tags: ['x'.repeat(300)] }),
    JSON.stringify({ ...one, tags: Array.from({ length: 50_000 }, () => 'a') }), Buffer.from([FRAME, 0xff, 0])]
  for (const message of messages) {
    for (const channel of [keys.channel, '__redis__:invalidate', keys.lock('key').channel]) await raw.publish(channel, message as string)
  }
  await raw.publish(keys.channel, JSON.stringify(one))
  await until('the announcement has come', () => heard.length > 0)
  t.same(heard, [['a']])
  t.equal(valueOf(await cache.get('key')), 1)
  t.match(cache.status(), { degraded: false })
})
