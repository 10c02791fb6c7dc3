import t from 'tap'
import { as, buildTestApp, openTestDatabase } from './fixtures/app.js'

const database = await openTestDatabase()

t.test('edge: what is public is kept, says so, and is answered 304', async (t) => {
  const app = await buildTestApp(t, database)
  const url = '/api/public/tables/1/records?limit=2'
  const first = await app.inject(url)
  t.match(first.headers, { 'cache-control': 'public, max-age=60, must-revalidate', 'surrogate-key': 'tables records:1', 'cache-status': /fwd=uri-miss/ })
  const second = await app.inject(url)
  t.match(second.headers, { 'cache-status': /hit/, age: '0', etag: first.headers.etag })
  t.equal(second.body, first.body)
  const third = await app.inject({ url, headers: { 'if-none-match': String(first.headers.etag) } })
  t.match(third, { statusCode: 304, body: '' })
})

t.test('edge: a summary may be old while it is counted again', async (t) => {
  const app = await buildTestApp(t, database)
  t.equal((await app.inject('/api/data/tables/1/summary')).headers['cache-control'], 'public, max-age=60, stale-while-revalidate=60, stale-if-error=3600')
})

t.test('edge: what is personal is kept by nobody', async (t) => {
  const app = await buildTestApp(t, database)
  for (const url of ['/api/user', '/api/profile', '/api/notifications']) {
    const response = await as(app, 1)('GET', url)
    t.match(response, { statusCode: 200, headers: { 'cache-control': 'private, no-cache' } }, url)
    t.equal(response.headers['cache-status'], undefined, url)
  }
})

t.test('edge: a write removes every answer that shows it', async (t) => {
  const app = await buildTestApp(t, database)
  const urls = ['/api/public/tables/1/records?limit=1&offset=30', '/api/data/tables/1/summary']
  for (const url of urls) await app.inject(url)
  await app.inject({ method: 'PATCH', url: '/api/records/30', payload: { fields: { stock: 3030 } } })
  const [page] = await Promise.all(urls.map(async (url) => {
    const response = await app.inject(url)
    t.match(response.headers['cache-status'], /fwd/, url)
    return response.json()
  }))
  t.equal(page[0].fields.stock, 3030)
})

t.test('edge: observing keeps nothing', async (t) => {
  const app = await buildTestApp(t, database, { CACHE_IMPL: 'null' })
  for (let times = 0; times < 2; times++) t.match((await app.inject('/api/public/tables')).headers['cache-status'], /fwd=uri-miss/)
})
