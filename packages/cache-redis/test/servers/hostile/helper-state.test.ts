import { Redis } from 'ioredis'
import t from 'tap'
import { Connection } from '../../../src/connection/connection.js'
import { defineScripts } from '../../../src/connection/commands.js'
import { Keys } from '../../../src/entries/keys.js'
import { TagTokens } from '../../../src/tags/tag-tokens.js'
import { startCache, valueOf } from '../../fixtures/caches.js'
import { RedisServer, until } from '@x/test-kit/redis-server'

const server = await RedisServer.start()
const raw = new Redis(server.port)
t.teardown(async () => {
  raw.disconnect()
  await server.close()
})

const SPARE_MS = 3_600_000

t.test('clear: is one command whatever there is, and leaves foreign keys alone', async (t) => {
  const cache = await startCache(t, { url: server.url, keyPrefix: 'clear:', commandTimeoutMs: 5000, socketTimeoutMs: 20_000 })
  const other = await startCache(t, { url: server.url, keyPrefix: 'clear2:' })
  await raw.set('clear', 'foreign')
  await raw.set('clear:own', 'foreign')
  valueOf(await other.set('key', 'other'))
  valueOf(await cache.setMany(Array.from({ length: 2000 }, (_, at) => ({ key: `key ${at}`, value: at }))))
  const before = await raw.dbsize()
  await raw.config('RESETSTAT')
  valueOf(await cache.clear())
  const stats = await raw.info('commandstats')
  t.match(stats, /cmdstat_unlink:calls=1,/)
  t.notMatch(stats, /cmdstat_(scan|keys|del|flush)/)
  t.equal(await raw.dbsize(), before - 1, 'entries go with their ttl')
  t.same(await cache.getMany(['key 0', 'key 1999']), { ok: true, value: [null, null] })
  t.same(await other.get('key'), { ok: true, value: 'other' })
  t.same(await raw.mget('clear', 'clear:own'), ['foreign', 'foreign'])
})

t.test('connections: four of them share the entries, and each key keeps its own', async (t) => {
  const cache = await startCache(t, { url: server.url, keyPrefix: 'pool:', connections: 4, commandTimeoutMs: 5000 })
  await raw.config('RESETSTAT')
  const keys = Array.from({ length: 200 }, (_, at) => `key ${at}`)
  valueOf(await cache.setMany(keys.map((key) => ({ key, value: key, options: { tags: ['tag'] } }))))
  t.same(valueOf(await cache.getMany(keys)), keys)
  const lines = (await raw.client('LIST') as string).split('\n').filter((line) => / name=cache /.test(line))
  t.equal(lines.length, 4)
  valueOf(await cache.tags.invalidate('tag'))
  t.ok(valueOf(await cache.getMany(keys)).every((value) => value === null))
  valueOf(await cache.delMany(keys))
})

t.test('tags: 10 000 entries with a tag of their own each leave only keys with an end, and none of them for long', async (t) => {
  await raw.flushall()
  const cache = await startCache(t, { url: server.url, keyPrefix: 'many:', maxTags: 100, commandTimeoutMs: 10_000 })
  const ttl = 60
  for (let from = 0; from < 10_000; from += 500) {
    valueOf(await cache.setMany(Array.from({ length: 500 }, (_, at) => ({
      key: `key ${from + at}`, value: 1, options: { ttl, tags: [`tag ${from + at}`] }
    }))))
  }
  t.same(await cache.get('key 9999'), { ok: true, value: 1 })
  const keys = await raw.keys('*')
  t.ok(keys.length <= 20_001, `${keys.length} keys: an entry and a token each, and the generation`)
  const pipeline = raw.pipeline()
  for (const key of keys) pipeline.pttl(key)
  for (const [at, [error, left]] of (await pipeline.exec())!.entries()) {
    const longest = keys[at]!.startsWith('many:e:') ? ttl * 1000 : keys[at] === 'many:g' ? 2 * 3600_000 + SPARE_MS : 2 * ttl * 1000 + SPARE_MS
    if (error !== null || !(Number(left) > 0 && Number(left) <= longest)) t.fail(`${keys[at]} lives for ${left} ms`)
  }
})

t.test('tags: what this process remembers is bounded by maxTags', async (t) => {
  const client = new Redis(server.port)
  defineScripts(client)
  const keys = new Keys('bounded:')
  const now = (): number => performance.now()
  const tokens: TagTokens[] = []
  const connection = new Connection(client, {
    isTracked: true,
    prefixes: [keys.generation, keys.tags],
    heartbeatMs: 100,
    heartbeatTimeoutMs: 3000,
    now,
    isIdle: () => false,
    onInvalidated: (changed) => tokens[0]?.forgetKeys(changed),
    onDoubt: () => tokens[0]?.forgetAll()
  }, { onChange: () => {}, onError: () => {}, onRefused: () => {} })
  t.teardown(() => {
    connection.close()
    client.disconnect()
  })
  const one = new TagTokens(connection, keys, { maxTags: 50, isStrong: false, waitReplicas: 0, waitMs: 100, now, onForeign: () => {} })
  tokens.push(one)
  await until('messages are trusted', () => connection.owner('bounded:t:tag')?.isTrusted === true)
  for (let at = 0; at < 500; at++) await one.capture([`tag ${at}`], 60_000)
  // Each tag is read a second time. The message about the process's own new token removes the token once; after the second read it stays
  // remembered.
  for (let at = 0; at < 500; at++) await one.ask(`tag ${at}`)
  t.equal(one.known, 50)
  t.ok(one.remembered('tag 499'))
  t.equal(one.remembered('tag 0'), undefined)
})
