import { redisOptionsFromEnv } from '@x/cache-redis'
import t from 'tap'
import { resolveRedisOptions } from '../src/resolve-options.js'

const REDIS = { CACHE_IMPL: 'redis' }

t.test('env: Redis is enabled where it is asked for, and FEATURE_CACHE beats all', async (t) => {
  for (const [env, enabled] of [
    [{}, false],
    [{ CACHE_REDIS_URL: 'redis://a' }, false],
    [REDIS, true],
    [{ CACHE_IMPL: 'memory' }, false],
    [{ FEATURE_CACHE_REDIS: 'true' }, true],
    [{ ...REDIS, FEATURE_CACHE_REDIS: 'false' }, false],
    [{ ...REDIS, FEATURE_CACHE: 'true' }, true],
    [{ ...REDIS, FEATURE_CACHE: 'false' }, false],
    [{ FEATURE_CACHE_REDIS: 'true', FEATURE_CACHE: 'false' }, false],
    [{ FEATURE_CACHE: 'true' }, false]
  ] as const) {
    t.strictSame(redisOptionsFromEnv(env), { enabled, ...'CACHE_REDIS_URL' in env ? { url: 'redis://a' } : {} }, JSON.stringify(env))
  }
})

t.test('env: CACHE_REDIS_URL beats REDIS_URL', async (t) => {
  t.equal(redisOptionsFromEnv({ REDIS_URL: 'redis://a' }).url, 'redis://a')
  t.equal(redisOptionsFromEnv({ REDIS_URL: 'redis://a', CACHE_REDIS_URL: 'rediss://b' }).url, 'rediss://b')
  t.equal(redisOptionsFromEnv({ REDIS_URL: 'redis://a', CACHE_REDIS_URL: ' ' }).url, 'redis://a', 'an empty one is not set')
  t.equal(redisOptionsFromEnv({ REDIS_URL: 'not looked at', CACHE_REDIS_URL: 'redis://b' }).url, 'redis://b')
})

t.test('env: several URLs are separated by commas', async (t) => {
  t.strictSame(redisOptionsFromEnv({ REDIS_URL: 'redis://a:1, redis://b:2,rediss://c' }).url, ['redis://a:1', 'redis://b:2', 'rediss://c'])
})

t.test('env: each variable becomes its option, and the plugin takes them', async (t) => {
  const { enabled, rollout, ...options } = redisOptionsFromEnv({
    ...REDIS,
    REDIS_URL: 'redis://a,redis://b',
    REDIS_MODE: 'sentinel',
    REDIS_KEY_PREFIX: 'app:',
    REDIS_DEFAULT_TTL: '60.5',
    CACHE_REDIS_ROLLOUT_PERCENT: '12.5',
    CACHE_PATTERN_WHITELIST: 'user, post'
  })
  t.equal(enabled, true)
  t.strictSame(rollout, { allow: ['user', 'post'], percent: 12.5 })
  t.strictSame(options, { url: ['redis://a', 'redis://b'], mode: 'sentinel', keyPrefix: 'app:', defaultTtl: 60.5 })
  t.match(resolveRedisOptions(options), options)
  for (const mode of ['single', 'cluster', 'sentinel']) t.equal(redisOptionsFromEnv({ REDIS_MODE: mode }).mode, mode)
})

t.test('env: a value that does not parse names the variable', async (t) => {
  for (const [name, ...values] of [
    ['REDIS_URL', 'localhost:6379', 'http://a', 'redis://a,', 'redis://a,b', 'redis://['],
    ['CACHE_REDIS_URL', 'localhost'],
    ['REDIS_MODE', 'standalone', 'Cluster'],
    ['REDIS_DEFAULT_TTL', '0', '-1', 'soon', '1e3', 'Infinity', '2592001'],
    ['CACHE_REDIS_ROLLOUT_PERCENT', '101', '-1', 'all'],
    ['CACHE_IMPL', 'Redis'],
    ['FEATURE_CACHE', 'yes'],
    ['FEATURE_CACHE_REDIS', 'on']
  ] as const) {
    for (const value of values) {
      t.throws(() => redisOptionsFromEnv({ ...REDIS, [name]: value }), { code: 'CACHE_ERR_ENV_INVALID', message: new RegExp(`\\b${name}\\b`) }, `${name}=${value}`)
    }
  }
})

t.test('env: a broken URL is never shown', async (t) => {
  for (const url of ['http://user:hunter2@host', 'user:hunter2@host', 'redis://ok,redis://user:hunter2@[host']) {
    try {
      redisOptionsFromEnv({ REDIS_URL: url })
      t.fail('accepted')
    } catch (error) {
      t.notMatch((error as Error).stack, 'hunter2')
    }
  }
})

t.test('redisOptionsFromEnv: CACHE_PATTERNS are the options of key patterns, and wrong ones are CACHE_ERR_ENV_INVALID', async (t) => {
  t.same(redisOptionsFromEnv({ CACHE_IMPL: 'redis', CACHE_PATTERNS: '{"user":{"ttl":5}}' }).patterns, { user: { ttl: 5 } })
  t.notOk('patterns' in redisOptionsFromEnv({ CACHE_IMPL: 'redis' }))
  t.throws(() => redisOptionsFromEnv({ CACHE_PATTERNS: '{"user":{"tll":5}}' }), { code: 'CACHE_ERR_ENV_INVALID', message: /CACHE_PATTERNS/ })
})
