import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { Redis, type RedisOptions } from 'ioredis'
import t, { type Test } from 'tap'
import type { Cache, CacheError } from '@x/cache-core'
import { causeOf } from '@x/cache-core/implementing'
import type { LogLine } from '@x/test-kit/build-app'
import { leaksOf, SECRET } from '@x/test-kit/leaks'
import { freePort } from '@x/test-kit/servers'
import { RedisCache, type RedisCacheOptions } from '../../../src/index.js'
import { buildApp } from '../../fixtures/apps.js'
import { startServer } from '../../fixtures/caches.js'
import { Masters } from '../../fixtures/masters.js'
import { RedisSentinels } from '@x/test-kit/redis-deployments'
import { until } from '@x/test-kit/redis-server'

t.setTimeout(300_000)

const KEY = `${SECRET}-key`
const VALUE = `${SECRET}-value `.repeat(20)
const LOGIN = { username: `${SECRET}-user`, password: `${SECRET}-password` }
const QUICK = { commandTimeoutMs: 500, connectTimeoutMs: 500, breaker: { minimumCalls: 1000 } }

/** A scenario: options of the cache, and a function that makes the cache fail after it is in service. */
interface Scenario { options: RedisCacheOptions; spoil?: () => Promise<unknown> }

/** Calls every member with a planted key, value and tag; returns all failed results. */
async function drive (cache: Cache): Promise<unknown[]> {
  const results: unknown[] = [
    await cache.get(KEY), await cache.getEntry!(KEY), await cache.getMany!([KEY]), await cache.set(KEY, VALUE),
    await cache.set(KEY, VALUE, { tags: [KEY], ttl: 60 }),
    await cache.setMany!([{ key: KEY, value: VALUE }]), await cache.lock!(KEY, { ttl: 1 }), await cache.tags!.capture([KEY]),
    await cache.del(KEY), await cache.delMany!([KEY]),
    await cache.tags!.invalidate([KEY]), await cache.tags!.invalidate([KEY], { soft: true }), await cache.clear!(), await cache.health!(),
    cache.status?.()
  ]
  const lease = await cache.leases?.take(KEY, { ttl: 60, tags: [KEY] })
  results.push(lease?.ok === true ? undefined : lease)
  if (lease?.ok === true) {
    results.push(
      await cache.leases!.isCurrent(lease.value), await cache.set(KEY, VALUE, { snapshot: lease.value }),
      await cache.leases!.release(lease.value)
    )
  }
  return results.filter((result) => (result as { ok?: boolean } | undefined)?.ok !== true)
}

function codesOf (results: readonly unknown[]): Set<string> {
  return new Set(results.flatMap((result) => (result as { error?: CacheError } | undefined)?.error?.code ?? []))
}

/** Starts a server with an ACL user that has the given rights. */
async function startWithUser (t: Test, ...rules: string[]): Promise<RedisCacheOptions> {
  const server = await startServer(t)
  await server.cli('ACL', 'SETUSER', LOGIN.username, 'on', `>${LOGIN.password}`, ...rules)
  return { url: server.url, ...LOGIN }
}

