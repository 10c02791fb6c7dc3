import { execFileSync } from 'node:child_process'
import type { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { freePort } from '@x/test-kit/servers'
import { PATIENT_REDIS } from '@x/test-kit/patient-redis'
import { RedisCache, type CacheRedisOptions } from '../../../src/index.js'
import type { LogLine } from '@x/test-kit/build-app'
import { buildApp, statusOf } from '../../fixtures/apps.js'
import { bounded, clientOf, isSettled, startCache, startServer, valueOf } from '../../fixtures/caches.js'
import { folderOf } from '../../fixtures/openssl.js'
import { until, type RedisServer } from '@x/test-kit/redis-server'

t.setTimeout(300_000)

const dir = folderOf(t)

/** Makes a self-signed certificate for 127.0.0.1. */
function makeCertificate (name: string): { ca: string; args: string[] } {
  const key = join(dir, `${name}.key`)
  const cert = join(dir, `${name}.crt`)
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', `/CN=${name}`,
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert
  ], { stdio: 'ignore' })
  return {
    ca: readFileSync(cert, 'utf8'),
    args: ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert, '--tls-auth-clients', 'no']
  }
}

const certificate = makeCertificate('redis')
const other = makeCertificate('other')

/** Starts a Cluster of one node that serves all slots. */
async function startCluster (t: Test, ...args: string[]): Promise<RedisServer> {
  const node = await startServer(t, '--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', '--cluster-port', String(await freePort()), ...args)
  await node.cli('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  await until('the cluster is complete', async () => (await node.cli('CLUSTER', 'INFO')).includes('cluster_state:ok'))
  return node
}

for (const mode of ['single', 'cluster'] as const) {
  t.test(`TLS: with the certificate of the authority everything works, and tracking is trusted (${mode})`, async (t) => {
    const server = mode === 'single'
      ? await startServer(t, ...certificate.args)
      : await startCluster(t, '--tls-cluster', 'yes', ...certificate.args)
    t.match(server.url, /^rediss:/)
    const options = { mode, url: server.url, tls: { ca: certificate.ca } }
    const [one, two] = await Promise.all([startCache(t, options), startCache(t, options)])
    valueOf(await one.set('key', 'value', { ttl: 60, tags: ['tag'] }))
    for (const cache of [one, two]) {
      t.equal(valueOf(await cache.get('key')), 'value')
      await until('tracking is trusted', () => cache.status().tracking === 'trusted')
    }
    valueOf(await one.tags.invalidate('tag'))
    t.equal(valueOf(await one.get('key')), null)
    await until('the other process has heard of it', async () => valueOf(await two.get('key')) === null)
    const app = await buildApp(t, { ...options, connectTimeoutMs: 60_000 })
    t.match(await statusOf(app), { implName: 'RedisCache', degraded: false })
  })

  t.test(`a socket that emits a further error does not end the process (${mode})`, async (t) => {
    const { url } = mode === 'single' ? await startServer(t) : await startCluster(t)
    const clients = new Set<Redis>()
    const { connect } = Redis.prototype
    Redis.prototype.connect = function (...args) {
      clients.add(this)
      return connect.apply(this, args)
    }
    t.teardown(() => { Redis.prototype.connect = connect })
    await startCache(t, { mode, url })
    const streams = [...clients].map((client) => (client as { stream?: EventEmitter }).stream).filter((stream) => stream !== undefined)
    t.ok(streams.length > 1, 'those of data and of tracking')
    for (const stream of streams) {
      for (const message of ['first', 'second', 'third']) t.doesNotThrow(() => stream.emit('error', new Error(message)))
    }
  })
}

t.test('TLS: where it cannot be had, the app starts without Redis, and one line says why, without credentials', async (t) => {
  const secure = await startServer(t, ...certificate.args)
  const plain = await startServer(t)
  const cluster = await startCluster(t, '--tls-cluster', 'yes', ...certificate.args)
  const at = (scheme: string, { port }: RedisServer): string => `${scheme}://hidden-user:hunter2@127.0.0.1:${port}`
  const cases: [string, CacheRedisOptions, RegExp][] = [
    ['no authority that vouches for it', { url: at('rediss', secure) }, /self-signed certificate/],
    ['a certificate of another authority', { url: at('rediss', secure), tls: { ca: other.ca } }, /certificate/],
    ['a certificate of another authority, of a Cluster', { mode: 'cluster', url: at('rediss', cluster), tls: { ca: other.ca } }, /^Failed to refresh slots cache\. ./],
    ['a wrong password of a Cluster', { mode: 'cluster', url: at('rediss', cluster), tls: { ca: certificate.ca } }, /WRONGPASS/],
    ['TLS to a port without it', { url: at('rediss', plain), tls: { ca: certificate.ca } }, /ETIMEDOUT|ECONNRESET|wrong version/],
    ['no TLS to a port that wants it', { url: at('redis', secure) }, /ECONNRESET|EPIPE|closed/]
  ]
  await Promise.all(cases.map(async ([name, options, why]) => {
    const lines: LogLine[] = []
    const app = await buildApp(t, { ...options, healthCheckMs: 60_000 }, lines)
    t.match(await statusOf(app), { implName: 'NullCache', degraded: true }, name)
    t.equal(await bounded('getOrSet', app.cache.getOrSet('user:1', async () => 'loaded')), 'loaded', `${name}: loads go on`)
    const failures = (): string[] => lines.filter(({ msg }) => msg.includes('the connection to Redis failed')).map(({ err }) => err.message)
    await until(`${name}: the failure is logged`, () => failures().some((message) => why.test(message)))
    // The pause is long enough for several further attempts to connect.
    await new Promise((resolve) => { setTimeout(resolve, 1200) })
    // Only repeated equal messages are counted. On a busy machine a handshake may exceed its time limit, which is logged as a different
    // failure in between.
    const repeated = failures().filter((message, at, all) => message === all[at - 1])
    t.same(repeated, [], name)
    t.notMatch(JSON.stringify([lines, await statusOf(app)]), /hunter2|hidden-user/, name)
    await app.close()
  }))
})

const EVERYWHERE = '+get +mget +getrange +set +pttl +pexpire +unlink +time +eval +evalsha +publish +subscribe +unsubscribe +ping +info +client|id +client|tracking +client|setname +wait'
const LEAST = { single: EVERYWHERE, cluster: `${EVERYWHERE} +cluster|slots +cluster|info +asking +readonly +readwrite` }
const ADMIN = ['-a', 'admin', '--no-auth-warning']

for (const mode of ['single', 'cluster'] as const) {
  t.test(`ACL: a user with the least rights can do all that the cache does (${mode})`, async (t) => {
    const server = mode === 'single' ? await startServer(t) : await startCluster(t)
    t.equal(await server.cli('ACL', 'SETUSER', 'least', 'on', '>secret', '~cache:*', '&cache:*', '&__redis__:invalidate', ...LEAST[mode].split(' ')), 'OK')
    // The default user gets a password, so that no command before the authentication can succeed.
    t.equal(await server.cli('CONFIG', 'SET', 'requirepass', 'admin'), 'OK')
    const heard: string[] = []
    const options = { mode, url: server.url, username: 'least', password: 'secret', onInvalidated: (tags: readonly string[]) => { heard.push(...tags) } }
    const [one, two] = await Promise.all([startCache(t, options), startCache(t, options)])
    t.ok([one, two].every((cache) => isSettled(cache)), 'tracking is trusted')
    const [first, second] = [clientOf(one), clientOf(two)]
    valueOf(await first.set('user:1', 'Ann'))
    t.equal(valueOf(await second.get('user:1')), 'Ann')
    valueOf(await second.del('user:1'))
    t.equal(valueOf(await first.get('user:1')), null)
    const load = { ttl: 60, tags: ['a', 'b'], staleWhileRevalidate: 60, lock: true }
    t.equal(await first.getOrSet('user:2', async () => 'loaded', load), 'loaded')
    t.equal(await second.getOrSet('user:2', async () => 'loaded again', load), 'loaded')
    valueOf(await one.set('long', 1, { ttl: 30 * 24 * 3600, tags: ['a'] }))
    t.match(valueOf(await two.getEntry('user:2')), { fresh: true })
    t.same(valueOf(await two.getMany(['user:2', 'none'])), ['loaded', null])
    valueOf(await one.tags.invalidate('a', { soft: true }))
    await until('the entry is stale', async () => valueOf(await two.getEntry('user:2'))?.fresh === false)
    valueOf(await one.tags.invalidate('b'))
    await until('the entry is gone', async () => valueOf(await two.getEntry('user:2')) === null)
    await until('both have heard', () => heard.filter((tag) => tag === 'b').length === 2)
    const lock = valueOf(await one.lock('key', { ttl: 30 }))!
    valueOf(await lock.extend(30))
    const waiting = two.lock('key', { ttl: 30, waitMs: 5000 })
    await until('the waiter listens', async () => /cache:u:/.test(await server.cli(...ADMIN, 'PUBSUB', 'CHANNELS', 'cache:u:*')))
    valueOf(await lock.release())
    valueOf(await valueOf(await waiting)!.release())
    valueOf(await first.clear())
    t.equal(valueOf(await first.get('long')), null)
    for (const cache of [one, two]) valueOf(await cache.health())
    await until('the channel of the lock is given up', async () => await server.cli(...ADMIN, 'PUBSUB', 'CHANNELS', 'cache:u:*') === '')
    t.equal(await server.cli(...ADMIN, 'ACL', 'LOG'), '', 'nothing was refused')
    const asUser = async (...command: string[]): Promise<string> => server.cli('--user', 'least', '--pass', 'secret', '--no-auth-warning', ...command)
    for (const command of [['GET', 'other'], ['PUBLISH', 'other', 'x'], ['FLUSHALL'], ['KEYS', '*'], ['CONFIG', 'GET', '*']]) {
      t.match(await asUser(...command), 'NOPERM', command.join(' '))
    }
  })
}

t.test('ACL: with the rights of earlier versions, without MGET, all reads are answered, and it is said once what to allow', async (t) => {
  const server = await startServer(t)
  await server.cli('ACL', 'SETUSER', 'hidden-user', 'on', '>hunter2', '~cache:*', '&cache:*', '&__redis__:invalidate', ...LEAST.single.split(' '), '-mget')
  const warnings: string[] = []
  const cache = new RedisCache({ ...PATIENT_REDIS, url: server.url, username: 'hidden-user', password: 'hunter2', connections: 2 }, {
    onWarning: ({ message }) => { warnings.push(message) }
  })
  t.teardown(() => cache.close())
  await until('the cache is in service', () => isSettled(cache))
  const keys = Array.from({ length: 20 }, (_, id) => `user:${id}`)
  for (const [id, key] of keys.entries()) valueOf(await cache.set(key, id, { tags: ['users'] }))
  for (let turn = 0; turn < 3; turn++) t.same(valueOf(await cache.getMany(keys)), [...keys.keys()])
  t.equal(warnings.length, 1)
  t.match(warnings[0], /^Redis refuses MGET \(NOPERM: .*\+mget\)\): the reads of one tick are sent one by one/)
  t.notMatch(warnings[0], /hunter2|hidden-user|cache:/)
  const logged = (await server.cli('ACL', 'LOG')).split('\n').filter((line) => line === 'mget')
  t.ok(logged.length >= 1 && logged.length <= 2, 'once for each connection')
})

t.test('ACL: a user who may write with waitReplicas is one who may wait', async (t) => {
  const master = await startServer(t)
  await startServer(t, '--replicaof', '127.0.0.1', String(master.port))
  await until('the replica is there', async () => (await master.cli('INFO', 'replication')).includes('state=online'))
  await master.cli('ACL', 'SETUSER', 'least', 'on', '>secret', '~cache:*', '&cache:*', '&__redis__:invalidate', ...LEAST.single.split(' '))
  const cache = await startCache(t, { url: master.url, username: 'least', password: 'secret', waitReplicas: 1, commandTimeoutMs: 4000 })
  valueOf(await cache.set('key', 1, { ttl: 60, tags: ['tag'] }))
  valueOf(await cache.tags.invalidate('tag'))
  t.equal(await master.cli('ACL', 'LOG'), '', 'nothing was refused')
})
