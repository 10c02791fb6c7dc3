import { Cluster, Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { connect } from '../src/connection/connect.js'
import type { Client } from '../src/connection/client.js'
import type { RedisCacheOptions } from '../src/options.js'
import { resolveRedisOptions } from '../src/resolve-options.js'

/** Makes clients that are closed before they are connected. */
function made (_t: Test, options: RedisCacheOptions): readonly Client[] {
  const clients = connect(resolveRedisOptions(options), () => false, () => {})
  clients.close()
  return clients.lanes
}

function optionsOf (t: Test, options: RedisCacheOptions): Record<string, any> {
  const [client] = made(t, options)
  return client instanceof Cluster ? { ...client.options.redisOptions, nodes: (client as any).startupNodes } : client!.options
}

t.test('connect: takes all parts of a URL, with escapes', async (t) => {
  t.match(optionsOf(t, { url: 'redis://us%40er:p%40ss%3Aw%2Frd@host.example:7000/3' }), {
    host: 'host.example', port: 7000, username: 'us@er', password: 'p@ss:w/rd', db: 3
  })
  t.match(optionsOf(t, { url: 'redis://:secret@host' }), { host: 'host', port: 6379, password: 'secret', db: 0 })
  t.match(optionsOf(t, { url: 'redis://[::1]:7000' }), { host: '::1', port: 7000 })
  t.match(optionsOf(t, { url: 'redis://127.0.0.1' }), { host: '127.0.0.1', port: 6379 })
  t.match(optionsOf(t, {}), { host: '127.0.0.1', port: 6379 })
})

t.test('connect: options beat the URL', async (t) => {
  t.match(optionsOf(t, { url: 'redis://user:secret@host/3', username: 'other', password: 'else', db: 0 }), { username: 'other', password: 'else', db: 0 })
})

t.test('connect: rediss is TLS, and so is the option', async (t) => {
  t.same(optionsOf(t, { url: 'rediss://host' }).tls, {})
  t.same(optionsOf(t, { url: 'redis://host', tls: true }).tls, {})
  t.same(optionsOf(t, { url: 'rediss://host', tls: { servername: 'name' } }).tls, { servername: 'name' })
  t.notOk(optionsOf(t, { url: 'redis://host' }).tls)
  t.notOk(optionsOf(t, { url: 'rediss://host', tls: false }).tls)
})

t.test('connect: never waits in a queue, and leaves a server that does not answer', async (t) => {
  for (const mode of ['single', 'sentinel'] as const) {
    t.match(optionsOf(t, { mode, url: 'redis://host', socketTimeoutMs: 700, connectTimeoutMs: 600 }), {
      enableOfflineQueue: false, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false, socketTimeout: 700, connectTimeout: 600
    })
  }
  t.match(optionsOf(t, { mode: 'cluster', url: 'redis://host', socketTimeoutMs: 700 }), { socketTimeout: 700 })
  const [cluster] = made(t, { mode: 'cluster', url: 'redis://host' })
  t.equal((cluster as Cluster).options.enableOfflineQueue, false)
})

t.test('connect: leaves a server that became a replica once, not for each command that it refused', async (t) => {
  for (const mode of ['single', 'sentinel', 'cluster'] as const) {
    const { reconnectOnError } = optionsOf(t, { mode, url: 'redis://host' })
    const refused = new Error("READONLY You can't write against a read only replica.")
    t.equal(reconnectOnError(new Error('OOM command not allowed')), false)
    t.same(Array.from({ length: 20 }, () => reconnectOnError(refused)), [true, ...Array.from({ length: 19 }, () => false)], mode)
  }
})

t.test('connect: several URLs, or nodes, are those of the Cluster or the Sentinels', async (t) => {
  const nodes = [{ host: 'a', port: 1 }, { host: 'b', port: 2 }]
  const urls = ['redis://user:secret@a:1', 'redis://b:2']
  for (const where of [{ url: urls }, { url: urls.join(',') }, { url: urls.join(', ') }, { nodes }]) {
    t.match(optionsOf(t, { mode: 'cluster', ...where }).nodes, nodes)
    t.match(optionsOf(t, { mode: 'sentinel', ...where }), { sentinels: nodes, name: 'mymaster' })
  }
  t.match(optionsOf(t, { mode: 'cluster', url: urls }), { username: 'user', password: 'secret' })
  t.match(optionsOf(t, { mode: 'sentinel', url: urls, sentinelName: 'main', sentinelUsername: 'su', sentinelPassword: 'sp', tls: true }), {
    name: 'main', sentinelUsername: 'su', sentinelPassword: 'sp', sentinelTLS: {}, enableTLSForSentinelMode: true, password: 'secret'
  })
})

t.test('connect: makes as many clients as it is told, all of a kind', async (t) => {
  const clients = made(t, { url: 'redis://host:7000/2', connections: 4 })
  t.equal(clients.length, 4)
  for (const client of clients) t.match((client as Redis).options, { host: 'host', port: 7000, db: 2 })
})

t.test('connect: takes the client of the app, with the scripts added', async (t) => {
  const client = new Redis({ lazyConnect: true })
  const { lanes: [taken] } = connect(resolveRedisOptions({ client }), () => false, () => {})
  t.equal(taken, client)
  t.type(taken!.cacheExtend, 'function')
  client.disconnect()
})

t.test('connect: what is no URL is a coded error that does not show it', async (t) => {
  for (const url of ['redis://user:hunter2@[host', 'redis://user:hunter2@host:99999', 'redis://user:hunter2@host/db', 'redis://user:%zzhunter2@host', 'redis://:%hunter2@host']) {
    try {
      made(t, { url })
      t.fail(`accepted ${url}`)
    } catch (error) {
      t.equal((error as { code?: string }).code, 'CACHE_ERR_OPTION_INVALID', url)
      t.notMatch((error as Error).stack, 'hunter2')
      t.equal((error as Error).cause, undefined)
    }
  }
})
