import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import type { LogLine } from '@x/test-kit/build-app'
import { RedisCache, type RedisCacheOptions } from '../../../src/index.js'
import { buildApp, statusOf } from '../../fixtures/apps.js'
import { bounded, read, startServer, store, valueOf } from '../../fixtures/caches.js'
import { until, type RedisServer } from '@x/test-kit/redis-server'

t.setTimeout(300_000)

const ALL_BUT = ['on', '>secret', '~*', '&*', '+@all']

async function startWith (t: Test, ...rules: string[]): Promise<RedisServer> {
  const server = await startServer(t)
  t.equal(await server.cli('ACL', 'SETUSER', 'hidden-user', ...ALL_BUT, ...rules), 'OK')
  return server
}

/** Starts a cache in service; returns it with its warnings. */
async function startWarned (
  t: Test, server: RedisServer, options: RedisCacheOptions = {}
): Promise<{ cache: RedisCache; warnings: string[] }> {
  const warnings: string[] = []
  const cache = new RedisCache({ url: server.url, username: 'hidden-user', password: 'secret', ...options }, { onWarning: ({ message }) => { warnings.push(message) } })
  t.teardown(() => cache.close())
  await until('the cache is in service', () => cache.ready(1000))
  return { cache, warnings }
}

async function connectionsOf (server: RedisServer): Promise<number> {
  return Number(/total_connections_received:(\d+)/.exec(await server.cli('INFO', 'stats'))![1])
}

t.test('tracking refused: it is said once, no storm of connections follows, and no read is stale', async (t) => {
  const server = await startWith(t, '-client|tracking')
  const [one, two] = await Promise.all([startWarned(t, server), startWarned(t, server)])
  await until('both have said so', () => one.warnings.length > 0 && two.warnings.length > 0)
  t.equal(one.warnings.length, 1)
  t.match(one.warnings[0], /CLIENT TRACKING .*client\|tracking/)
  t.notMatch(one.warnings[0], 'hidden-user')
  t.equal(one.cache.status().tracking, 'in doubt')
  const before = await connectionsOf(server)
  const beganAt = performance.now()
  for (let round = 0; round < 20; round++) {
    await store(one.cache, 'key', round, 'tag')
    t.equal(await read(two.cache, 'key'), round)
    valueOf(await one.cache.tags.invalidate('tag'))
    t.equal(await read(two.cache, 'key'), null)
    await new Promise((resolve) => { setTimeout(resolve, 100) })
  }
  // One connection is subtracted, since each command by redis-cli also opens a connection.
  const made = await connectionsOf(server) - before - 1
  const tookMs = performance.now() - beganAt
  const allowed = 2 * Math.floor(Math.log2(tookMs / 250 + 1))
  t.ok(made <= allowed, `${made} connections of two caches in ${Math.round(tookMs)} ms: the first pause is 250 ms, and each next one twice as long`)
  t.equal(one.warnings.length, 1)
  valueOf(await one.cache.set('last', 1))
  await server.cli('ACL', 'SETUSER', 'hidden-user', '+client|tracking')
  await until('it is tried again', () => one.cache.status().tracking === 'trusted')
})

t.test('tracking: in "strong" no connection for it is opened', async (t) => {
  const server = await startWith(t, '-client|tracking')
  const { cache, warnings } = await startWarned(t, server, { consistency: 'strong' })
  await store(cache, 'key', 1, 'tag')
  t.equal(await read(cache, 'key'), 1)
  await new Promise((resolve) => { setTimeout(resolve, 600) })
  t.notMatch(await server.cli('CLIENT', 'LIST'), 'cache-tracking')
  t.equal(await server.cli('ACL', 'LOG'), '', 'nothing was refused')
  t.same(warnings, [])
  t.equal(cache.status().tracking, 'off')
})

