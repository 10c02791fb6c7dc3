import { cacheCore, cacheOptionsFromEnv, type CacheCoreOptions } from '@x/cache-core'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { cacheRedis, redisOptionsFromEnv, type CacheRedisOptions } from '../src/index.js'

// No server listens at this address, since these mistakes are reported whether Redis can be reached or not.
const url = 'redis://127.0.0.1:1'
type Registration = ['core', CacheCoreOptions] | ['redis', CacheRedisOptions]

async function start (t: Test, registrations: Registration[]): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  for (const [name, options] of registrations) {
    if (name === 'core') await app.register(cacheCore, options)
    else await app.register(cacheRedis, { url, ...options })
  }
  await app.ready()
  return app
}

const core = (options: CacheCoreOptions): Registration => ['core', options]
const redis = (options: CacheRedisOptions = {}): Registration => ['redis', options]

const clashes: [what: string, code: string, ...registrations: Registration[]][] = [
  ['cacheRedis, then implementation "memory"', 'CACHE_ERR_IMPLEMENTATION_CLASH', redis(), core({ implementation: 'memory' })],
  ['implementation "memory", then cacheRedis', 'CACHE_ERR_IMPLEMENTATION_CLASH', core({ implementation: 'memory' }), redis()],
  ['implementation "null", then cacheRedis', 'CACHE_ERR_IMPLEMENTATION_CLASH', core({ implementation: 'null' }), redis()],
  ['cacheRedis twice', 'CACHE_ERR_IMPLEMENTATION_CLASH', redis(), redis()],
  ['two different percents', 'CACHE_ERR_OPTION_CLASH', core({ rollout: { percent: 50 } }), redis({ rollout: { percent: 10 } })],
  ['two different percents, cacheRedis first', 'CACHE_ERR_OPTION_CLASH', redis({ rollout: { percent: 10 } }), core({ rollout: { percent: 50 } })],
  ['two different lists of patterns', 'CACHE_ERR_OPTION_CLASH', core({ rollout: { allow: ['a'] } }), redis({ rollout: { allow: ['b'] } })],
  ['two different default ttls', 'CACHE_ERR_OPTION_CLASH', core({ defaultTtl: 60 }), redis({ defaultTtl: 90 })],
  ['a misspelled member of rollout', 'CACHE_ERR_OPTION_INVALID', redis({ rollout: { percnt: 10 } as never })]
]
for (const [what, code, ...registrations] of clashes) {
  t.test(`${what}: ${code}`, async (t) => {
    await t.rejects(start(t, registrations), { code })
  })
}

t.test('rollout of the core and of cacheRedis: members that only one of them names are put together', async (t) => {
  for (const registrations of [
    [core({ rollout: { allow: ['user'] } }), redis({ rollout: { percent: 10 } })],
    [redis({ rollout: { percent: 10 } }), core({ rollout: { allow: ['user'] } })]
  ]) {
    const { rollout } = (await start(t, registrations)).cache.registry
    t.equal(rollout.percent, 10)
    t.same(rollout.allow, ['user'])
  }
})

t.test('the options of one environment go together, in either order', async (t) => {
  const env = { CACHE_IMPL: 'redis', CACHE_REDIS_URL: url, CACHE_REDIS_ROLLOUT_PERCENT: '10', CACHE_PATTERN_WHITELIST: 'user' }
  const both = [core(cacheOptionsFromEnv(env)), redis(redisOptionsFromEnv(env))]
  for (const registrations of [both, both.toReversed()]) {
    const app = await start(t, registrations)
    t.equal(app.cache.registry.active.implName, 'RedisCache')
    t.equal(app.cache.registry.rollout.percent, 10)
  }
})

t.test('cacheRedis that is switched off beside another implementation: fine', async (t) => {
  const app = await start(t, [core({ implementation: 'memory' }), redis({ enabled: false })])
  t.equal(app.cache.registry.active.implName, 'MemoryCache')
  await start(t, [core({ implementation: 'redis' }), redis({ enabled: false })])
})

t.test('a misspelt option is refused, also where cacheRedis is switched off', async (t) => {
  for (const options of [{ enabled: false }, { enabled: true }]) {
    await t.rejects(start(t, [core({ implementation: 'redis' }), redis({ ...options, urll: url } as never)]), { code: 'CACHE_ERR_OPTION_INVALID', message: /urll.*unknown option/ })
  }
  await start(t, [core({ implementation: 'redis' }), redis({ enabled: false, urll: undefined } as never)])
  await start(t, [redis({ enabled: false, patterns: {}, rollout: { percent: 5 }, prefix: '/x', logLevel: 'warn' } as never)])
})
