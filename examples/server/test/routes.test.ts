import t from 'tap'
import { buildTestApp, openTestDatabase } from './fixtures/app.js'

const database = await openTestDatabase()
const app = await buildTestApp(t, database)
const get = async (url: string) => app.inject({ url })

t.test('GET of anything unknown is 404 with a code', async (t) => {
  for (const url of [
    '/api/tables/99', '/api/tables/99/records', '/api/records/99999999', '/api/users/99', '/api/users/99/permissions',
    '/api/public/tables/99/records', '/api/data/tables/99/summary', '/approvals/99'
  ]) {
    const response = await get(url)
    t.match(response.json(), { statusCode: 404, code: 'APP_ERR_NOT_FOUND', error: 'Not Found' }, url)
    t.equal(response.statusCode, 404, url)
  }
})

t.test('GET with an id or a page that is none is 400, not an error of the database', async (t) => {
  for (const url of [
    '/api/records/abc', '/api/records/-1', '/api/records/1.5', '/api/records/2147483648', '/api/tables/1/records?limit=0',
    '/api/tables/1/records?limit=201', '/api/tables/1/records?offset=-1', '/api/records/%00'
  ]) {
    t.match((await get(url)).json(), { statusCode: 400, code: 'FST_ERR_VALIDATION' }, url)
  }
})

t.test('GET /api/records/:id: every product of the trace has a row', async (t) => {
  for (const id of [0, 1, 20_483, 24_999]) t.match((await get(`/api/records/${id}`)).json(), { id, tableId: 1, fields: { name: `Product ${id}` } })
})

t.test('GET /api/tables/:id/records: pages neither overlap nor leave gaps', async (t) => {
  const ids = async (query: string) => (await get(`/api/tables/2/records?${query}`)).json().map(({ id }: { id: number }) => id)
  t.same([...await ids('limit=20'), ...await ids('limit=20&offset=20'), ...await ids('limit=20&offset=40')],
    Array.from({ length: 50 }, (_, n) => 25_000 + n))
  t.same(await ids('offset=50'), [])
})

t.test('GET /api/public/tables/:id/records: a table that is not public is unknown', async (t) => {
  t.equal((await get('/api/public/tables/1/records?limit=1')).statusCode, 200)
  t.equal((await get('/api/public/tables/3/records?limit=1')).statusCode, 404)
})

t.test('personal routes: 401 without a user, or with a header that is no id', async (t) => {
  for (const url of ['/api/user', '/api/profile', '/api/notifications']) {
    t.match((await get(url)).json(), { statusCode: 401, code: 'APP_ERR_USER_REQUIRED' })
    for (const id of ['0', '-1', 'ada', '1 OR 1=1', '']) {
      t.equal((await app.inject({ url, headers: { 'x-user-id': id } })).statusCode, 401, `${url} as "${id}"`)
    }
  }
})

t.test('PATCH /api/records/:id: changes the cells that are named, keeps their types, counts the version', async (t) => {
  const before = (await get('/api/records/12')).json()
  const response = await app.inject({ method: 'PATCH', url: '/api/records/12', payload: { fields: { stock: 5, note: '5', sold: true, gone: null } } })
  t.match(response.json(), { version: before.version + 1, fields: { ...before.fields, stock: 5, note: '5', sold: true, gone: null } })
})

t.test('PATCH and POST: fields that are no cells are 400', async (t) => {
  for (const payload of [{}, { fields: {} }, { fields: { a: {} } }, { fields: { a: [1] } }, { fields: { 'a\nb': {} } }, { fields: [] }, [], { fields: { a: '\u0000' } }]) {
    const text = JSON.stringify(payload)
    t.equal((await app.inject({ method: 'PATCH', url: '/api/records/13', payload })).statusCode, 400, text)
    t.equal((await app.inject({ method: 'POST', url: '/api/tables/1/records', payload })).statusCode, 400, text)
  }
})

t.test('POST /api/tables/:id/records: 201 with a location that answers; 404 for an unknown table', async (t) => {
  const payload = { fields: { name: 'Lamp' } }
  const created = await app.inject({ method: 'POST', url: '/api/tables/2/records', payload })
  t.equal(created.statusCode, 201)
  t.match((await get(String(created.headers.location))).json(), { tableId: 2, fields: { name: 'Lamp' }, version: 1 })
  t.equal((await app.inject({ method: 'POST', url: '/api/tables/99/records', payload })).statusCode, 404)
})

t.test('DELETE /api/records/:id: 204, then 404', async (t) => {
  const remove = () => app.inject({ method: 'DELETE', url: '/api/records/24000' })
  t.equal((await remove()).statusCode, 204)
  t.equal((await remove()).statusCode, 404)
})

t.test('GET /: links to the console, which a browser gets', async (t) => {
  const home = await get('/')
  t.match(home.headers['content-type'], /^text\/html/)
  const [, link] = /<a href="(internal\/cache)">/.exec(home.body)!
  const page = await app.inject({ url: `/${link}`, headers: { accept: 'text/html' } })
  t.match(page.body, /<title>Cache console<\/title>/)
})

t.test('GET /health: ok', async (t) => {
  t.same((await get('/health')).json(), { status: 'ok', database: 'ok', cache: 'ok' })
})

t.test('GET of no route: 404 in the form of every other error, without the query', async (t) => {
  t.same((await get('/nowhere?token=1')).json(), {
    statusCode: 404, code: 'APP_ERR_ROUTE_NOT_FOUND', error: 'Not Found', message: 'There is no route GET /nowhere'
  })
})