t.test('INFO refused: the log names the command, a call is CACHE_ERR_AUTH, and nothing is called unreachable', async (t) => {
  const server = await startWith(t, '-info')
  const lines: LogLine[] = []
  const app = await buildApp(t, { url: server.url, username: 'hidden-user', password: 'secret' }, lines)
  t.match(await app.cache.get('user:1'), { ok: false, error: { code: 'CACHE_ERR_AUTH', message: /info/ } })
  t.match(await app.cache.health(), { ok: false, error: { code: 'CACHE_ERR_AUTH', message: /info/ } })
  t.match(await app.cache.tags.invalidate('tag'), { ok: false, error: { code: 'CACHE_ERR_AUTH', queued: true } })
  t.match(await statusOf(app), { degraded: true, problem: /info/ })
  const own = lines.filter(({ msg }) => msg.startsWith('Cache:'))
  t.equal(own.filter((line) => /cannot be done/.test(line.msg) && /Redis refuses INFO/.test(line.err.message)).length, 1)
  t.equal(own.filter((line) => /Redis cannot be used/.test(line.msg)).length, 1)
  t.notMatch(own.map(({ msg }) => msg).join('\n'), /not reachable|Cache: enabled/)
  t.notMatch(JSON.stringify(lines), /hidden-user|secret/)
  await server.cli('ACL', 'SETUSER', 'hidden-user', '+info')
  await until('it comes into service', async () => (await statusOf(app)).degraded === false)
  t.equal(lines.filter(({ msg }) => msg === 'Cache: enabled (impl: RedisCache)').length, 1, 'and is called enabled then')
  t.match(await statusOf(app), { degraded: false })
})

t.test('a wrong password: CACHE_ERR_AUTH, and the cache is not called enabled', async (t) => {
  const server = await startWith(t)
  const lines: LogLine[] = []
  const app = await buildApp(t, { url: server.url, username: 'hidden-user', password: 'wrong' }, lines)
  await until('a call says so', async () => {
    const result = await app.cache.get('user:1')
    return !result.ok && result.error.code === 'CACHE_ERR_AUTH'
  })
  t.match(await app.cache.tags.invalidate('tag'), { ok: false, error: { code: 'CACHE_ERR_AUTH', queued: true } })
  t.equal(await bounded('getOrSet', app.cache.getOrSet('user:1', async () => 'loaded')), 'loaded')
  t.notMatch(lines.map(({ msg }) => msg).join('\n'), 'Cache: enabled')
  await server.cli('ACL', 'SETUSER', 'hidden-user', '>wrong')
  await until('it comes into service', async () => (await statusOf(app)).degraded === false)
  t.equal(lines.filter(({ msg }) => msg === 'Cache: enabled (impl: RedisCache)').length, 1)
})

t.test('a server that does not know AUTH: the password it repeats is in no log line, error or status', async (t) => {
  const server = await startServer(t, '--rename-command', 'AUTH', '', '--rename-command', 'HELLO', '')
  const lines: LogLine[] = []
  const app = await buildApp(t, { url: server.url, username: 'hidden-user', password: 'secret' }, lines)
  await until('the log says why', () => lines.some((line) => /unknown command 'auth'/i.test(String(line.err?.message))))
  const results = [await app.cache.get('user:1'), await app.cache.health(), await app.cache.tags.invalidate('tag')]
  t.notMatch(JSON.stringify([lines, await statusOf(app)]) + inspect(results, { depth: 9, showHidden: true }), /hidden-user|secret/)
})

t.test('leases: where the header of an entry may not be read, the entry stays', async (t) => {
  const server = await startWith(t, '-getrange')
  const { cache } = await startWarned(t, server)
  valueOf(await cache.set('key', 'value', { ttl: 60 }))
  t.match(await cache.leases.take('key', { ttl: 60 }), { ok: false, error: { code: 'CACHE_ERR_AUTH' } })
  t.equal(await read(cache, 'key'), 'value')
})

t.test('a refused command is CACHE_ERR_AUTH with its name', async (t) => {
  const server = await startWith(t, '-set')
  const { cache } = await startWarned(t, server)
  const result = await cache.set('key', 1)
  t.match(result, { ok: false, error: { code: 'CACHE_ERR_AUTH' } })
  t.match(!result.ok && result.error.message, /the command "set" \(ACL: \+set\)/)
})

