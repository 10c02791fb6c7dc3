import { readFile } from 'node:fs/promises'
import { parseEnv } from 'node:util'
import t from 'tap'
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
  ['CACHE_MAX_ENTRIES', '1.5'], ['CACHE_IMPL', 'disk'], ['FEATURE_CACHE', 'maybe'], ['FEATURE_OTEL', 'maybe'], ['METRICS_PORT', 'x']
] as const) {
  t.test(`readEnv: ${name}=${value} is refused by name`, async (t) => {
    t.throws(() => readEnv({ FEATURE_OTEL: 'true', [name]: value }), { code: 'CACHE_ERR_ENV_INVALID', message: new RegExp(name) })
  })
}

t.test('readEnv: Redis is refused in one sentence that names the package', async (t) => {
  const refusal = { code: 'APP_ERR_ENV_REDIS', message: /@x\/cache-redis/ }
  t.throws(() => readEnv({ CACHE_IMPL: 'redis' }), refusal)
  t.throws(() => readEnv({ FEATURE_CACHE_REDIS: 'true' }), refusal)
  t.doesNotThrow(() => readEnv({ FEATURE_CACHE: 'false', CACHE_IMPL: 'redis' }), 'FEATURE_CACHE=false beats all')
})

t.test('.env.example: each line shows a default that parses', async (t) => {
  const example = await readFile(new URL('../.env.example', import.meta.url), 'utf8')
  const defaults = parseEnv(example.replaceAll(/^#(?=[A-Z_]+=)/gm, ''))
  t.ok(Object.keys(defaults).length > 8)
  const { cache, metrics, ...server } = readEnv(defaults)
  const { cache: cacheOf, metrics: metricsOf, ...serverOf } = readEnv({})
  t.same(server, serverOf)
  t.match(cache, cacheOf)
  t.match(metrics, metricsOf)
})
