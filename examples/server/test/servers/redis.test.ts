import assert from 'node:assert/strict'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { RedisServer, until } from '@x/test-kit/redis-server'
import { startServer } from '../../src/server-process.js'
import { buildTestApp, openTestDatabase } from '../fixtures/app.js'

t.setTimeout(300_000)

const server = await RedisServer.start()
t.teardown(() => server.close())
const database = await openTestDatabase()
let prefixes = 0

interface Test { teardown (close: () => Promise<unknown>): void }
type Lines = { level: number; msg: string }[]

/** Makes apps that share a database, and a key prefix in Redis that no other test uses. */
function fleet (t: Test): (env?: Record<string, string>, lines?: Lines) => Promise<FastifyInstance> {
  const prefix = `app${++prefixes}:`
  return (env, lines = []) => buildTestApp(t, database,
    { CACHE_IMPL: 'redis', CACHE_REDIS_URL: server.url, REDIS_KEY_PREFIX: prefix, ...env },
    { level: 'info', stream: { write: (line: string) => { lines.push(JSON.parse(line)) } } })
}

const read = async (app: FastifyInstance, url: string) => {
  const response = await app.inject({ url })
  assert.equal(response.statusCode, 200, url)
  return response.json()
}

const write = async (app: FastifyInstance, id: number, stock: number) => {
  const response = await app.inject({ method: 'PATCH', url: `/api/records/${id}`, payload: { fields: { stock } } })
  assert.equal(response.statusCode, 200, `PATCH ${id}`)
}

const stockOf = async (app: FastifyInstance, id: number): Promise<number> => (await read(app, `/api/records/${id}`)).fields.stock
const status = (app: FastifyInstance) => read(app, '/internal/cache')

/** Lua code that returns the keys with a value. During a load a key has a mark of 16 bytes in place of a value. */
const WITH_VALUES = `local names = {}
for _, name in ipairs(redis.call('KEYS', ARGV[1])) do
  if redis.call('STRLEN', name) > 16 then names[#names + 1] = name end
end
return names`

/** Returns the entries in Redis that belong to the newest fleet of apps. */
const entries = async () => (await server.cli('EVAL', WITH_VALUES, '0', `app${prefixes}:e:*`)).split('\n').filter((key) => key !== '')

/** Returns the number of look-ups for one read: one for the value and, if the edge stores responses, one for the response before it. */
const lookups = (url: string): number => /^\/api\/(public|data)\//.test(url) ? 2 : 1

/** Sends a read that misses, and returns its response after the value and the response have been stored. */
const readAndStore = async (app: FastifyInstance, url: string) => {
  const { length } = await entries()
  const answer = await read(app, url)
  await until('it is stored', async () => (await entries()).length >= length + lookups(url))
  return answer
}

t.test('redis: the second read is a hit with the same body, and the log and /internal/cache name Redis', async (t) => {
  for (const env of [{}, { CACHE_IMPL: '', FEATURE_CACHE_REDIS: 'true' }] as Record<string, string>[]) {
    const lines: Lines = []
    const app = await fleet(t)(env, lines)
    for (const url of ['/api/tables', '/api/tables/1/records?limit=3', '/api/records/1', '/api/users/1', '/api/data/tables/1/summary']) {
      const { hits, misses } = (await status(app)).recentStats
      const first = await readAndStore(app, url)
      t.same(await read(app, url), first, url)
      const after = (await status(app)).recentStats
      t.same([after.hits, after.misses], [hits + 1, misses + lookups(url)], url)
    }
    t.match(await status(app), { enabled: true, implName: 'RedisCache', degraded: false, mode: 'single' })
    t.match(await read(app, '/health'), { status: 'ok', cache: 'ok' })
    t.same(lines.map(({ msg }) => msg).filter((msg) => msg.startsWith('Cache: enabled')), ['Cache: enabled (impl: RedisCache)'])
  }
})

t.test('redis: a write makes the next read of the record, its page and the summary new', async (t) => {
  const app = await fleet(t)()
  const urls = ['/api/records/20', '/api/tables/1/records?limit=1&offset=20', '/api/data/tables/1/summary']
  const before = await Promise.all(urls.map((url) => read(app, url)))
  await write(app, 20, 2020)
  const [record, page, summary] = await Promise.all(urls.map((url) => read(app, url)))
  t.equal(record.fields.stock, 2020)
  t.equal(page[0].fields.stock, 2020)
  t.not(summary.lastChange, before[2].lastChange)
})

