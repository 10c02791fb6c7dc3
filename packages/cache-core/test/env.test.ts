import { cacheOptionsFromEnv, EnvReader, type Env } from '@x/cache-core'
import { readCacheEnv } from '@x/cache-core/suite'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { resolveCoreOptions } from '../src/fastify/options.js'
import { anyCharacter } from '@x/test-kit/texts'

/** Checks that reading a variable fails, and that the message has the name of the variable, its value and the allowed values. */
function refuses (t: Test, read: () => unknown, name: string, got: string, allowed: RegExp): void {
  t.throws(read, { code: 'CACHE_ERR_ENV_INVALID' })
  try {
    read()
  } catch (error) {
    const { message } = error as Error
    t.ok(message.includes(name) && message.includes(JSON.stringify(got)), message)
    t.match(message, allowed)
  }
}

t.test('readCacheEnv: without a variable the cache is disabled', async (t) => {
  t.same(readCacheEnv({}), { enabled: false, implementation: 'null' })
  t.same(readCacheEnv({ FEATURE_CACHE: '', CACHE_IMPL: '  ' }), { enabled: false, implementation: 'null' })
})

t.test('readCacheEnv: CACHE_IMPL chooses, and enables', async (t) => {
  for (const implementation of ['null', 'memory', 'redis']) {
    t.same(readCacheEnv({ CACHE_IMPL: implementation }), { enabled: true, implementation })
  }
  t.same(readCacheEnv({ CACHE_IMPL: ' memory ' }), { enabled: true, implementation: 'memory' })
})

t.test('readCacheEnv: FEATURE_CACHE alone observes', async (t) => {
  t.same(readCacheEnv({ FEATURE_CACHE: 'true' }), { enabled: true, implementation: 'null' })
})

t.test('readCacheEnv: FEATURE_CACHE=false beats all', async (t) => {
  for (const off of ['false', '0']) {
    for (const CACHE_IMPL of ['null', 'memory', 'redis']) {
      for (const FEATURE_CACHE_REDIS of ['true', 'false', '1', '0', undefined]) {
        t.same(readCacheEnv({ FEATURE_CACHE: off, CACHE_IMPL, FEATURE_CACHE_REDIS }), { enabled: false, implementation: 'null' })
      }
    }
  }
})

t.test('readCacheEnv: FEATURE_CACHE_REDIS unset follows CACHE_IMPL, false forces NullCache, true means Redis', async (t) => {
  const of = (FEATURE_CACHE_REDIS: string | undefined, CACHE_IMPL?: string): string => {
    return readCacheEnv({ FEATURE_CACHE: 'true', FEATURE_CACHE_REDIS, CACHE_IMPL }).implementation
  }
  t.same(['null', 'memory', 'redis'].map((impl) => of(undefined, impl)), ['null', 'memory', 'redis'])
  t.same(['null', 'memory', 'redis'].map((impl) => of('false', impl)), ['null', 'null', 'null'])
  t.same(['null', 'memory', 'redis'].map((impl) => of('true', impl)), ['redis', 'redis', 'redis'])
  t.same([of('1'), of('0'), of(undefined)], ['redis', 'null', 'null'])
  t.same(readCacheEnv({ FEATURE_CACHE_REDIS: 'true' }), { enabled: true, implementation: 'redis' })
})

t.test('readCacheEnv: a broken value names the variable, what it got, and what it takes', async (t) => {
  for (const got of ['yes', 'TRUE', 'on', '2', 'null']) {
    refuses(t, () => readCacheEnv({ FEATURE_CACHE: got }), 'FEATURE_CACHE', got, /true, false, 1, 0/)
    refuses(t, () => readCacheEnv({ FEATURE_CACHE_REDIS: got }), 'FEATURE_CACHE_REDIS', got, /true, false, 1, 0/)
  }
  for (const got of ['Redis', 'none', 'memory,redis', 'memcached']) {
    refuses(t, () => readCacheEnv({ CACHE_IMPL: got }), 'CACHE_IMPL', got, /null, memory, redis/)
  }
  refuses(t, () => readCacheEnv({ FEATURE_CACHE: 'false', CACHE_IMPL: 'x' }), 'CACHE_IMPL', 'x', /null, memory, redis/)
})

t.test('cacheOptionsFromEnv: are options that the plugin takes', async (t) => {
  const some: Env[] = [
    {}, { FEATURE_CACHE: 'true' }, { CACHE_IMPL: 'memory' }, { FEATURE_CACHE: 'false', CACHE_IMPL: 'memory' },
    { CACHE_IMPL: 'redis', CACHE_REDIS_ROLLOUT_PERCENT: '12.5', CACHE_PATTERN_WHITELIST: 'user, table' }
  ]
  for (const env of some) t.same(resolveCoreOptions(cacheOptionsFromEnv(env)), cacheOptionsFromEnv(env))
})

