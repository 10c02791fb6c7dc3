import { inspect } from 'node:util'
import { Cluster, Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { brotliCompression, gzipCompression } from '../src/entries/codec.js'
import { jsonSerializer, richSerializer } from '../src/entries/serializers.js'
import type { RedisCacheOptions } from '../src/options.js'
import { resolveRedisOptions } from '../src/resolve-options.js'

/** Checks that options are refused with an error that names the invalid option. */
function refuses (t: Test, options: object, name: string): void {
  t.throws(() => resolveRedisOptions(options), { code: 'CACHE_ERR_OPTION_INVALID', message: new RegExp(`"${name}(\\.|")`) }, inspect(options, { depth: 1 }))
}

function makeClient (t: Test, options: object = {}): Redis {
  const client = new Redis({ lazyConnect: true, ...options })
  t.teardown(() => client.disconnect())
  return client
}

t.test('options: have defaults, and stay as the caller made them', async (t) => {
  const options = Object.freeze({ breaker: Object.freeze({ probeMs: 50 }) })
  t.match(resolveRedisOptions(options), {
    mode: 'single',
    keyPrefix: 'cache:',
    defaultTtl: 3600,
    connections: 1,
    consistency: 'bounded',
    waitReplicas: 0,
    maxQueuedInvalidations: 10_000,
    breaker: { probeMs: 50, windowMs: 10_000, minimumCalls: 20, errorRate: 0.5 }
  })
})

t.test('options: serializer and compression are the given objects, whose state the app may share with them', async (t) => {
  const own = { seen: new Map<string, unknown>(), serialize: String, deserialize: String }
  for (const serializer of [own, jsonSerializer, richSerializer]) t.equal(resolveRedisOptions({ serializer }).serializer, serializer)
  for (const compression of [gzipCompression, brotliCompression, { ...gzipCompression, id: 200 }]) {
    t.equal(resolveRedisOptions({ compression }).compression, compression)
  }
  t.match(resolveRedisOptions({ serializer: jsonSerializer, near: { isolation: 'freeze' } }).near, { isolation: 'freeze' })
})

t.test('options: each contradiction is refused by name', async (t) => {
  const url = 'redis://a'
  const nodes = [{ host: 'a' }]
  const client = makeClient(t)
  const contradictions: [RedisCacheOptions, string][] = [
    [{ client, url }, 'client'],
    [{ client, nodes: nodes as [] }, 'client'],
    [{ client, protocol: 2 }, 'protocol'],
    [{ client: makeClient(t, { keyPrefix: 'own:' }) }, 'client'],
    [{ mode: 'cluster', url, nodes: nodes as [] }, 'nodes'],
    [{ url: [url, url] }, 'mode'],
    [{ url: `${url},${url}` }, 'mode'],
    [{ nodes: nodes as [] }, 'mode'],
    [{ sentinelName: 'main' }, 'sentinelName'],
    [{ mode: 'cluster', sentinelName: 'main' }, 'sentinelName'],
    [{ mode: 'cluster', db: 1 }, 'db'],
    [{ mode: 'cluster', connections: 2 }, 'connections'],
    [{ near: true, consistency: 'strong' }, 'near'],
    [{ near: { maxEntries: 5 }, consistency: 'strong' }, 'near'],
    [{ near: { isolation: 'freeze' }, serializer: { serialize: String, deserialize: String } }, 'near'],
    [{ near: { isolation: 'freeze' }, serializer: 'rich' }, 'near'],
    [{ heartbeatMs: 501 }, 'heartbeatMs'],
    [{ heartbeatMs: 100, heartbeatTimeoutMs: 199 }, 'heartbeatMs'],
    [{ keyPrefix: '{' }, 'keyPrefix'],
    [{ keyPrefix: '{}app:' }, 'keyPrefix'],
    // The keys of these prefixes could equal tokens, entries or locks of a cache with the prefix "app:".
    [{ keyPrefix: 'app:t:' }, 'keyPrefix'],
    [{ keyPrefix: 'app:t:sub:' }, 'keyPrefix'],
    [{ keyPrefix: '{app}:e:' }, 'keyPrefix'],
    [{ keyPrefix: 'my:app:l:x:' }, 'keyPrefix']
  ]
  for (const [options, name] of contradictions) refuses(t, options, name)
  for (const options of [
    { client }, { mode: 'cluster', url: [url, url] }, { mode: 'cluster', nodes }, { mode: 'sentinel', url, sentinelName: 'main', db: 1 },
    { heartbeatMs: 100, heartbeatTimeoutMs: 200 }, { keyPrefix: '{app}:' }, { keyPrefix: 'app}:' }, { keyPrefix: 'app:sub:' }, { keyPrefix: 't:' }, { keyPrefix: 'app:t' }, { keyPrefix: 'app:tt:e' }, { mode: 'cluster', db: 0 }
  ]) t.type(resolveRedisOptions(options), 'object')
})

t.test('options: a client must be an ioredis client', async (t) => {
  for (const client of [{}, null, 'client', 5, { duplicate () {} }, () => {}]) refuses(t, { client }, 'client')
})

t.test('options: wrong types, values out of bounds and unknown names are refused', async (t) => {
  const wrong: Record<string, unknown[]> = {
    url: [5, '', 'localhost', 'http://a', [], ['redis://a', 5], null],
    mode: ['Single', 1, null],
    nodes: [[], {}, [{}], [{ host: '' }], [{ host: 'a', port: 0 }], [{ host: 'a', port: 65_536 }], [{ host: 'a', name: 'b' }]],
    db: [-1, 1.5, '0'],
    tls: ['yes', 1],
    connections: [0, 65, 1.5],
    protocol: [1, 4, '2', null],
    keyPrefix: ['', 'p'.repeat(65), 5],
    defaultTtl: [0, -1, Infinity, NaN, '60', 30 * 24 * 3600 + 1],
    commandTimeoutMs: [0, 600_001, '5', NaN],
    socketTimeoutMs: [0],
    connectTimeoutMs: [-1],
    consistency: ['eventual'],
    waitReplicas: [-1, 17, 0.5],
    maxTags: [0, 1.5],
    serializer: [{}, 'xml', { serialize () {} }],
    compression: ['zip', {}, { id: 200, compress () {} }],
    compressAboveBytes: [-1, 1.5],
    maxValueBytes: [0, 2 ** 30],
    breaker: [{ errorRate: 0 }, { errorRate: 1.1 }, { minimumCalls: 0 }, { probeMs: 0 }, { unknown: 1 }, 5],
    maxQueuedInvalidations: [0],
    healthCheckMs: [0],
    onInvalidated: ['no', {}],
    unknown: [1]
  }
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) refuses(t, { mode: name === 'nodes' ? 'cluster' : 'single', [name]: value }, name)
  }
})