t.test('redis: two apps share their entries, and each sees what the other invalidated', async (t) => {
  const start = fleet(t)
  const [one, other] = [await start(), await start()]
  await readAndStore(one, '/api/records/30')
  await stockOf(other, 30)
  t.match((await status(other)).recentStats, { hits: 1, misses: 0 })
  for (const [writer, reader, stock] of [[one, other, 3001], [other, one, 3002]] as const) {
    await write(writer, 30, stock)
    await until('the other one reads what was written', async () => await stockOf(reader, 30) === stock)
  }
})

t.test('redis: entries are those of the key patterns that are let in', async (t) => {
  const app = await fleet(t)({ CACHE_PATTERN_WHITELIST: 'record' })
  await read(app, '/api/tables')
  await readAndStore(app, '/api/records/50')
  const [entry, ...more] = await entries()
  t.match(entry, /:record:50$/)
  t.same(more, [])
  t.same((await status(app)).rollout, { percent: 100, allow: ['record'] })
})

t.test('redis: at CACHE_REDIS_ROLLOUT_PERCENT=0 nothing is stored, but a write invalidates what an app at 100 stored', async (t) => {
  const start = fleet(t)
  const out = await start({ CACHE_REDIS_ROLLOUT_PERCENT: '0' })
  for (let times = 0; times < 2; times++) await read(out, '/api/records/40')
  t.same(await entries(), [])
  t.match(await status(out), { implName: 'RedisCache', rollout: { percent: 0 }, recentStats: { hits: 0 } })

  const app = await start()
  await readAndStore(app, '/api/records/40')
  await write(out, 40, 4040)
  await until('the app at 100 reads what was written', async () => await stockOf(app, 40) === 4040)
})

t.test('redis: a server whose database is new reads nothing that Redis kept of the one before', async (t) => {
  const env = { CACHE_REDIS_URL: server.url, CACHE_IMPL: 'redis', REDIS_KEY_PREFIX: `app${++prefixes}:`, DATABASE_DIR: '', LOG_LEVEL: 'error' }
  const app = await buildTestApp(t, database, env)
  await write(app, 60, 6060)
  t.equal((await readAndStore(app, '/api/records/60')).fields.stock, 6060)
  const fresh = await startServer(env)
  t.teardown(() => fresh.stop())
  const { fields } = await (await fetch(`${fresh.url}/api/records/60`)).json() as { fields: { stock: number } }
  t.not(fields.stock, 6060)
  t.equal(await fresh.stop(), 0)
})

t.test('redis: with Redis killed every route answers, writes hold, and it is back without a restart', async (t) => {
  const start = fleet(t)
  const lines: Lines = []
  const app = await start({}, lines)
  await readAndStore(app, '/api/records/70')
  await server.kill()
  const late = await start()
  for (const each of [app, late]) {
    for (const url of ['/api/tables', '/api/records/70', '/api/users/1', '/api/data/tables/1/summary', '/metrics/prom']) {
      t.equal((await each.inject({ url })).statusCode, 200, url)
    }
    await until('enough reads failed', async () => {
      await read(each, '/api/records/70')
      return (await status(each)).degraded
    })
    t.match(await status(each), { implName: 'NullCache', degraded: true })
    t.match(await read(each, '/health'), { status: 'degraded', database: 'ok', cache: 'CACHE_ERR_UNAVAILABLE' })
  }
  await write(app, 70, 7070)
  t.equal(await stockOf(app, 70), 7070)
  t.ok((await status(app)).queuedInvalidations > 0)

  await server.start()
  for (const each of [app, late]) {
    await until('Redis is in service again', async () => !(await status(each)).degraded)
    t.equal(await stockOf(each, 70), 7070)
  }
  t.match(await status(app), { implName: 'RedisCache', queuedInvalidations: 0 })
  t.equal(lines.filter(({ msg }) => /out of service/.test(msg)).length, 1)
})