t.test('INFO without run_id, as from a proxy: the field is named once, and calls are CACHE_ERR_UNSUPPORTED at the health check', async (t) => {
  const proxy = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      // One reply is sent for each command, which is recognised by its name alone.
      for (const [, name] of bytes.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) {
        const info = 'role:master\r\nmaster_replid:one\r\n'
        socket.write(name === 'info' ? `$${info.length}\r\n${info}\r\n` : name === 'hello' ? '-ERR unknown command `HELLO`\r\n' : '+PONG\r\n')
      }
    })
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => { proxy.close() })
  const warnings: string[] = []
  const cache = new RedisCache({ url: `redis://127.0.0.1:${(proxy.address() as AddressInfo).port}` }, { onWarning: ({ message }) => { warnings.push(message) } })
  await until('the field is named', () => /run_id/.test(cache.status().problem ?? ''))
  t.match(cache.status().problem, /INFO of the server lacks run_id,/)
  await new Promise((resolve) => { setTimeout(resolve, 600) })
  t.equal(warnings.length, 1)
  t.match(warnings[0], /run_id/)
  t.equal(await cache.ready(100), false)
  await cache.close()
})

t.test('onInvalidated refused: the channel is named once, and the cache works without it', async (t) => {
  const server = await startWith(t, 'resetchannels', '&__redis__:invalidate')
  const heard: string[] = []
  const { cache, warnings } = await startWarned(t, server, { onInvalidated: (tags) => { heard.push(...tags) } })
  await until('it is said', () => warnings.some((warning) => /SUBSCRIBE cache:n/.test(warning)))
  valueOf(await cache.tags.invalidate('tag'))
  valueOf(await cache.tags.invalidate('tag'))
  await until('the other half is said', () => warnings.some((warning) => /PUBLISH cache:n/.test(warning)))
  t.equal(warnings.length, 2)
  t.same(heard, ['tag', 'tag'], 'its own are heard')
})

t.test('onInvalidated: a listener that throws ends no process, and the caller\'s own invalidate is ok', async (t) => {
  const server = await startServer(t)
  const lines: LogLine[] = []
  let calls = 0
  const options: RedisCacheOptions = {
    url: server.url,
    onInvalidated: () => {
      calls++
      throw new Error('broken')
    }
  }
  const [one] = [await buildApp(t, options, lines), await buildApp(t, {
    ...options,
    onInvalidated: async () => {
      calls++
      throw new Error('broken')
    }
  }, lines)]
  await until('both listen', async () => /\n2$/.test(await server.cli('PUBSUB', 'NUMSUB', 'cache:n')))
  let purges = 0
  one.cache.registry.events.on('invalidated', () => { purges++ })
  t.same(await one.cache.tags.invalidate('tag'), { ok: true, value: undefined })
  await until('both were called', () => calls === 2)
  t.equal(purges, 1, 'proxies are told')
  t.equal(lines.filter((line) => /onInvalidated failed: broken/.test(String(line.err?.message))).length, 2, 'once for each')
})

t.test('a message that a stranger publishes ends no process, and tracking stays trusted', async (t) => {
  const server = await startServer(t)
  const app = await buildApp(t, { url: server.url, onInvalidated: () => {} })
  await until('tracking is trusted', async () => (await statusOf(app)).tracking === 'trusted')
  await app.cache.set('user:1', 'value', { tags: ['tag'] })
  for (const channel of ['__redis__:invalidate', 'cache:n']) {
    for (const message of ['x', '', 'null', '[]', '{"tags":[null]}']) await server.cli('PUBLISH', channel, message)
  }
  t.same(await app.cache.get('user:1'), { ok: true, value: 'value' })
  t.match(await statusOf(app), { tracking: 'trusted', degraded: false })
})

t.test('functions of the app that throw: events of a RedisCache harm neither the queue nor its end', async (t) => {
  const server = await startServer(t)
  const fail = (): never => { throw new Error('broken') }
  const cache = new RedisCache({ url: server.url, breaker: { minimumCalls: 3, probeMs: 50 } }, {
    onChange: fail, onCorrupt: fail, onReplayed: fail, onError: fail, onWarning: fail
  })
  t.teardown(() => cache.close())
  await until('the cache is in service', () => cache.ready(1000))
  await server.kill()
  t.match(await cache.tags.invalidate('tag'), { ok: false, error: { queued: true } })
  await server.start()
  await until('it is in service again', () => !cache.status().degraded && cache.status().queuedInvalidations === 0)
  valueOf(await cache.set('key', 1))
  await server.kill()
  await cache.tags.invalidate('tag')
  await t.resolves(cache.close(fail))
})