t.test('options: a compression of one\'s own has an id of one byte that is not taken', async (t) => {
  const compression = { compress: async (bytes: Uint8Array) => bytes, decompress: async (bytes: Uint8Array) => bytes }
  for (const id of [0, 256, -1, 1.5, NaN, undefined, '200', 1, 2]) refuses(t, { compression: { ...compression, id } }, 'compression')
  t.type(resolveRedisOptions({ compression: { ...compression, id: 128 } }), 'object')
})

t.test('options: a user name that is no string is not shown', async (t) => {
  for (const name of ['username', 'sentinelUsername']) {
    t.throws(() => resolveRedisOptions({ [name]: 4711 }), { code: 'CACHE_ERR_OPTION_INVALID', message: `Option "${name}" is invalid: got a number, allowed is string` })
  }
})

t.test('options: no message holds a secret', async (t) => {
  const secret = 'hunter2'
  for (const options of [
    { url: `http://user:${secret}@host` },
    { url: ['redis://a', `user:${secret}@host`] },
    { url: [`redis://user:${secret}@a`, `redis://user:${secret}@b`] },
    { url: `redis://user:${secret}@a`, nodes: [{ host: 'a' }] },
    { password: [secret] },
    { password: { value: secret } },
    { username: [secret] },
    { tls: secret },
    { sentinelTls: secret },
    { nodes: secret },
    { nodes: [secret] },
    { nodes: [`user:${secret}`], mode: 'cluster' },
    { sentinelPassword: [secret] },
    { nodes: [{ host: 'a', password: secret }], mode: 'cluster' },
    { unknown: secret }
  ]) {
    try {
      resolveRedisOptions(options)
      t.fail('accepted')
    } catch (error) {
      t.equal((error as { code: string }).code, 'CACHE_ERR_OPTION_INVALID')
      t.notMatch(String((error as Error).stack), secret, JSON.stringify(options))
    }
  }
})

