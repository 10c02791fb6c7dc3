import { CacheRegistry, MemoryCache } from '@x/cache-core'
import { resolveOptions } from '@x/cache-core/suite'
import t from 'tap'
import { Type } from 'typebox'
import { resolveCoreOptions } from '../src/fastify/options.js'

function refusal (raw: object): string {
  try {
    resolveCoreOptions(raw)
  } catch (error) {
    if ((error as { code?: string }).code !== 'CACHE_ERR_OPTION_INVALID') throw error
    return (error as Error).message
  }
  return 'taken'
}

const fn = (): void => {}
const item = { key: 'user:1', loader: fn }

t.test('resolveCoreOptions: takes every option there is', async (t) => {
  const options = {
    enabled: true,
    implementation: 'memory' as const,
    memory: { maxEntries: 1, maxBytes: 1, isolation: 'freeze' as const, maxTags: 1 },
    registry: new CacheRegistry(),
    defaultTtl: 0.5,
    readTimeoutMs: 1,
    writeTimeoutMs: 600_000,
    keyPattern: () => 'x',
    maxKeyPatterns: 1000,
    rollout: { percent: 12.5, allow: ['user', '*', 'other'], salt: '', key: () => 'x' },
    warm: { items: [{ ...item, options: { ttl: 5 } }], concurrency: 1 },
    personal: ['/api/user'],
    expose: false,
    guard: fn,
    clock: performance
  }
  t.same(resolveCoreOptions(options), options)
  t.same(resolveCoreOptions({}), {})
})

t.test('implementation: a name, a cache, or what makes one', async (t) => {
  const cache = new MemoryCache()
  for (const implementation of ['null', 'memory', cache, () => cache, async () => cache]) {
    t.equal(resolveCoreOptions({ implementation }).implementation, implementation)
  }
})

