import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { freePort } from '@x/test-kit/servers'
import { RedisCache, type RedisCacheOptions } from '../../../src/index.js'
import { read, startCache, startServer, store } from '../../fixtures/caches.js'
import { folderOf } from '../../fixtures/openssl.js'
import { until, type RedisServer } from '@x/test-kit/redis-server'
import { runScript } from '@x/test-kit/run-script'

t.setTimeout(300_000)

const dir = folderOf(t)

/** Makes a self-signed certificate for host names, not for an address. */
function makeCertificate (...names: string[]): { ca: string; args: string[] } {
  const key = join(dir, `${names[0]}.key`)
  const cert = join(dir, `${names[0]}.crt`)
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', `/CN=${names[0]}`,
    '-addext', `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`, '-keyout', key, '-out', cert
  ], { stdio: 'ignore' })
  return {
    ca: readFileSync(cert, 'utf8'),
    args: ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert, '--tls-auth-clients', 'no']
  }
}

const ofLocalhost = makeCertificate('localhost')
const ofName = makeCertificate('redis.example')

async function startCluster (t: Test, ...args: string[]): Promise<RedisServer> {
  const node = await startServer(t, '--cluster-enabled', 'yes', '--tls-cluster', 'yes', '--cluster-port', async () => String(await freePort()), ...args)
  await node.cli('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  await until('the cluster is complete', async () => (await node.cli('CLUSTER', 'INFO')).includes('cluster_state:ok'))
  return node
}

const BY_NAME = ['--cluster-announce-hostname', 'localhost', '--cluster-preferred-endpoint-type', 'hostname']
const BY_ADDRESS = ['--cluster-announce-ip', '127.0.0.1']

async function works (t: Test, options: RedisCacheOptions): Promise<void> {
  const cache = await startCache(t, { commandTimeoutMs: 30_000, connectTimeoutMs: 60_000, ...options })
  await store(cache, 'key', 'value', 'tag')
  t.equal(await read(cache, 'key'), 'value')
  await until('tracking is trusted', () => cache.status().tracking === 'trusted')
}

t.test('TLS Cluster that announces names, with certificates for names alone: works as it is', async (t) => {
  const node = await startCluster(t, ...BY_NAME, ...ofLocalhost.args)
  await works(t, { mode: 'cluster', url: `rediss://localhost:${node.port}`, tls: { ca: ofLocalhost.ca } })
})

t.test('TLS Cluster that announces addresses, with certificates for names alone: servername of a node, or natMap, or tls.servername', async (t) => {
  const node = await startCluster(t, ...BY_ADDRESS, ...ofName.args)
  const { port } = node
  const tls = { ca: ofName.ca }
  await works(t, { mode: 'cluster', nodes: [{ host: '127.0.0.1', port, servername: 'redis.example' }], tls })
  await works(t, { mode: 'cluster', url: `rediss://127.0.0.1:${port}`, tls: { ...tls, servername: 'redis.example' } })
  const named = { [`127.0.0.1:${port}`]: { host: '127.0.0.1', port, servername: 'redis.example' } }
  for (const natMap of [named, (announced: string) => named[announced]]) {
    // The node has a `servername`, since the first connection is made before the Cluster announces any name.
    await works(t, { mode: 'cluster', nodes: [{ host: '127.0.0.1', port, servername: 'redis.example' }], tls, natMap })
  }
})

t.test('Cluster whose first node has a name of its own: dnsLookup resolves it', async (t) => {
  const node = await startCluster(t, ...BY_ADDRESS, ...ofName.args)
  const asked: string[] = []
  await works(t, {
    mode: 'cluster',
    url: `rediss://redis.example:${node.port}`,
    tls: { ca: ofName.ca, servername: 'redis.example' },
    dnsLookup: (hostname, callback) => {
      asked.push(hostname)
      callback(null, '127.0.0.1')
    }
  })
  t.ok(asked.includes('redis.example'))
})

t.test('TLS Cluster whose certificate has another name: the certificate\'s complaint is told, once', async (t) => {
  const node = await startCluster(t, ...BY_ADDRESS, ...ofName.args)
  const errors: string[] = []
  const cache = new RedisCache({ mode: 'cluster', url: `rediss://127.0.0.1:${node.port}`, tls: { ca: ofName.ca } }, { onError: ({ message }) => { errors.push(message) } })
  await until('it is told', () => errors.length > 0)
  await new Promise((resolve) => { setTimeout(resolve, 500) })
  t.equal(errors.length, 1)
  t.match(errors[0], /does not match certificate's altnames/)
  await cache.close()
})

t.test('Sentinels and their master, each with TLS or without, certificates for names alone', async (t) => {
  for (const [name, isMasterTls, isSentinelTls] of [['both', true, true], ['the master alone', true, false], ['the Sentinels alone', false, true]] as const) {
    const master = await startServer(t, ...isMasterTls ? ofName.args : [])
    // The Sentinel uses its own TLS settings for the master, too; the master need not reply to it in this test.
    const sentinel = await startServer(t, '--sentinel', ...isSentinelTls ? ofLocalhost.args : [])
    await sentinel.cli('SENTINEL', 'MONITOR', 'mymaster', '127.0.0.1', String(master.port), '1')
    await sentinel.cli('SENTINEL', 'SET', 'mymaster', 'down-after-milliseconds', '600000')
    t.comment(name)
    await works(t, {
      mode: 'sentinel',
      nodes: [{ host: 'localhost', port: sentinel.port }],
      tls: isMasterTls && { ca: ofName.ca, servername: 'redis.example' },
      sentinelTls: isSentinelTls && { ca: ofLocalhost.ca }
    })
  }
})

t.test('close: during a TLS handshake with a certificate that is refused, the process goes on', async (t) => {
  const server = await startServer(t, ...ofName.args)
  const output = await runScript(`
    import { RedisCache } from '@x/cache-redis'
    for (let round = 0; round < 40; round++) {
      const cache = new RedisCache({ url: ${JSON.stringify(server.url)}, connections: 2 })
      await new Promise((resolve) => { setTimeout(resolve, round / 4) })
      await cache.close()
      await new Promise((resolve) => { setTimeout(resolve, 20) })
    }
    console.log('still there')`)
  t.equal(output, 'still there\n')
})
