import { readFile } from 'node:fs/promises'
import { inspect, parseEnv } from 'node:util'
import t from 'tap'
import { resolveRedisOptions } from '../../../packages/cache-redis/src/resolve-options.js'
import { readEnv } from '../src/env.js'

t.test('readEnv: an empty environment serves on 127.0.0.1:8900, in memory, with the cache disabled', async (t) => {
  const { host, port, logLevel, databaseDir, cache } = readEnv({})
  t.same({ host, port, logLevel, databaseDir }, { host: '127.0.0.1', port: 8900, logLevel: 'info', databaseDir: undefined })
  t.match(cache, { enabled: false, implementation: 'null', memory: { maxEntries: 10_000 } })
})

t.test('readEnv: CACHE_IMPL=memory turns the cache on, CACHE_MAX_ENTRIES bounds it', async (t) => {
  t.match(readEnv({ CACHE_IMPL: 'memory', CACHE_MAX_ENTRIES: '7' }).cache, { enabled: true, implementation: 'memory', memory: { maxEntries: 7 } })
})

t.test('readEnv: a port of 0 means any free port', async (t) => {
  t.equal(readEnv({ PORT: '0' }).port, 0)
})

for (const [name, value] of [
  ['PORT', '80x'], ['PORT', '65536'], ['PORT', '-1'], ['LOG_LEVEL', 'loud'], ['CACHE_MAX_ENTRIES', '0'],
  ['CACHE_MAX_ENTRIES', '1.5'], ['CACHE_IMPL', 'disk'], ['FEATURE_CACHE', 'maybe'], ['FEATURE_OTEL', 'maybe'], ['METRICS_PORT', 'x'],
  ['CACHE_REDIS_URL', 'localhost'], ['REDIS_URL', 'http://localhost'], ['REDIS_MODE', 'ring'], ['REDIS_DEFAULT_TTL', '0'],
  ['CACHE_REDIS_ROLLOUT_PERCENT', '101']
] as const) {
  t.test(`readEnv: ${name}=${value} is refused by name`, async (t) => {
    t.throws(() => readEnv({ FEATURE_OTEL: 'true', [name]: value }), { code: 'CACHE_ERR_ENV_INVALID', message: new RegExp(name) })
  })
}

t.test('readEnv: CACHE_IMPL=redis and FEATURE_CACHE_REDIS=true leave the implementation to @x/cache-redis', async (t) => {
  for (const asked of [{ CACHE_IMPL: 'redis' }, { FEATURE_CACHE_REDIS: 'true' }, { FEATURE_CACHE_REDIS: 'true', CACHE_IMPL: 'memory' }]) {
    const { cache, redis } = readEnv(asked)
    t.equal(cache.enabled, true, JSON.stringify(asked))
    t.equal(cache.implementation, 'redis')
    t.same(redis, { enabled: true })
  }
})

t.test('readEnv: Redis is not asked for by its other variables, and FEATURE_CACHE=false beats all', async (t) => {
  for (const env of [
    { REDIS_URL: 'redis://redis.example' }, { CACHE_IMPL: 'memory', REDIS_URL: 'redis://redis.example' },
    { CACHE_IMPL: 'redis', FEATURE_CACHE: 'false' }, { CACHE_IMPL: 'redis', FEATURE_CACHE_REDIS: 'false' }
  ]) t.equal(readEnv(env).redis.enabled, false, JSON.stringify(env))
})

t.test('readEnv: the variables of Redis become its options, the rollout those of the core, too', async (t) => {
  const rollout = { percent: 10, allow: ['record', 'table'] }
  const { cache, redis } = readEnv({
    CACHE_IMPL: 'redis',
    CACHE_REDIS_URL: 'redis://10.0.0.1:7000, redis://10.0.0.2:7000',
    REDIS_URL: 'redis://not.this.one',
    REDIS_MODE: 'cluster',
    REDIS_KEY_PREFIX: 'app:',
    REDIS_DEFAULT_TTL: '60',
    CACHE_REDIS_ROLLOUT_PERCENT: '10',
    CACHE_PATTERN_WHITELIST: 'record,table'
  })
  const url = ['redis://10.0.0.1:7000', 'redis://10.0.0.2:7000']
  t.same(redis, { enabled: true, url, mode: 'cluster', keyPrefix: 'app:', defaultTtl: 60, rollout })
  t.same(cache.rollout, rollout)
})

t.test('readEnv: a URL that does not parse is refused without its password', async (t) => {
  for (const url of ['http://user:hunter2@host', 'redis://user:hunter2@host:port', 'redis://user:hunter2,@host']) {
    const error = t.throws(() => readEnv({ CACHE_IMPL: 'redis', CACHE_REDIS_URL: url }), { code: 'CACHE_ERR_ENV_INVALID', message: /CACHE_REDIS_URL/ }) as Error
    t.notMatch(inspect(error, { showHidden: true }), 'hunter2', url)
  }
})

t.test('.env.example: each line shows a default that parses', async (t) => {
  const example = await readFile(new URL('../.env.example', import.meta.url), 'utf8')
  const defaults = parseEnv(example.replaceAll(/^#(?=[A-Z_]+=)/gm, ''))
  t.ok(Object.keys(defaults).length > 8)
  const { cache, redis, metrics, ...server } = readEnv(defaults)
  const { cache: cacheOf, redis: redisOf, metrics: metricsOf, ...serverOf } = readEnv({})
  t.same(server, serverOf)
  t.match(cache, cacheOf)
  t.match(redis, redisOf)
  const { enabled, rollout, url, ...shown } = redis
  t.match(resolveRedisOptions({}), shown, 'the package has the same defaults')
  t.match(metrics, metricsOf)
})

t.test('readEnv: reads the variables of .env.example and of the table in README.md, and no others', async (t) => {
  const read = new Set<string>()
  // With a host the port of the database is read, too.
  readEnv(new Proxy<Record<string, string>>({ DATABASE_HOST: '127.0.0.1' }, {
    get: (env, name: string) => {
      read.add(name)
      return env[name]
    }
  }))
  // The plugins read this one from the process, since it opens the status page.
  const names = [...read, 'NODE_ENV'].sort()
  const example = await readFile(new URL('../.env.example', import.meta.url), 'utf8')
  t.same([...example.matchAll(/^#([A-Z_]+)=/gm)].map(([, name]) => name!).sort(), names)
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  const variables = [...readme.matchAll(/^\| (`[A-Z_]+`[^|]*)\|/gm)].flatMap(([, cell]) => [...cell!.matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name!))
  t.same(variables.sort(), names)
})
