import fc from 'fast-check'
import t from 'tap'
import { hasOtherParameter } from '../src/rules/query.js'
import { ask, buildEdge } from './fixtures/edge-app.js'
import { isHit, page } from './fixtures/page.js'

t.test('query: made-up parameters are neither stored nor answered from the store', async (t) => {
  const { app, runs } = await page(t, { cache: { query: ['page'] } })
  for (const url of ['/a', '/a?page=1']) {
    await ask(app, url)
    t.ok(isHit(await ask(app, url)), url)
  }
  const before = runs()
  for (const url of ['/a?x', '/a?x=1', '/a?page=1&x=1', '/a?x=1&page=1', '/a?Page=1', '/a?%70age=1', '/a?page[]=1', '/a?&', '/a?page=1&', '/a?&page=1', '/a?=1', '/a??page=1', '/a?page;x=1']) {
    for (let times = 0; times < 2; times++) t.match(await ask(app, url), { status: 200, cacheStatus: 'fastify; fwd=bypass; detail=query', headers: { 'cache-control': 'public, max-age=60, must-revalidate' } }, url)
  }
  t.equal(runs(), before + 26)
  t.ok(isHit(await ask(app, '/a?page=1')))
})

t.test('query: an empty list means that no parameter counts; without the list all do', async (t) => {
  const none = await page(t, { cache: { query: [] } })
  const all = await page(t)
  for (const { app } of [none, all]) for (const url of ['/a', '/a?', '/a?x=1']) await ask(app, url)
  t.same([isHit(await ask(none.app, '/a')), isHit(await ask(none.app, '/a?')), isHit(await ask(none.app, '/a?x=1'))], [true, true, false])
  t.ok(isHit(await ask(all.app, '/a?x=1')))
})

t.test('query: 1 100 made-up queries leave no entry', async (t) => {
  const { app } = await page(t, { core: { memory: { maxEntries: 100 } }, cache: { query: ['page'] } })
  await ask(app, '/a?page=1')
  for (let query = 0; query < 1100; query++) await ask(app, `/a?page=1&made-up=${query}`)
  t.ok(isHit(await ask(app, '/a?page=1')))
})

t.test('query: parameters that a schema takes out of request.query count as they were sent', async (t) => {
  const app = await buildEdge(t)
  const querystring = { type: 'object', properties: { page: { type: 'string' } }, additionalProperties: false }
  app.get('/a', { schema: { querystring }, config: { cache: { store: true, query: ['page'] } } }, async (request) => JSON.stringify(request.query))
  for (let times = 0; times < 2; times++) t.match(await ask(app, '/a?page=1&x=2'), { body: '{"page":"1"}', cacheStatus: /detail=query/ })
})

t.test('query: of a rewritten URL, the parameters of both spellings count', async (t) => {
  const { app } = await page(t, { server: { rewriteUrl: ({ url }) => url!.split('?')[0]! }, cache: { query: ['page'] } })
  for (let times = 0; times < 2; times++) t.match((await ask(app, '/a?x=1')).cacheStatus, /detail=query/)
  await ask(app, '/a?page=1')
  t.ok(isHit(await ask(app, '/a?page=1')))
})

for (const server of [{ useSemicolonDelimiter: true }, { routerOptions: { useSemicolonDelimiter: true } }]) {
  t.test(`query: where a semicolon begins a query, what follows it are parameters: ${JSON.stringify(server)}`, async (t) => {
    const { app } = await page(t, { server: server as object, url: '/a', cache: { query: ['page'] } })
    for (let times = 0; times < 2; times++) t.match((await ask(app, '/a;x=1')).cacheStatus, /detail=query/)
    await ask(app, '/a;page=1')
    t.ok(isHit(await ask(app, '/a;page=1')))
  })
}

t.test('query: elsewhere a semicolon is part of the path', async (t) => {
  const { app } = await page(t, { cache: { query: [] } })
  await ask(app, '/a;x=1')
  t.ok(isHit(await ask(app, '/a;x=1')))
})

t.test('query: a HEAD goes past the store as a GET does, a rule has it for its routes, and a route its own', async (t) => {
  const app = await buildEdge(t, { edge: { rules: [{ prefix: '/r', store: true, query: ['page'] }] } })
  app.get('/r/a', async () => 'a')
  app.get('/r/b', { config: { cache: { query: ['x'] } } }, async () => 'b')
  for (const url of ['/r/a?page=1', '/r/b?x=1']) {
    await ask(app, url)
    t.ok(isHit(await ask(app, url)))
    t.ok(isHit(await ask(app, url, {}, 'HEAD')))
  }
  for (const url of ['/r/a?x=1', '/r/b?page=1']) for (const method of ['GET', 'HEAD'] as const) t.match((await ask(app, url, {}, method)).cacheStatus, /detail=query/)
})

for (const query of ['page', ['a b'], ['a=1'], ['a&b'], ['a#'], [''], ['ä'], ['x'.repeat(129)], [1], Array.from({ length: 65 }, (_, at) => `p${at}`)]) {
  t.test(`query: ${JSON.stringify(query).slice(0, 40)} is refused as the route is declared`, async (t) => {
    const app = await buildEdge(t)
    t.throws(() => app.get('/', { config: { cache: { query: query as string[] } } }, async () => 'x'), { code: 'CACHE_ERR_OPTION_INVALID', message: /query/ })
  })
}

t.test('hasOtherParameter: is what a list of the names says, for any query', async () => {
  const name = fc.constantFrom('a', 'b', 'c', 'a[]', '%61', '')
  const parameter = fc.record({ name, value: fc.option(fc.constantFrom('', '1', '=', 'a=b', '?', '%26')) })
  fc.assert(fc.property(fc.array(parameter, { minLength: 1, maxLength: 6 }), fc.subarray(['a', 'b', 'a[]']), (parameters, allowed) => {
    const query = parameters.map(({ name, value }) => value === null ? name : `${name}=${value}`).join('&')
    // A bare "?" is an empty query without parameters.
    const expected = query !== '' && parameters.some(({ name }) => !allowed.includes(name))
    return hasOtherParameter(`/p?${query}`, new Set(allowed), false) === expected
  }), { numRuns: 500 })
})
