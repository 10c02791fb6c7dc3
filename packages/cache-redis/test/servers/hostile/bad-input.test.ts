import { Redis } from 'ioredis'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import type { CacheError, Result } from '@x/cache-core'
import { RedisCache, type RedisCacheOptions } from '@x/cache-redis'
import { freePort } from '@x/test-kit/servers'
import { FRAME, writeFrame } from '../../../src/entries/frame.js'
import { bounded, startCache, startServerWithClient, valueOf } from '../../fixtures/caches.js'

const { server, raw } = await startServerWithClient(t)
let made = 0

interface Setup { cache: RedisCache; prefix: string; corrupted: CacheError[] }

async function setUp (t: Test, options: RedisCacheOptions = {}): Promise<Setup> {
  const prefix = `bad${++made}:`
  const corrupted: CacheError[] = []
  const cache = new RedisCache({ url: server.url, keyPrefix: prefix, commandTimeoutMs: 60_000, heartbeatTimeoutMs: 60_000, ...options }, {
    onCorrupt: (error) => corrupted.push(error)
  })
  t.teardown(() => cache.close())
  t.equal(await cache.ready(60_000), true)
  return { cache, prefix, corrupted }
}

async function entryName (prefix: string, key: string): Promise<string> {
  const [name] = await raw.keys(`${prefix}e:*:${key}`)
  if (name === undefined) throw new Error(`nothing is stored under ${key}`)
  return name
}

function codeOf (result: Result<unknown>): string {
  return result.ok ? 'ok' : result.error.code
}

const meta = { payload: 0, codec: 0, ttlMs: 60_000, windowMs: 0, tags: [] } as const
const framed = writeFrame(meta, Buffer.from('"value"'))
const payloads: Record<string, Buffer> = {
  'a truncated frame': framed.subarray(0, 10),
  'a frame without its payload': framed.subarray(0, -7),
  'a frame of a future version': Buffer.concat([framed.subarray(0, 1), Buffer.from([3]), framed.subarray(2)]),
  'a frame of an unknown compression': writeFrame({ ...meta, codec: 99 }, Buffer.from('x')),
  'a frame that is no gzip': writeFrame({ ...meta, codec: 1 }, Buffer.from('no gzip')),
  'a compressed bomb': writeFrame({ ...meta, codec: 1 }, gzipSync('0'.repeat(20_000_000))),
  'the first byte of a frame': Buffer.from([FRAME]),
  'foreign bytes': Buffer.from([0, 1, 2, 255]),
  'foreign text': Buffer.from('O:8:"stdClass":0:{}'),
  nothing: Buffer.alloc(0)
}

for (const [what, payload] of Object.entries(payloads)) {
  t.test(`redis: ${what} under a key of ours is CACHE_ERR_CORRUPT, a miss in getMany, and can be overwritten`, async (t) => {
    const { cache, prefix, corrupted } = await setUp(t)
    valueOf(await cache.set('key', 1, 60))
    valueOf(await cache.set('other', 2, 60))
    await raw.set(await entryName(prefix, 'key'), payload, 'PX', 60_000)
    t.equal(codeOf(await cache.get('key')), 'CACHE_ERR_CORRUPT')
    t.equal(codeOf(await cache.getEntry('key')), 'CACHE_ERR_CORRUPT')
    t.same(await cache.getMany(['other', 'key']), { ok: true, value: [2, null] })
    t.match(corrupted, [{ code: 'CACHE_ERR_CORRUPT' }])
    valueOf(await cache.set('key', 'new', 60))
    t.same(await cache.get('key'), { ok: true, value: 'new' })
    t.match(cache.status(), { degraded: false, breaker: 'closed' })
  })
}

t.test('redis: many corrupt entries are no outage', async (t) => {
  const { cache, prefix } = await setUp(t, { breaker: { minimumCalls: 2 } })
  valueOf(await cache.set('key', 1))
  await raw.set(await entryName(prefix, 'key'), 'no JSON')
  for (let at = 0; at < 20; at++) t.equal(codeOf(await cache.get('key')), 'CACHE_ERR_CORRUPT')
  t.equal(cache.status().breaker, 'closed')
})

