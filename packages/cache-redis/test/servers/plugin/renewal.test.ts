import { Redis } from 'ioredis'
import t from 'tap'
import { defineScripts } from '../../../src/connection/commands.js'
import { SCRIPTS } from '../../../src/entries/scripts.js'
import { read, startCache, startServer, store, valueOf } from '../../fixtures/caches.js'

t.test('capture: a process that has not heard of its server\'s new history does not replace what others made since', async (t) => {
  const server = await startServer(t, '--enable-debug-command', 'local')
  const late = await startCache(t, { url: server.url, heartbeatMs: 250_000, heartbeatTimeoutMs: 500_000 })
  await store(late, 'key', 'old')
  await server.cli('DEBUG', 'CHANGE-REPL-ID')
  const early = await startCache(t, { url: server.url })
  const before = await server.cli('GET', 'cache:g')
  t.equal(await read(early, 'key'), null, 'another history')
  const renewed = await server.cli('GET', 'cache:g')
  t.not(renewed, before)
  for (let round = 0; round < 5; round++) {
    await store(early, 'key', round)
    await store(late, 'late key', round)
    valueOf(await late.del('key'))
    t.equal(await read(early, 'key'), null, 'a del of the late process counts')
    t.equal(await read(early, 'late key'), round)
    t.equal(await server.cli('GET', 'cache:g'), renewed)
  }
})

t.test('capture: a token that names no server is replaced', async (t) => {
  const server = await startServer(t)
  const cache = await startCache(t, { url: server.url })
  await server.cli('SET', 'cache:t:tag', 'twelvechars1.twelvechars2')
  await server.cli('SET', 'cache:g', 'twelvechars1', 'PX', '100000')
  await store(cache, 'key', 'value', 'tag')
  t.equal(await read(cache, 'key'), 'value')
  t.match(await server.cli('GET', 'cache:g'), /^[\w-]{20}$/)
  t.ok(Number(await server.cli('PTTL', 'cache:g')) > 0, 'its end stays')
  t.match(await cache.tags.invalidate('tag'), { ok: true })
  t.equal(await read(cache, 'key'), null)
})

t.test('capture: where a token can be neither used nor replaced it goes, and nothing is stored under it', async (t) => {
  const server = await startServer(t)
  const client = new Redis(server.port)
  t.teardown(() => client.disconnect())
  defineScripts(client)
  const foreign = 'abcdefghijkl12345678'
  await client.set('token', foreign)
  const serverId = /run_id:(\w+)/.exec(await client.info('server'))![1]! + ':' + /master_replid:(\w+)/.exec(await client.info('replication'))![1]!
  const hex = String(await client.eval('return string.sub(redis.sha1hex(ARGV[1]), 1, 12)', 0, serverId))
  const renew = (...args: string[]): Promise<unknown> => client.eval(SCRIPTS.cacheRenew.lua, 1, 'token', ...args, 60_000)
  t.equal(await renew(foreign, 'new', '000000000000'), 0, 'another server is meant')
  t.equal(await renew('other', 'new', hex), foreign, 'somebody was quicker')
  await client.config('SET', 'maxmemory', '1')
  t.equal(await renew(foreign, 'new', hex), null)
  t.equal(await client.get('token'), null)
  await client.config('SET', 'maxmemory', '0')
  t.equal(await renew(foreign, 'new', hex), null, 'it is gone already')
  await client.set('token', 'no token')
  t.equal(await renew(foreign, 'new', hex), 'new', 'what is no token is replaced whatever was read')
  t.ok(await client.pttl('token') > 0, 'and its successor has an end')
})
