import t from 'tap'
import type { Cache } from '@x/cache-core'
import { err, ok, unavailable } from '@x/cache-core/implementing'
import { as, buildTestApp, openTestDatabase } from './fixtures/app.js'

const database = await openTestDatabase()
type App = Awaited<ReturnType<typeof buildTestApp>>

const totals = (app: App) => {
  const { hits, misses } = app.cache.registry.status().recentStats
  return [hits, misses]
}

const withoutTags = (): Cache => ({ get: async () => ok(null), set: async () => ok(), del: async () => ok() })

t.test('memory: the second read is a hit with the same body', async (t) => {
  const app = await buildTestApp(t, database)
  for (const url of [
    '/api/tables', '/api/tables/1', '/api/tables/1/records?limit=3', '/api/records/1', '/api/users/1', '/api/users/1/permissions',
    '/api/public/tables', '/api/public/tables/1/records?limit=3', '/api/data/tables/1/summary'
  ]) {
    const [hits, misses] = totals(app)
    const first = await app.inject({ url })
    const second = await app.inject({ url })
    t.equal(first.body, second.body, url)
    // The edge looks up the stored response before the handler reads the value, and finds it on the second read.
    const isKept = /^\/api\/(public|data)\//.test(url)
    t.same(totals(app), [hits! + 1, misses! + (isKept ? 2 : 1)], url)
  }
})

t.test('memory: a write makes the next read of all that shows it new', async (t) => {
  const app = await buildTestApp(t, database)
  const read = async (url: string) => (await app.inject({ url })).json()
  const urls = ['/api/records/23000', '/api/tables/1/records?limit=1&offset=23000', '/api/public/tables/1/records?limit=1&offset=23000', '/api/data/tables/1/summary']
  const before = await Promise.all(urls.map(read))

  await app.inject({ method: 'PATCH', url: '/api/records/23000', payload: { fields: { stock: 2323 } } })
  const [record, page, publicPage, summary] = await Promise.all(urls.map(read))
  t.equal(record.fields.stock, 2323)
  t.equal(page[0].fields.stock, 2323)
  t.equal(publicPage[0].fields.stock, 2323)
  t.not(summary.lastChange, before[3].lastChange)

  await app.inject({ method: 'POST', url: '/api/tables/1/records', payload: { fields: { name: 'One more' } } })
  t.equal((await read('/api/data/tables/1/summary')).recordCount, summary.recordCount + 1)
  await app.inject({ method: 'DELETE', url: '/api/records/23000' })
  t.equal((await read('/api/records/23000')).statusCode, 404)
  t.equal((await read('/api/data/tables/1/summary')).recordCount, summary.recordCount)
})

t.test('memory: a write leaves other records and other tables cached', async (t) => {
  const app = await buildTestApp(t, database)
  for (const url of ['/api/records/30', '/api/tables/2/records']) await app.inject({ url })
  await app.inject({ method: 'PATCH', url: '/api/records/31', payload: { fields: { stock: 1 } } })
  const [hits] = totals(app)
  for (const url of ['/api/records/30', '/api/tables/2/records']) await app.inject({ url })
  t.equal(totals(app)[0], hits! + 2)
})

t.test('memory: personal answers are never those of another user', async (t) => {
  const app = await buildTestApp(t, database)
  for (const url of ['/api/user', '/api/profile']) {
    for (const [id, name] of [[1, 'Ada'], [2, 'Grace'], [1, 'Ada'], [2, 'Grace']] as const) {
      t.equal((await as(app, id)('GET', url)).json().name, name, `${url} as ${id}`)
    }
  }
})

t.test('memory: an unknown id is asked for again, a 404 is not cached', async (t) => {
  const app = await buildTestApp(t, database)
  for (let times = 0; times < 2; times++) t.equal((await app.inject({ url: '/api/records/88888888' })).statusCode, 404)
  t.same(totals(app), [0, 2])
})

t.test('null: every read is a miss, and the app answers all the same', async (t) => {
  const app = await buildTestApp(t, database, { CACHE_IMPL: 'null' })
  for (let times = 0; times < 3; times++) t.equal((await app.inject({ url: '/api/records/1' })).statusCode, 200)
  t.same(totals(app), [0, 3])
  t.match((await app.inject({ url: '/internal/cache' })).json(), { enabled: false, implName: 'NullCache', recentStats: { misses: 3, hitRate: 0 } })
})

t.test('a write that the cache did not hear of holds, and is reported', async (t) => {
  const lines: { msg: string; tags?: string[]; err?: { code: string } }[] = []
  const app = await buildTestApp(t, database, {}, { level: 'error', stream: { write: (line: string) => { lines.push(JSON.parse(line)) } } })
  app.cache.registry.register(withoutTags(), 'WithoutTags')
  const response = await app.inject({ method: 'PATCH', url: '/api/records/40', payload: { fields: { stock: 4040 } } })
  t.equal(response.statusCode, 200)
  t.equal((await app.inject({ url: '/api/records/40' })).json().fields.stock, 4040)
  t.match(lines.filter(({ tags }) => tags !== undefined), [{ tags: ['record:40', 'records:1'], err: { code: 'CACHE_ERR_UNSUPPORTED' } }])
})

t.test('GET /health: a cache that fails makes it degraded, a database that fails 503', async (t) => {
  const app = await buildTestApp(t, database)
  t.equal((await app.inject({ url: '/health' })).json().status, 'ok')
  app.cache.registry.register({ ...withoutTags(), health: async () => err(unavailable('health')) }, 'Failing')
  t.match((await app.inject({ url: '/health' })).json(), { status: 'degraded', database: 'ok', cache: 'CACHE_ERR_UNAVAILABLE' })

  const broken = { query: async () => { throw new Error('gone') } } as unknown as typeof database
  const down = await buildTestApp(t, broken)
  const response = await down.inject({ url: '/health' })
  t.equal(response.statusCode, 503)
  t.same(response.json(), { status: 'down', database: 'down', cache: 'ok' })
})