t.test('redis: plain JSON of another language is read', async (t) => {
  const { cache, prefix } = await setUp(t)
  valueOf(await cache.set('key', 1))
  await raw.set(await entryName(prefix, 'key'), ' { "from": "elsewhere" }\n', 'PX', 60_000)
  t.same(await cache.get('key'), { ok: true, value: { from: 'elsewhere' } })
})

t.test('redis: a key of another type is CACHE_ERR_CORRUPT; del and set heal it', async (t) => {
  const { cache, prefix } = await setUp(t)
  valueOf(await cache.set('key', 1))
  const name = await entryName(prefix, 'key')
  const spoil = async (): Promise<void> => {
    await raw.del(name)
    await raw.lpush(name, 'item')
  }
  await spoil()
  t.equal(codeOf(await cache.get('key')), 'CACHE_ERR_CORRUPT')
  valueOf(await cache.del('key'))
  t.same(await cache.get('key'), { ok: true, value: null })
  await spoil()
  valueOf(await cache.set('key', 2))
  t.same(await cache.get('key'), { ok: true, value: 2 })
})

t.test('redis: a key of another type is a miss of getMany, alone and together with others, which have their values; set heals it', async (t) => {
  const { cache, prefix, corrupted } = await setUp(t)
  const keys = ['one', 'two', 'three']
  for (const key of keys) valueOf(await cache.set(key, key))
  const name = await entryName(prefix, 'two')
  await raw.del(name)
  await raw.hset(name, 'field', 'value')
  t.same(await cache.getMany(keys), { ok: true, value: ['one', null, 'three'] })
  t.same(await cache.getMany(['two']), { ok: true, value: [null] })
  t.equal(corrupted.at(-1)?.code, 'CACHE_ERR_CORRUPT', 'alone it is read by a GET, whose reply names the type')
  const [one, , three] = await Promise.all(keys.map((key) => cache.get(key)))
  t.same([one, three].map((result) => valueOf(result!)), ['one', 'three'])
  valueOf(await cache.set('two', 2))
  t.same(await cache.getMany(keys), { ok: true, value: ['one', 2, 'three'] })
})

t.test('redis: a tag\'s token of another type is replaced, which is told', async (t) => {
  const { cache, prefix, corrupted } = await setUp(t)
  await raw.lpush(`${prefix}t:tag`, 'item')
  valueOf(await cache.set('key', 1, { tags: ['tag'] }))
  t.same(await cache.get('key'), { ok: true, value: 1 })
  t.match(corrupted, [{ code: 'CACHE_ERR_CORRUPT' }])
  t.ok(await raw.pttl(`${prefix}t:tag`) > 0)
})

t.test('redis: a generation of another type is replaced, which is told', async (t) => {
  const { cache, prefix, corrupted } = await setUp(t)
  await raw.lpush(`${prefix}g`, 'item')
  valueOf(await cache.set('key', 1))
  t.same(await cache.get('key'), { ok: true, value: 1 })
  t.match(corrupted, [{ code: 'CACHE_ERR_CORRUPT' }])
})

t.test('redis: a value over the cap is CACHE_ERR_TOO_LARGE, and what was stored stays', async (t) => {
  const { cache } = await setUp(t, { maxValueBytes: 100 })
  valueOf(await cache.set('key', 'small'))
  t.equal(codeOf(await cache.set('key', 'x'.repeat(99))), 'CACHE_ERR_TOO_LARGE')
  t.equal(codeOf(await cache.setMany([{ key: 'other', value: 1 }, { key: 'key', value: Buffer.alloc(101) }])), 'CACHE_ERR_TOO_LARGE')
  t.same(await cache.getMany(['key', 'other']), { ok: true, value: ['small', 1] })
})