t.test('options: the mode follows from the client, whichever class made it', async (t) => {
  const cluster = new Cluster(['redis://host'], { lazyConnect: true })
  t.teardown(() => cluster.disconnect())
  const ofSentinels = makeClient(t, { name: 'main', sentinels: [{ host: 'host', port: 1 }] })
  const foreign = { isCluster: true, options: {}, duplicate () {}, sendCommand () {}, defineCommand () {} } as unknown as Cluster
  for (const [client, mode] of [[cluster, 'cluster'], [foreign, 'cluster'], [ofSentinels, 'sentinel'], [makeClient(t), 'single']] as const) {
    t.equal(resolveRedisOptions({ client }).mode, mode)
    t.equal(resolveRedisOptions({ client, mode }).mode, mode)
    for (const other of ['single', 'cluster', 'sentinel']) if (other !== mode) refuses(t, { client, mode: other }, 'mode')
  }
  refuses(t, { client: foreign, connections: 2 }, 'connections')
})

t.test('options: a client whose own settings break a promise is refused, and options that it would not obey', async (t) => {
  const ofReplicas = new Cluster(['redis://host'], { lazyConnect: true, scaleReads: 'slave' })
  t.teardown(() => ofReplicas.disconnect())
  refuses(t, { client: ofReplicas }, 'client')
  refuses(t, { client: makeClient(t, { stringNumbers: true }) }, 'client')
  const client = makeClient(t)
  for (const beside of [{ username: 'a' }, { password: 'a' }, { db: 1 }, { tls: true }, { natMap: {} }, { sentinelName: 'a' }, { sentinelPassword: 'a' }]) {
    refuses(t, { client, ...beside }, Object.keys(beside)[0]!)
  }
})

t.test('options: what has no effect in a mode is refused there', async (t) => {
  const nodes = [{ host: 'a', servername: 'b' }]
  const lookup = (): void => {}
  for (const [options, name] of [
    [{ sentinelPassword: 'a' }, 'sentinelPassword'], [{ sentinelUsername: 'a' }, 'sentinelUsername'], [{ sentinelTls: true }, 'sentinelTls'],
    [{ natMap: {} }, 'natMap'], [{ dnsLookup: lookup }, 'dnsLookup'], [{ mode: 'sentinel', dnsLookup: lookup }, 'dnsLookup'],
    [{ mode: 'sentinel', nodes, tls: true }, 'nodes'], [{ mode: 'cluster', nodes }, 'nodes'], [{ mode: 'cluster', nodes, tls: false }, 'nodes'],
    [{ mode: 'cluster', natMap: { 'a:1': 'b:2' } }, 'natMap'], [{ mode: 'cluster', natMap: 5 }, 'natMap'], [{ mode: 'cluster', dnsLookup: 'a' }, 'dnsLookup'],
    [{ mode: 'cluster', url: 'redis://a/1' }, 'url'], [{ url: 'redis://a?tls=true' }, 'url']
  ] as const) refuses(t, options, name)
  for (const options of [
    { mode: 'cluster', nodes, tls: true }, { mode: 'cluster', nodes, tls: { ca: 'ca' } }, { mode: 'cluster', natMap: () => null, dnsLookup: lookup },
    { mode: 'sentinel', natMap: { 'a:1': { host: 'b', port: 2, servername: 'c' } }, sentinelTls: false, sentinelPassword: 'a' }
  ]) t.type(resolveRedisOptions(options), 'object')
})

t.test('options: near is off, on with defaults, or has bounds; what is none of that is refused', async (t) => {
  for (const near of [undefined, false] as const) t.equal(resolveRedisOptions({ near, consistency: 'strong' }).near, undefined)
  t.same(resolveRedisOptions({ near: true }).near, { maxEntries: 10_000, maxBytes: 64 * 1024 * 1024, isolation: 'clone' })
  t.same(resolveRedisOptions({ near: {} }).near, resolveRedisOptions({ near: true }).near)
  t.same(resolveRedisOptions({ near: { maxEntries: 5, isolation: 'freeze' } }).near, { maxEntries: 5, maxBytes: 64 * 1024 * 1024, isolation: 'freeze' })
  for (const near of [
    null, 1, 'yes', [], { maxEntries: 0 }, { maxEntries: 1.5 }, { maxEntries: 2 ** 24 + 1 }, { maxEntries: '5' }, { maxBytes: 0 }, { maxBytes: NaN },
    { isolation: 'share' }, { maxTags: 5 }, { maxItems: 5 }
  ]) refuses(t, { near }, 'near')
})