const wrong: [object, path: string, allowed: RegExp][] = [
  [{ enabled: 'true' }, 'enabled', /boolean/],
  [{ enabled: null }, 'enabled', /boolean/],
  [{ implementation: 'valkey' }, 'implementation', /"null", "memory", "redis", a cache or a function/],
  [{ implementation: 5 }, 'implementation', /"null", "memory"/],
  [{ memory: [] }, 'memory', /object/],
  [{ memory: null }, 'memory', /object/],
  [{ memory: { maxEntries: 0 } }, 'memory.maxEntries', /1/],
  [{ memory: { maxEntries: 1.5 } }, 'memory.maxEntries', /a whole number/],
  [{ memory: { maxEntries: 2 ** 24 + 1 } }, 'memory.maxEntries', /16777216/],
  [{ memory: { maxBytes: '64mb' } }, 'memory.maxBytes', /a whole number/],
  [{ memory: { maxBytes: Infinity } }, 'memory.maxBytes', /a whole number/],
  [{ memory: { isolation: 'copy' } }, 'memory.isolation', /"clone" or "freeze"/],
  [{ memory: { maxTags: -1 } }, 'memory.maxTags', /1/],
  [{ registry: {} }, 'registry', /a CacheRegistry/],
  [{ registry: 'shared' }, 'registry', /a CacheRegistry/],
  [{ defaultTtl: 0 }, 'defaultTtl', /0/],
  [{ defaultTtl: NaN }, 'defaultTtl', /number/],
  [{ defaultTtl: Infinity }, 'defaultTtl', /number/],
  [{ defaultTtl: '60' }, 'defaultTtl', /number/],
  [{ defaultTtl: 30 * 24 * 3600 + 1 }, 'defaultTtl', /2592000/],
  [{ readTimeoutMs: 0 }, 'readTimeoutMs', /1/],
  [{ readTimeoutMs: -5 }, 'readTimeoutMs', /1/],
  [{ writeTimeoutMs: 600_001 }, 'writeTimeoutMs', /600000/],
  [{ keyPattern: 'user' }, 'keyPattern', /a function of the key/],
  [{ keyPattern: /user/ }, 'keyPattern', /a function of the key/],
  [{ maxKeyPatterns: 0 }, 'maxKeyPatterns', /1/],
  [{ maxKeyPatterns: 1001 }, 'maxKeyPatterns', /1000/],
  [{ rollout: 10 }, 'rollout', /object/],
  [{ rollout: { percent: 101 } }, 'rollout.percent', /100/],
  [{ rollout: { percent: -0.1 } }, 'rollout.percent', /0/],
  [{ rollout: { percent: '10' } }, 'rollout.percent', /number/],
  [{ rollout: { allow: 'user' } }, 'rollout.allow', /array/],
  [{ rollout: { allow: ['user', ''] } }, 'rollout.allow.1', /a letter/],
  [{ rollout: { allow: ['user:*'] } }, 'rollout.allow.0', /a letter/],
  [{ rollout: { allow: ['12345'] } }, 'rollout.allow.0', /no id/],
  [{ rollout: { salt: 5 } }, 'rollout.salt', /string/],
  [{ rollout: { key: 'id' } }, 'rollout.key', /a function of the request/],
  [{ warm: [item] }, 'warm', /object/],
  [{ warm: {} }, 'warm', /items/],
  [{ warm: { items: [{ key: 'a' }] } }, 'warm.items.0', /loader/],
  [{ warm: { items: [item, { key: '', loader: fn }] } }, 'warm.items.1.key', /1/],
  [{ warm: { items: [{ key: 'a', loader: 'b' }] } }, 'warm.items.0.loader', /a function/],
  [{ warm: { items: [], concurrency: 0 } }, 'warm.concurrency', /1/],
  [{ personal: '/api/user' }, 'personal', /array/],
  [{ personal: ['/api', 'user'] }, 'personal.1', /\^\//],
  [{ expose: 1 }, 'expose', /boolean/],
  [{ guard: {} }, 'guard', /an onRequest hook/],
  [{ clock: {} }, 'clock', /now\(\)/],
  [{ clock: Date.now }, 'clock', /now\(\)/]
]

for (const [raw, path, allowed] of wrong) {
  const [name, value] = Object.entries(raw)[0]!
  t.test(`${name}: refuses ${JSON.stringify(value) ?? String(value)}, and names ${path}`, async (t) => {
    const message = refusal(raw)
    t.ok(message.includes(`"${path}"`), message)
    t.match(message.split('allowed is ')[1], allowed)
  })
}

t.test('resolveCoreOptions: an unknown option is named, and so are those that there are', async (t) => {
  t.match(refusal({ implementaton: 'memory' }), /"implementaton".*unknown option.*implementation, memory/)
  t.match(refusal({ memory: { maxEntry: 5 } }), /"memory\.maxEntry".*maxEntries, maxBytes, isolation, maxTags/)
  t.match(refusal({ warm: { items: [{ ...item, ttl: 5 }] } }), /"warm\.items\.0\.ttl".*key, loader, options/)
  t.match(refusal({ rollout: { percents: 5 } }), /"rollout\.percents".*percent, allow, salt, .*key/)
})

t.test('resolveCoreOptions: says what it got', async (t) => {
  const got = (raw: object): string => refusal(raw).replace(/.*: got (.*), allowed is .*/, '$1')
  t.equal(got({ readTimeoutMs: 0 }), '0')
  t.equal(got({ defaultTtl: NaN }), 'NaN')
  t.equal(got({ enabled: 'yes' }), '"yes"')
  t.equal(got({ enabled: null }), 'null')
  t.equal(got({ enabled: [] }), 'an array')
  t.equal(got({ enabled: fn }), 'a value of type function')
})

t.test('resolveOptions: secrets are not shown', async (t) => {
  const schema = Type.Object({ url: Type.Number(), password: Type.String({ minLength: 10 }), auth: Type.Object({ token: Type.Number() }) })
  const good = { url: 1, password: 'x'.repeat(10), auth: { token: 1 } }
  const bad = [
    { ...good, url: 'redis://:hunter2@host' }, { ...good, url: 'redis://hunter2' }, { ...good, url: `hunter2${'x'.repeat(40)}` },
    { ...good, password: 'hunter2' }, { ...good, auth: { token: 'hunter2' } }
  ]
  for (const raw of bad) {
    t.throws(() => resolveOptions(schema, raw), { code: 'CACHE_ERR_OPTION_INVALID' })
    t.throws(() => resolveOptions(schema, raw), { message: /^(?!.*hunter2)/s })
  }
})

t.test('resolveOptions: drops the keys that Fastify adds', async (t) => {
  t.same(resolveCoreOptions({ prefix: '/api', logLevel: 'warn', logSerializers: {}, enabled: false }), { enabled: false })
})

t.test('resolveOptions: what is undefined counts as not given, at any depth', async (t) => {
  const options = resolveCoreOptions({ enabled: undefined, memory: { maxEntries: undefined, maxBytes: 5 }, rollout: undefined })
  t.same(options, { memory: { maxBytes: 5 } })
  t.same(Object.keys(options.memory!), ['maxBytes'])
})

const withDefaults = Type.Object({
  count: Type.Number({ default: 5 }),
  nested: Type.Object({ deep: Type.Number({ default: 1 }) }, { additionalProperties: false, default: {} }),
  list: Type.Optional(Type.Array(Type.Object({ size: Type.Number({ default: 7 }) }, { additionalProperties: false }))),
  either: Type.Optional(Type.Union([Type.Boolean(), Type.Object({ on: Type.Number({ default: 3 }) }, { additionalProperties: false })]))
}, { additionalProperties: false })

t.test('resolveOptions: fills defaults in, at any depth', async (t) => {
  t.same(resolveOptions(withDefaults, {}), { count: 5, nested: { deep: 1 } })
  t.same(resolveOptions(withDefaults, { nested: {}, list: [{}, { size: 1 }], either: {} }), {
    count: 5, nested: { deep: 1 }, list: [{ size: 7 }, { size: 1 }], either: { on: 3 }
  })
})

t.test('resolveOptions: leaves the raw object alone, at any depth; it may be frozen', async (t) => {
  const raw = { nested: {}, list: [{}], either: {} }
  resolveOptions(withDefaults, raw)
  t.same(raw, { nested: {}, list: [{}], either: {} })
  const frozen = Object.freeze({ nested: Object.freeze({}), list: Object.freeze([Object.freeze({})]) })
  t.match(resolveOptions(withDefaults, frozen), { nested: { deep: 1 }, list: [{ size: 7 }] })
})

t.test('resolveOptions: defaults of one call are not those of the next', async (t) => {
  const one = resolveOptions(withDefaults, {})
  one.nested.deep = 99
  t.equal(resolveOptions(withDefaults, {}).nested.deep, 1)
})

t.test('resolveOptions: live objects stay themselves, plain ones, too', async (t) => {
  const clock = { time: 0, now () { return this.time } }
  const cache = { get: fn, set: fn, del: fn }
  const options = resolveCoreOptions({ clock, implementation: cache })
  t.equal(options.clock, clock)
  t.equal(options.implementation, cache)
})

t.test('resolveOptions: a name like __proto__ is an unknown option, not a prototype', async (t) => {
  t.match(refusal(JSON.parse('{"__proto__":{"enabled":false}}')), /"__proto__".*unknown/)
  t.match(refusal(JSON.parse('{"memory":{"__proto__":{"maxEntries":1}}}')), /"memory\.__proto__".*unknown/)
  t.match(refusal({ constructor: 5 }), /"constructor".*unknown/)
})

t.test('resolveOptions: inherited options do not count', async (t) => {
  t.same(resolveCoreOptions(Object.create({ enabled: 'no boolean' })), {})
})

t.test('resolveOptions: a misspelt option of a key to warm ends the start, not only its load', async (t) => {
  const item = { key: 'user:1', loader: fn }
  t.match(refusal({ warm: { items: [item, { ...item, options: { tll: 5 } }] } }), /warm\.items\.1\.options.*"tll"/)
  t.doesNotThrow(() => resolveCoreOptions({ warm: { items: [{ ...item, options: { ttl: 5, tags: ['a'] } }, item] } }))
})
