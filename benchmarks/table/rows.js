// The rows of `table.js`: two operations that are compared, the wanted ratio, and the packages of others that a row needs. A row with
// `atMost` compares costs; a row with `atLeast` compares calls per second. A row with neither member has no wanted ratio, and only shows a
// rival. `tolerance` is that of `comparePairs`, if it differs from the default.
const app = (name, args, path, more = {}) => ({ file: 'app-kind', row: 'app kind', calls: 1500, context: { app: name, args, path }, ...more })
const conditional = (side) => ({ ...side, context: { ...side.context, isConditional: true } })

const http = (kind) => app('http', [kind], '/rows')
const rivalHttp = (kind) => app('http-rivals', [kind], '/rows')
const proxy = (kind) => ({ file: 'proxy', row: 'proxy', context: { kind } })
const observed = (kind, source) => {
  const side = app('observed', [kind, source], '/users/1', { calls: source === 'map' ? 1500 : 400 })
  return { ...side, context: { ...side.context, isMixed: true } }
}
const canary = (isOn, beside) => ({ file: 'canary', row: 'canary: idle', context: { canary: isOn, beside } })
/** The wanted ratio is as near to 1 as the interval of other rows is wide, so these rows need a narrower one. */
const idleCanary = (name, beside) => ({ name, one: canary(true, beside), other: canary(false, beside), atMost: 1.02, tolerance: 0.005 })

const observation = [...['map', 'PostgreSQL'].flatMap((source) => [
  { name: `core + metrics on NullCache / app without, ${source}`, one: observed('with', source), other: observed('without', source), atMost: 1.03 },
  { name: `the same with the advisor / app without, ${source}`, one: observed('advised', source), other: observed('without', source), atMost: 1.05 }
]), { name: 'advisor / without advisor, map', one: observed('advised', 'map'), other: observed('with', 'map'), atMost: 1.05 }]

/** Makes the rows of a stored response, or of its 304, against constants. The constants for a 304 are other kinds of the server. */
function responses (name, of, constant) {
  const stored = (kind) => of(http(kind))
  return [
    { name: `${name} / constant`, one: stored('cached'), other: of(http(constant('constant'))), atMost: 1.10 },
    { name: `${name}, early by hook / constant`, one: stored('early-hook'), other: of(http(constant('constant'))), atMost: 0.95 },
    { name: `${name}, early by server / constant`, one: stored('early-server'), other: of(http(constant('constant'))), atMost: 0.95 },
    { name: `${name}, early by hook / node:http`, one: stored('early-hook'), other: of(http(constant('node'))), atMost: 1.10 },
    { name: `${name}, early by server / node:http`, one: stored('early-server'), other: of(http(constant('node'))), atMost: 1.10 },
    { name: `${name} / @fastify/caching + @fastify/etag`, one: stored('cached'), other: of(rivalHttp('caching')), needs: ['@fastify/caching'] },
    { name: `${name}, early by server / nginx`, one: stored('early-server'), other: of(proxy('nginx')) },
    { name: `${name}, early by server / Varnish`, one: stored('early-server'), other: of(proxy('varnish')) }
  ]
}

const overHttp = [
  ...responses('stored response', (side) => side, (kind) => kind),
  // There is no row for a 304, since undici's cache answers no conditional request with a 304.
  { name: "stored response / undici's cache in front", one: http('cached'), other: rivalHttp('undici'), needs: ['undici-8'], minNode: [22, 19] },
  { name: 'stored response / plain Fastify, 50 rows', one: http('cached'), other: http('plain') },
  { name: 'node:http / constant', one: http('node'), other: http('constant') },
  ...responses('304', conditional, (kind) => `${kind}304`),
  idleCanary('an idle canary / without'),
  idleCanary('an idle canary / without, app with hooks', 'hooks'),
  idleCanary('an idle canary / without, app with metrics', 'metrics')
]

const store = (name, calls, more = {}, row = 'get') => ({ file: 'stores', row, calls, context: { store: name, ...more } })
const perSecond = (side) => ({ ...side, figure: 'wall' })
/**
 * The number of calls of a turn, so that a turn takes a similar time for each store. BentoCache has fewer calls, since it asks Redis for
 * each tag of an entry.
 */
const callsOf = { redis: [1500, 4000], ioredis: [1500, 4000], bentoRedis: [1000, 2000] }
function redis (name, lanes, isTagged = false) {
  const calls = callsOf[name][lanes === 1 ? 0 : 1]
  return perSecond(store(name, name === 'bentoRedis' && isTagged ? calls / 4 : calls, { lanes, isTagged }))
}