/** Starts a server that answers every command with one line made from the command. Redis never does so, but a proxy may. */
async function startEcho (t: Test, answer: (command: string[]) => string): Promise<RedisCacheOptions> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      for (const command of bytes.toString().split(/^\*\d+\r\n/m).slice(1)) socket.write(`-${answer(command.split('\r\n').filter((_line, at) => at % 2 === 1))}\r\n`)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`, ...LOGIN }
}

async function startOwn (t: Test, options: Omit<RedisOptions, 'replyMapping'>): Promise<Scenario> {
  const server = await startServer(t)
  const client = new Redis(server.port, '127.0.0.1', { connectTimeout: 300, ...options })
  client.on('error', () => {})
  t.teardown(() => {
    server.signal('SIGCONT')
    client.disconnect()
  })
  return { options: { client }, spoil: async () => server.signal('SIGSTOP') }
}

const scenarios: Record<string, { code: string; start: (t: Test) => Promise<Scenario> }> = {
  NOAUTH: { code: 'CACHE_ERR_AUTH', start: async (t) => ({ options: { url: (await startServer(t, '--requirepass', LOGIN.password)).url } }) },
  WRONGPASS: { code: 'CACHE_ERR_AUTH', start: async (t) => ({ options: { url: (await startServer(t)).url, ...LOGIN } }) },
  'NOPERM for keys': { code: 'CACHE_ERR_AUTH', start: async (t) => ({ options: await startWithUser(t, '~none:*', '&*', '+@all') }) },
  'NOPERM for commands': { code: 'CACHE_ERR_AUTH', start: async (t) => ({ options: await startWithUser(t, '~*', '&*', '+@all', '-set', '-get', '-unlink', '-eval', '-evalsha') }) },
  OOM: {
    code: 'CACHE_ERR_OUT_OF_MEMORY',
    async start (t) {
      const server = await startServer(t)
      return { options: { url: server.url }, spoil: () => server.cli('CONFIG', 'SET', 'maxmemory', '1') }
    }
  },
  READONLY: {
    code: 'CACHE_ERR_READONLY',
    async start (t) {
      const server = await startServer(t)
      return { options: { url: server.url }, spoil: async () => server.cli('CONFIG', 'SET', 'min-replicas-to-write', '0').then(() => server.cli('REPLICAOF', '127.0.0.1', String(server.port))) }
    }
  },
  WRONGTYPE: {
    code: 'CACHE_ERR_CORRUPT',
    async start (t) {
      const server = await startServer(t)
      return {
        options: { url: server.url },
        async spoil () {
          const writer = new RedisCache({ url: server.url })
          await until('it is in service', () => writer.ready(1000))
          await writer.set(KEY, VALUE)
          await writer.close()
          for (const name of (await server.cli('KEYS', 'cache:e:*')).split('\n')) {
            await server.cli('DEL', name)
            await server.cli('RPUSH', name, VALUE)
          }
        }
      }
    }
  },
  'a refused connection': { code: 'CACHE_ERR_UNAVAILABLE', start: async () => ({ options: { url: `redis://127.0.0.1:${await freePort()}`, ...LOGIN } }) },
  'a Cluster that refuses its user': {
    code: 'CACHE_ERR_AUTH',
    async start (t) {
      const masters = await Masters.start()
      t.teardown(() => masters.close())
      return { options: { mode: 'cluster', url: masters.urls, ...LOGIN } }
    }
  },
  'Sentinels that refuse their user': {
    code: 'CACHE_ERR_UNAVAILABLE',
    async start (t) {
      const all = await RedisSentinels.start(1, 0)
      t.teardown(() => all.close())
      return { options: { mode: 'sentinel', url: all.urls, sentinelUsername: LOGIN.username, sentinelPassword: LOGIN.password, ...LOGIN } }
    }
  },
  'a master behind Sentinels that refuses its user': {
    code: 'CACHE_ERR_AUTH',
    async start (t) {
      const all = await RedisSentinels.start(1, 0)
      t.teardown(() => all.close())
      return { options: { mode: 'sentinel', url: all.urls, ...LOGIN } }
    }
  },
  'a server that repeats the arguments of what it does not know': {
    code: 'CACHE_ERR_UNAVAILABLE',
    start: async (t) => ({ options: await startEcho(t, ([name = '', ...args]) => `ERR unknown command '${name}', with args beginning with: ${args.map((arg) => `'${arg}'`).join(' ')}`) })
  },
  'a server that repeats commands in words of its own': {
    code: 'CACHE_ERR_UNAVAILABLE', start: async (t) => ({ options: await startEcho(t, (command) => `ERR bad request: ${command.join(' ')}`) })
  },
  'Command timed out': { code: 'CACHE_ERR_UNAVAILABLE', start: (t) => startOwn(t, { commandTimeout: 50 }) },
  'retries that are used up': { code: 'CACHE_ERR_UNAVAILABLE', start: (t) => startOwn(t, { maxRetriesPerRequest: 0, socketTimeout: 100 }) },
  'a call that lasts too long': { code: 'CACHE_ERR_TIMEOUT', start: (t) => startOwn(t, {}) }
}

for (const [what, { code, start }] of Object.entries(scenarios)) {
  t.test(`errors: with ${what} no key, value, user or password is in a Result, an event or the log`, async (t) => {
    const { options, spoil } = await start(t)
    const all = { ...QUICK, ...options }
    const told: Error[] = []
    const lines: LogLine[] = []
    const cache = new RedisCache(
      all, { onError: (error) => told.push(error), onWarning: (error) => told.push(error), onCorrupt: (error) => told.push(error) }
    )
    const app = await buildApp(t, all, lines)
    app.cache.registry.events.on('failed', (_impl, _operation, error) => { told.push(error) })
    if (spoil !== undefined) {
      await until('the cache is in service', () => cache.ready(1000))
      await spoil()
    } else {
      await until('the first probe has failed', async () => codesOf([await cache.get(KEY)]).has(code) && codesOf([await app.cache.get(KEY)]).has(code))
    }
    const results = [...await drive(cache), ...await drive(app.cache), ...await drive(app.cache.registry.current)]
    t.equal(await app.cache.getOrSet(`${KEY}-new`, () => 'loaded', { tags: [KEY], lock: true, staleIfError: 1 }), 'loaded')
    t.ok(codesOf(results).has(code), `${[...codesOf(results)].join()} has ${code}`)
    t.same(leaksOf([...results, ...told], SECRET), [])
    t.same(told.flatMap((error) => leaksOf(error, SECRET)), [])
    // The causes of errors also contain no arguments of commands.
    t.same(results.flatMap((result) => leaksOf(causeOf((result as { error?: unknown } | undefined)?.error), SECRET)), [])
    await cache.close()
    await app.close()
    t.same(lines.filter((line) => JSON.stringify(line).includes(SECRET)), [])
  })
}
