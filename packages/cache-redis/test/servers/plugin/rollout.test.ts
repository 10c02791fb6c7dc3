import { coreOf } from '@x/cache-core'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { cacheRedis, type CacheRedisOptions } from '../../../src/index.js'
import { bareApp } from '@x/test-kit/build-app'
import { countsOf } from '@x/test-kit/make-client'
import { QUICK } from '../../fixtures/apps.js'
import { valueOf } from '../../fixtures/caches.js'
import { RedisServer } from '@x/test-kit/redis-server'

const server = await RedisServer.start()
t.teardown(() => server.close())

const USERS = Array.from({ length: 30 }, (_, at) => `user-${at}`)

/** Starts an app whose requests name a user, a key, and the operation on the key. */
async function startApp (t: Test, rollout: CacheRedisOptions['rollout']): Promise<FastifyInstance> {
  await server.cli('FLUSHALL')
  const app = bareApp(t)
  await app.register(cacheRedis, { ...QUICK, connectTimeoutMs: 60_000, url: server.url, rollout })
  app.decorateRequest('user', undefined as never)
  app.addHook('onRequest', async (request) => { Object.assign(request, { user: { id: request.headers['x-user'] } }) })
  app.get<{ Params: { key: string } }>('/load/:key', async ({ cache, params }) => ({
    value: await cache.getOrSet(params.key, async () => 'loaded', { tags: [`tag:${params.key}`] })
  }))
  app.get<{ Params: { key: string } }>('/store/:key', async ({ cache, params }) => cache.set(params.key, 'stored'))
  app.get<{ Params: { key: string } }>('/del/:key', async ({ cache, params }) => cache.del(params.key))
  app.get<{ Params: { key: string } }>('/invalidate/:key', async ({ cache, params }) => cache.tags.invalidate(`tag:${params.key}`))
  app.get('/clear', async ({ cache }) => cache.clear())
  app.get('/arm', async (request) => {
    void request.cache
    return { arm: coreOf(app)!.armOf(request) }
  })
  await app.ready()
  return app
}

async function ask (app: FastifyInstance, user: string, url: string): Promise<any> {
  return (await app.inject({ url, headers: { 'x-user': user } })).json()
}

/** Returns the cache keys of all entries in Redis. */
async function entries (): Promise<string[]> {
  const names = (await server.cli('KEYS', 'cache:e:*')).split('\n').filter((name) => name !== '')
  return names.map((name) => name.replace(/^cache:e:[^:]*:/, '')).sort()
}

t.test('rollout: at percent 0 nothing is written to Redis, and the counters say null', async (t) => {
  const app = await startApp(t, { percent: 0 })
  for (const user of USERS) {
    t.same(await ask(app, user, `/load/item:${user}`), { value: 'loaded' })
    t.match(await ask(app, user, `/store/item:${user}`), { ok: true })
  }
  t.equal(await server.cli('DBSIZE'), '0')
  t.match(countsOf(app.cache.registry, 'null'), { hits: 0, misses: USERS.length, sets: 2 * USERS.length })
  t.match(countsOf(app.cache.registry, 'redis'), { hits: 0, misses: 0, sets: 0 })
})

t.test('rollout: the subjects that are in, and only they, write to Redis and read from it', async (t) => {
  const app = await startApp(t, { percent: 50 })
  const { registry } = app.cache
  const insiders = USERS.filter((user) => registry.rollout.includes(user))
  t.ok(insiders.length > 0 && insiders.length < USERS.length, `${insiders.length} of ${USERS.length} are in`)
  for (let round = 0; round < 2; round++) {
    for (const user of USERS) {
      t.same(await ask(app, user, `/load/item:${user}`), { value: 'loaded' })
      t.same(await ask(app, user, '/arm'), { arm: insiders.includes(user) ? 'cached' : 'control' })
    }
  }
  t.same(await entries(), insiders.map((user) => `item:${user}`).sort())
  const outside = USERS.length - insiders.length
  t.match(countsOf(registry, 'redis'), { hits: insiders.length, misses: insiders.length, sets: insiders.length })
  t.match(countsOf(registry, 'null'), { hits: 0, misses: 2 * outside })
})

t.test('rollout: patterns that are not allowed stay on NullCache for everybody', async (t) => {
  const app = await startApp(t, { percent: 100, allow: ['user', 'table'] })
  const { registry } = app.cache
  for (const user of USERS.slice(0, 3)) {
    for (const key of ['user:1', 'table:1', 'post:1']) await ask(app, user, `/load/${key}`)
  }
  t.same(await entries(), ['table:1', 'user:1'])
  t.equal(await server.cli('KEYS', 'cache:t:tag:post:*'), '', 'nor is a token made')
  const hits = (label: string, pattern: string): number | undefined => registry.stats.for(label).counters.get(pattern)?.hits
  t.same([hits('redis', 'user'), hits('redis', 'table'), hits('redis', 'post')], [2, 2, undefined])
  t.equal(registry.stats.for('null').counters.get('post')?.misses, 3)
  t.equal(registry.stats.for('null').counters.get('user'), undefined)
})

t.test('rollout: removals of requests outside reach Redis', async (t) => {
  const app = await startApp(t, { percent: 50 })
  const { registry } = app.cache
  const insider = USERS.find((user) => registry.rollout.includes(user))!
  const outsider = USERS.find((user) => !registry.rollout.includes(user))!
  for (const [url, left] of [['/del/a:1', ['a:2', 'b:1']], ['/invalidate/a:2', ['a:1', 'b:1']], ['/clear', []]] as const) {
    for (const key of ['a:1', 'a:2', 'b:1']) await ask(app, insider, `/load/${key}`)
    t.match(await ask(app, outsider, url), { ok: true }, url)
    const found: string[] = []
    for (const key of ['a:1', 'a:2', 'b:1']) if (valueOf(await registry.current.get(key)) !== null) found.push(key)
    t.same(found, left, `what ${url} has left`)
  }
  registry.rollout.percent = 0
  for (const [at, user] of [insider, outsider].entries()) {
    valueOf(await registry.current.set('a:1', 'stored'))
    t.match(await ask(app, user, at === 0 ? '/del/a:1' : '/clear'), { ok: true })
    t.equal(valueOf(await registry.current.get('a:1')), null, 'also at percent 0')
  }
})

t.test('rollout: the percent changes at run time, up only adds subjects, and 0 ends what is written', async (t) => {
  const app = await startApp(t, { percent: 0 })
  const { rollout } = app.cache.registry
  let before: string[] = []
  for (const percent of [0, 20, 60, 100]) {
    rollout.percent = percent
    for (const user of USERS) await ask(app, user, `/load/item:${user}`)
    const written = await entries()
    t.same(written, USERS.filter((user) => rollout.includes(user)).map((user) => `item:${user}`).sort(), `${percent} %`)
    t.ok(before.every((key) => written.includes(key)))
    before = written
  }
  t.equal(before.length, USERS.length)
  rollout.percent = 0
  t.match(await ask(app, USERS[0]!, '/clear'), { ok: true })
  await server.cli('FLUSHALL')
  for (const user of USERS) await ask(app, user, `/load/item:${user}`)
  t.same(await entries(), [])
  t.throws(() => { rollout.percent = 101 }, { code: 'CACHE_ERR_OPTION_INVALID' })
  t.equal(rollout.percent, 0)
})