const onRedis = [1, 64].flatMap((lanes) => [
  { name: `Redis get, ${lanes} in flight / ioredis get + parse`, one: redis('redis', lanes), other: redis('ioredis', lanes), atLeast: lanes === 1 ? 0.97 : undefined, needsRedis: true },
  { name: `Redis get, two tags, ${lanes} in flight / ioredis`, one: redis('redis', lanes, true), other: redis('ioredis', lanes), atLeast: lanes === 64 ? 1.5 : undefined, needsRedis: true },
  { name: `Redis get, ${lanes} in flight / BentoCache`, one: redis('redis', lanes), other: redis('bentoRedis', lanes), needsRedis: true },
  { name: `Redis get, two tags, ${lanes} in flight / BentoCache`, one: redis('redis', lanes, true), other: redis('bentoRedis', lanes, true), atLeast: lanes === 1 ? 6 : 15, needsRedis: true }
])

const inMemory = [
  { name: 'memory get, freeze / lru-cache', one: store('memory', 50_000), other: store('lru', 100_000) },
  { name: 'memory getOrSet hit, freeze / lru-cache', one: store('memory', 50_000, {}, 'getOrSet'), other: store('lru', 100_000), atMost: 1.5 },
  { name: 'memory get, two tags, freeze / lru-cache', one: store('memory', 50_000, { isTagged: true }), other: store('lru', 100_000, { isTagged: true }) },
  { name: 'memory get, clone / BentoCache, serialising', one: store('memory', 20_000, { isolation: 'clone' }), other: store('bentoMemory', 5000, { serialize: true }) },
  { name: 'memory get, freeze / BentoCache', one: store('memory', 50_000), other: store('bentoMemory', 5000) },
  { name: 'memory get, two tags, freeze / BentoCache', one: store('memory', 50_000, { isTagged: true }), other: store('bentoMemory', 5000, { isTagged: true }) },
  { name: 'memory getOrSet hit, freeze / BentoCache', one: store('memory', 50_000, {}, 'getOrSet'), other: store('bentoMemory', 5000, {}, 'getOrSet') },
  { name: 'memory get, clone / cache-manager + cacheable', one: store('memory', 20_000, { isolation: 'clone' }), other: store('cacheManager', 5000), needs: ['cache-manager', 'cacheable'] },
  { name: 'memory get, clone / cacheable', one: store('memory', 20_000, { isolation: 'clone' }), other: store('cacheable', 5000), needs: ['cacheable'] },
  { name: 'memory getOrSet hit, freeze / async-cache-dedupe', one: store('memory', 50_000, {}, 'getOrSet'), other: store('dedupe', 10_000, {}, 'getOrSet'), needs: ['async-cache-dedupe'] },
  { name: 'near get, freeze / memory get, freeze', one: store('near', 50_000), other: store('memory', 50_000), atMost: 1.5, needsRedis: true },
  { name: 'near get, freeze / BentoCache, two tiers', one: store('near', 50_000), other: store('bentoRedis', 5000, { isTwoTiers: true }), needsRedis: true },
  { name: 'near get, two tags / BentoCache, two tiers, two tags', one: store('near', 50_000, { isTagged: true }), other: store('bentoRedis', 5000, { isTwoTiers: true, isTagged: true }), needsRedis: true }
]

const heap = (row) => ({ file: 'heap', row })
const textMap = heap('Map of JSON texts')
const heaps = ['clone', 'freeze'].flatMap((isolation) => [
  { name: `heap per entry, untagged, ${isolation} / Map of JSON texts`, one: heap(`heap per entry: untagged, ${isolation}`), other: textMap, atMost: 1.15 },
  { name: `heap per entry, two tags, ${isolation} / Map of JSON texts`, one: heap(`heap per entry: two tags, ${isolation}`), other: textMap, atMost: 1.5 }
])
const counts = [
  { name: 'heap per entry, untagged, clone / BentoCache', one: heap('heap per entry: untagged, clone'), other: heap('BentoCache: untagged') },
  { name: 'heap per entry, two tags, clone / BentoCache', one: heap('heap per entry: two tags, clone'), other: heap('BentoCache: two tags') },
  { name: 'advisor: bytes per key pattern', once: { file: 'once', row: 'advisor: bytes per key pattern' }, atMost: 100_000, figureOf: (bytes) => bytes, show: (bytes) => `${Math.round(bytes / 1000)} kB` },
  { name: 'idle process on a Cluster of three: commands/s and node', once: { file: 'once', row: 'idle process' }, atMost: 1, figureOf: ({ commands }) => commands, show: (each) => each.toFixed(2) },
  { name: 'idle process on a Cluster of three: new connections/s and node', once: { file: 'once', row: 'idle process' }, atMost: 0, figureOf: ({ connections }) => connections, show: (each) => each.toFixed(2) }
]

/** All rows, in the order of the table. */
export const rows = [...observation, ...overHttp, ...onRedis, ...inMemory, ...heaps, ...counts]
