import cacheCore, { CacheRegistry, coreOf, MemoryCache, type Cache } from '@x/cache-core'
import { CacheClient } from '@x/cache-core/suite'
import Fastify, { type FastifyBaseLogger } from 'fastify'
import t, { type Test } from 'tap'
import { buildApp, bareApp, type LogLine } from '@x/test-kit/build-app'
import { settle } from '@x/test-kit/deferred'
import { fakeTimers } from '@x/test-kit/fake-timers'
import { ThreeMethodCache } from '@x/test-kit/foreign-caches'
import { errorsOf, makeClient } from '@x/test-kit/make-client'
import { runScript } from '@x/test-kit/run-script'

// Functions of an app may throw, reject or hang. An unhandled rejection would end this process, and the test would fail.
const bug = new Error('bug')
const throwing = (): never => { throw bug }
const rejecting = (): any => Promise.reject(bug)
const hanging = (): any => new Promise(() => {})
const faults = { throws: throwing, rejects: rejecting, hangs: hanging }

for (const [how, fault] of Object.entries(faults)) {
  t.test(`getOrSet: a ttl or tags function that ${how} leaves the caller its value, not stored, and is counted`, async (t) => {
    const { client, registry, impl } = makeClient()
    t.equal(await client.getOrSet('user:1', () => 1, { ttl: fault }), 1)
    t.equal(await client.getOrSet('user:2', () => 2, { tags: fault, coveringTags: ['users'] }), 2)
    t.equal(await client.namespace('app').getOrSet('user:3', () => 3, { tags: fault, coveringTags: ['users'] }), 3)
    await settle()
    t.same(errorsOf(registry, registry.active.stats.label), { ttl_invalid: 1, tag_invalid: 2 })
    for (const key of ['user:1', 'user:2', 'app:user:3']) t.match(await impl.get(key), { value: null })
  })

  t.test(`keyPattern: a function that ${how} costs the label alone, and is said once`, async (t) => {
    const registry = new CacheRegistry({ keyPattern: fault })
    registry.register(new MemoryCache())
    const client = new CacheClient(registry)
    const failed: unknown[] = []
    registry.events.on('failed', (impl, operation, error) => { failed.push([impl, operation, error.code]) })
    for (const key of ['user:1', 'user:2']) t.equal(await client.getOrSet(key, () => key), key)
    await settle()
    t.same(failed, [['null', 'keyPattern', 'CACHE_ERR_IMPLEMENTATION']])
    t.same([...registry.active.stats.counters.keys()], ['other'])
  })

  t.test(`rollout.key: a function that ${how} leaves the request outside, and is counted`, async (t) => {
    const app = await buildApp(t, { implementation: 'memory', rollout: { percent: 99.99, key: fault } })
    app.get('/', async (request) => {
      await request.cache.getOrSet('user:1', () => 1)
      return coreOf(app)!.armOf(request)
    })
    t.equal((await app.inject('/')).body, 'control')
    t.equal(app.cache.registry.controlStats.errors.get('implementation'), 1)
  })

  t.test(`events.on: a listener that ${how} harms neither the cache nor the other listeners`, async (t) => {
    const { client, registry } = makeClient()
    const reported: unknown[] = []
    registry.events.on('listenerFailed', (event, error) => { reported.push([event, error]) })
    const heard: string[] = []
    registry.events.on('invalidated', fault)
    registry.events.on('invalidated', (tags) => { heard.push(...tags) })
    t.ok((await client.tags.invalidate('a')).ok)
    t.ok((await client.tags.invalidate('b')).ok)
    await settle()
    t.same(heard, ['a', 'b'])
    t.same(reported, how === 'hangs' ? [] : [['invalidated', bug]], 'said once')
  })

  t.test(`status: an implementation whose status ${how} shows none, and is counted`, async (t) => {
    const app = await buildApp(t, { implementation: Object.assign(new ThreeMethodCache(), { status: fault }) })
    await app.ready()
    const { errors } = app.cache.registry.active.stats
    const before = errors.get('implementation') ?? 0
    const response = await app.inject('/internal/cache')
    t.equal(response.statusCode, 200)
    t.match(response.json(), { enabled: true, implName: 'ThreeMethodCache' })
    t.equal(errors.get('implementation'), before + 1)
    await settle()
  })

  t.test(`guard: one that ${how} lets nobody in, and harms no other request`, async (t) => {
    const app = await buildApp(t, { expose: true, guard: fault })
    app.get('/', async () => 'fine')
    const guarded = app.inject('/internal/cache')
    if (how === 'hangs') void guarded
    else t.equal((await guarded).statusCode, 500)
    t.equal((await app.inject('/')).body, 'fine')
  })

  t.test(`warm: a loader that ${how} keeps no app from starting, and no other key cold`, async (t) => {
    const lines: LogLine[] = []
    const app = Fastify({ pluginTimeout: 1000, logger: { level: 'info', stream: { write: (line: string) => { lines.push(JSON.parse(line)) } } } })
    t.teardown(() => app.close())
    const items = [{ key: 'user:1', loader: fault }, { key: 'user:2', loader: () => 2 }]
    await app.register(cacheCore, { implementation: 'memory', warm: { items, concurrency: 2 } })
    await app.ready()
    t.match(await app.cache.get('user:2'), { value: 2 })
    const warnings = lines.filter(({ level }) => level === 40).map(({ msg }) => msg)
    t.match(warnings, [how === 'hangs' ? /^Cache: warming goes on in the background/ : /^Cache: a key could not be warmed/])
  })
}