t.test('cacheOptionsFromEnv: the implementation, and the switch', async (t) => {
  t.same(cacheOptionsFromEnv({}), { enabled: false, implementation: 'null' })
  t.same(cacheOptionsFromEnv({ CACHE_IMPL: 'memory' }), { enabled: true, implementation: 'memory' })
  t.same(cacheOptionsFromEnv({ FEATURE_CACHE: '0', CACHE_IMPL: 'redis' }), { enabled: false, implementation: 'null' })
})

t.test('cacheOptionsFromEnv: says that the implementation is Redis, which another package brings', async (t) => {
  t.same(cacheOptionsFromEnv({ CACHE_IMPL: 'redis' }), { enabled: true, implementation: 'redis' })
  t.same(cacheOptionsFromEnv({ FEATURE_CACHE_REDIS: 'true', CACHE_IMPL: 'memory' }), { enabled: true, implementation: 'redis' })
})

t.test('CACHE_PATTERN_WHITELIST: a list separated by commas', async (t) => {
  const allowOf = (value: string): unknown => cacheOptionsFromEnv({ CACHE_IMPL: 'memory', CACHE_PATTERN_WHITELIST: value }).rollout?.allow
  t.same(allowOf('user'), ['user'])
  t.same(allowOf(' user , table-rows,*'), ['user', 'table-rows', '*'])
  t.equal(allowOf(' '), undefined)
  for (const got of ['user,', ',user', 'user,,table', ',', 'x'.repeat(65)]) {
    refuses(t, () => allowOf(got), 'CACHE_PATTERN_WHITELIST', got, /separated by commas/)
  }
})

t.test('CACHE_PATTERN_WHITELIST: a pattern that no key could match is refused', async (t) => {
  for (const got of ['user:*', 'user*', 'a b', '12345', '550e8400-e29b-41d4-a716-446655440000', 'ä']) {
    refuses(t, () => cacheOptionsFromEnv({ CACHE_PATTERN_WHITELIST: `table,${got}` }), 'CACHE_PATTERN_WHITELIST', got, /a letter/)
  }
})

t.test('CACHE_REDIS_ROLLOUT_PERCENT: a number from 0 to 100, for Redis alone', async (t) => {
  const percentOf = (value: string, impl = 'redis'): unknown => {
    return cacheOptionsFromEnv({ CACHE_IMPL: impl, CACHE_REDIS_ROLLOUT_PERCENT: value }).rollout?.percent
  }
  t.same(['0', '100', '12.5', '+5', ' 7 '].map((value) => percentOf(value)), [0, 100, 12.5, 5, 7])
  t.equal(percentOf(''), undefined)
  t.equal(percentOf('10', 'memory'), undefined)
  for (const got of ['-1', '101', '100.01', 'NaN', 'Infinity', '1e1', '0x10', '10%', '1,5', '.5', '5.', 'ten']) {
    refuses(t, () => percentOf(got), 'CACHE_REDIS_ROLLOUT_PERCENT', got, /a number from 0 to 100/)
    refuses(t, () => percentOf(got, 'memory'), 'CACHE_REDIS_ROLLOUT_PERCENT', got, /a number from 0 to 100/)
  }
})

t.test('cacheOptionsFromEnv, readCacheEnv: read process.env unless they are given another', async (t) => {
  const { CACHE_IMPL } = process.env
  t.teardown(() => {
    if (CACHE_IMPL === undefined) delete process.env.CACHE_IMPL
    else process.env.CACHE_IMPL = CACHE_IMPL
  })
  process.env.CACHE_IMPL = 'memory'
  t.equal(readCacheEnv().implementation, 'memory')
  t.equal(cacheOptionsFromEnv().implementation, 'memory')
  t.equal(new EnvReader().text('CACHE_IMPL'), 'memory')
})

t.test('EnvReader.number: whole numbers, where they are asked for', async (t) => {
  const port = (value: string): unknown => new EnvReader({ PORT: value }).number('PORT', { min: 0, max: 65535, integer: true })
  t.same(['0', '8900', '65535'].map(port), [0, 8900, 65535])
  t.equal(new EnvReader({}).number('PORT', { min: 0, max: 1 }), undefined)
  for (const got of ['65536', '80.5', '-1', 'http']) refuses(t, () => port(got), 'PORT', got, /a whole number from 0 to 65535/)
})

t.test('EnvReader: parses, or throws CACHE_ERR_ENV_INVALID, whatever the value', async () => {
  fc.assert(fc.property(fc.string({ unit: anyCharacter }), (value) => {
    for (const name of ['FEATURE_CACHE', 'CACHE_IMPL', 'FEATURE_CACHE_REDIS', 'CACHE_PATTERN_WHITELIST', 'CACHE_REDIS_ROLLOUT_PERCENT']) {
      try {
        resolveCoreOptions(cacheOptionsFromEnv({ CACHE_IMPL: 'redis', [name]: value }))
      } catch (error) {
        if ((error as { code?: string }).code !== 'CACHE_ERR_ENV_INVALID') return false
      }
    }
    return true
  }))
})