t.test('redis: a user without the right to write is CACHE_ERR_AUTH', async (t) => {
  await raw.call('ACL', 'SETUSER', 'reader', 'on', '>secret', '~*', '&*', '+@all', '-set')
  const { cache } = await setUp(t, { username: 'reader', password: 'secret', breaker: { minimumCalls: 1000 } })
  t.equal(codeOf(await cache.set('key', 1)), 'CACHE_ERR_AUTH')
  t.equal(codeOf(await cache.tags.capture(['tag'])), 'CACHE_ERR_AUTH')
  t.same(await cache.get('key'), { ok: true, value: null })
})

t.test('redis: a user without the right to remove queues what it cannot', async (t) => {
  await raw.call('ACL', 'SETUSER', 'keeper', 'on', '>secret', '~*', '&*', '+@all', '-unlink')
  const { cache } = await setUp(t, { username: 'keeper', password: 'secret' })
  t.match(await cache.tags.invalidate('tag'), { ok: false, error: { code: 'CACHE_ERR_AUTH', queued: true } })
  t.match(cache.status(), { degraded: true, queuedInvalidations: 1 })
  await raw.call('ACL', 'SETUSER', 'keeper', '+unlink')
  t.equal(await cache.ready(60_000), true)
})

const unusable: Record<string, () => Promise<RedisCacheOptions>> = {
  'a wrong password': async () => ({ url: `redis://reader:wrong@127.0.0.1:${server.port}` }),
  'a port where nobody listens': async () => ({ url: `redis://127.0.0.1:${await freePort()}` }),
  'a host that does not exist': async () => ({ url: 'redis://nowhere.invalid:6379' }),
  'TLS to a port without': async () => ({ url: `rediss://127.0.0.1:${server.port}` }),
  'a Cluster that is none': async () => ({ mode: 'cluster', url: server.url }),
  'Sentinels that are none': async () => ({ mode: 'sentinel', url: server.url })
}

for (const [what, options] of Object.entries(unusable)) {
  t.test(`redis: with ${what} every call is a coded error in bounded time, and close ends it`, async (t) => {
    const errors: Error[] = []
    const cache = new RedisCache(
      { ...await options(), commandTimeoutMs: 200, connectTimeoutMs: 300 }, { onError: (error) => errors.push(error) }
    )
    const code = what === 'a wrong password' ? 'CACHE_ERR_AUTH' : 'CACHE_ERR_UNAVAILABLE'
    t.equal(await bounded('ready', cache.ready(400)), false)
    t.equal(codeOf(await bounded('get', cache.get('key'))), code)
    t.equal(codeOf(await bounded('set', cache.set('key', 1))), code)
    t.equal(codeOf(await bounded('lock', cache.lock('key', { ttl: 1, waitMs: 100 }))), code)
    t.equal(codeOf(await bounded('capture', cache.tags.capture(['tag']))), code)
    t.match(await bounded('del', cache.del('key')), { ok: false, error: { queued: true } })
    t.match(cache.status(), { degraded: true, queuedInvalidations: 1 })
    let lost = 0
    await bounded('close', cache.close((removals) => { lost = removals }))
    t.equal(lost, 1)
    t.ok(errors.length > 0, 'somebody is told')
  })
}

t.test('redis: a client of the app\'s own is used, and stays open when the cache closes', async (t) => {
  const client = new Redis(server.port)
  t.teardown(() => client.disconnect())
  const listeners = client.listenerCount('error')
  const cache = await startCache(t, { client, keyPrefix: `bad${++made}:`, connections: 2 })
  valueOf(await cache.set('key', 1, { tags: ['tag'] }))
  t.same(await cache.get('key'), { ok: true, value: 1 })
  await cache.close()
  t.equal(await client.ping(), 'PONG')
  for (const event of ['error', 'ready', 'close']) t.ok(client.listenerCount(event) <= listeners, `no ${event} listener is left`)
  t.equal((await raw.client('LIST') as string).split('\n').filter((line) => / name=cache/.test(line)).length, 0)
})