t.test('close: an implementation whose close hangs keeps no app from closing', async (t) => {
  const { tick } = fakeTimers(t)
  const lines: LogLine[] = []
  const app = bareApp(t, lines)
  await app.register(cacheCore, { implementation: () => Object.assign(new ThreeMethodCache(), { close: hanging }) as Cache })
  await app.ready()
  let isClosed = false
  const closing = app.close().then(() => { isClosed = true })
  for (let waited = 0; !isClosed && waited < 20_000; waited += 1000) await tick(1000)
  t.ok(isClosed)
  await closing
  t.match(lines.at(-1), { level: 40, msg: 'Cache: the implementation could not be closed' })
})

t.test('warm: an item that hangs has failed after 30 s, and its place is free for the next one', async (t) => {
  const { tick } = fakeTimers(t)
  const { client } = makeClient()
  const items = [{ key: 'a', loader: hanging }, { key: 'b', loader: () => 'value' }]
  const warming = client.warm(items, { concurrency: 1 })
  await tick(34_000)
  t.same(await warming, { warmed: 1, failed: 1, skipped: 0 })
  t.match(await client.get('b'), { value: 'value' })
})

t.test('warm: what is no item has failed, and the rest is loaded', async (t) => {
  const { client } = makeClient()
  const items = [null, { key: 'a' }, { key: 'b', loader: () => 'value' }] as any[]
  t.same(await client.warm(items), { warmed: 1, failed: 2, skipped: 0 })
  t.same(await client.namespace('app').warm(items), { warmed: 1, failed: 2, skipped: 0 })
})

/** Makes an app whose logger fails in one way. */
function appWithLogger (t: Test, fault: () => unknown) {
  const log = { fatal: fault, error: fault, warn: fault, info: fault, debug: () => {}, trace: () => {}, silent: () => {}, level: 'info', child: () => log } as unknown as FastifyBaseLogger
  const app = Fastify({ loggerInstance: log, disableRequestLogging: true })
  t.teardown(() => app.close())
  return app
}

for (const [how, fault] of Object.entries(faults)) {
  t.test(`log: a logger that ${how} harms neither the start, nor an operation, nor the process`, async (t) => {
    const { tick } = fakeTimers(t)
    const app = appWithLogger(t, fault)
    await app.register(cacheCore, { implementation: 'memory', warm: { items: [{ key: 'a', loader: throwing }] } })
    await app.ready()
    app.cache.registry.events.on('failed', throwing)
    for (const key of ['', '']) t.match(await app.cache.get(key), { ok: false })
    await tick(60_000)
    t.equal(await app.cache.getOrSet('user:1', () => 1), 1)
  })
}

t.test('listenerFailed: without an app a failing listener is a warning, and does not end the process', async (t) => {
  const source = `
    import { Events } from '@x/cache-core/suite'
    process.on('warning', ({ name, message }) => console.log(name, /bug/.test(message)))
    const events = new Events()
    events.on('rollout', () => { throw new Error('bug') })
    events.on('rollout', async () => { throw new Error('bug') })
    events.emit('rollout', 10)
    events.emit('rollout', 20)`
  t.equal(await runScript(source), 'CacheWarning true\nCacheWarning true\n')
})
