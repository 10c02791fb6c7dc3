import { CacheRegistry } from '@x/cache-core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import { wantsMarkdown } from '../../src/advisor/accept.js'
import type { Report } from '../../src/index.js'
import { adviceOn, build, numbers, reportOf, Time } from '../fixtures/advised-app.js'

const hostile: Record<string, (app: FastifyInstance) => void> = {
  'a user that is not there': (app) => { app.addHook('onRequest', async (request) => { Object.defineProperty(request, 'user', { get () { throw new Error('secret') } }) }) },
  'a user without an id to ask for': (app) => {
    app.addHook('onRequest', async (request) => { Object.assign(request, { user: new Proxy({}, { get () { throw new Error('secret') } }) }) })
  },
  'a query that is none': (app) => { app.addHook('onRequest', async (request) => { Object.assign(request, { query: null }) }) }
}
for (const [what, spoil] of Object.entries(hostile)) {
  t.test(`no request fails of ${what}`, async (t) => {
    const app = await build(t)
    spoil(app)
    app.get('/item', async (request) => request.cache.getOrSet('item:1', () => ({ get id () { return 1 } })))
    for (let turn = 0; turn < 3; turn++) t.match(await app.inject('/item?a=1'), { statusCode: 200, body: '{"id":1}' })
    t.notMatch(JSON.stringify(await reportOf(app)), /secret/)
  })
}

t.test('a value that is huge, or throws, is not written out, and what else there is is looked at', async (t) => {
  const app = await build(t)
  const huge = { type: 'x', body: Buffer.alloc(20_000_000) }
  let written = 0
  const thrower = { toJSON () { written++; throw new Error('secret') } }
  app.get('/huge', async (request) => {
    await request.cache.getOrSet('huge:1', () => huge)
    await request.cache.getOrSet('thrower:1', () => thrower)
    return 'done'
  })
  app.get('/me', async (request) => request.cache.getOrSet('me:1', () => ({ id: request.headers['x-user-id'] })))
  const draw = numbers(5)
  for (let turn = 0; turn < 250; turn++) {
    t.equal((await app.inject('/huge')).body, 'done')
    await app.inject({ url: '/me', headers: { 'x-user-id': String(draw(7)) } })
  }
  const report = await reportOf(app)
  t.equal(adviceOn(report, 'huge').verdict, 'changes when stored: Buffer at .body')
  t.equal(adviceOn(report, 'thrower').verdict, 'changes when stored: function at .toJSON')
  t.equal(adviceOn(report, 'me').verdict, 'unsafe: differs by user')
  t.ok(written > 0)
  t.equal(report.plan?.options.patterns, undefined)
})

const unstorable: Record<string, (request: FastifyRequest) => Promise<unknown>> = {
  'always skips': async ({ cache }) => cache.getOrSet('item:1', (load) => { load.skip(); return 1 }),
  'has a ttl of 0': async ({ cache }) => cache.getOrSet('item:1', () => 1, 0),
  'is undefined': async ({ cache }) => cache.getOrSet('item:1', () => undefined),
  'always fails': async ({ cache }) => cache.getOrSet('item:1', () => { throw new Error('no') }).catch(() => 1),
  'is read and never set': async ({ cache }) => cache.get('item:1')
}
for (const [what, ask] of Object.entries(unstorable)) {
  t.test(`what ${what} is not good, whatever the hit rate`, async (t) => {
    const app = await build(t)
    app.get('/', async (request) => {
      await ask(request)
      return 'done'
    })
    for (let turn = 0; turn < 250; turn++) await app.inject('/')
    const report = await reportOf(app)
    t.equal(adviceOn(report, 'item').verdict, 'poor: 0 % of what is loaded may be stored')
    t.equal(report.plan?.options.patterns, undefined)
  })
}

const answers: Record<string, (reply: FastifyReply) => unknown> = {
  'no-store': (reply) => reply.header('cache-control', 'no-store').send('x'),
  private: (reply) => reply.header('cache-control', 'private, max-age=60').send('x'),
  'a 404': (reply) => reply.code(404).send('x'),
  'a 500': () => { throw new Error('broken') }
}
for (const [what, answer] of Object.entries(answers)) {
  t.test(`a route that answers ${what} is not good`, async (t) => {
    const app = await build(t)
    app.get('/', async (_request, reply) => answer(reply))
    for (let turn = 0; turn < 250; turn++) await app.inject('/')
    t.equal(adviceOn(await reportOf(app), 'GET /').verdict, 'poor: 0 % of the responses may be stored')
  })
}

t.test('a cookie that a hook sets behind the metrics is seen', async (t) => {
  const app = await build(t)
  app.addHook('onSend', async (_request, reply) => { reply.header('set-cookie', 'sid=1') })
  app.get('/', async () => 'text')
  for (let turn = 0; turn < 250; turn++) await app.inject('/')
  t.equal(adviceOn(await reportOf(app), 'GET /').verdict, 'unsafe: Set-Cookie on 100 % of the responses')
})

t.test('the time of a route is that of its GETs', async (t) => {
  const time = new Time()
  const app = await build(t, { time })
  app.get('/items', async () => { time.advance(0.001); return 'x' })
  app.post('/items', async () => { time.advance(2); return 'x' })
  app.post('/uploads', async () => { time.advance(2); return 'x' })
  for (let turn = 0; turn < 20; turn++) for (const url of ['/items', '/uploads']) for (const method of ['GET', 'POST'] as const) await app.inject({ method, url })
  const report = await reportOf(app)
  t.ok(Math.abs(adviceOn(report, 'GET /items').meanSeconds! - 0.001) < 1e-9)
})

t.test('what an answer says it varies by, and the host, are no leak and nothing stale', async (t) => {
  const time = new Time()
  const app = await build(t, { time })
  app.get('/languages', async (request, reply) => reply.header('vary', 'Accept-Language').send(`in ${request.headers['accept-language']}`))
  app.get('/tenants', async (request) => `of ${request.host}`)
  const draw = numbers(9)
  for (let turn = 0; turn < 250; turn++) {
    // Time must pass, since comparisons of values may take only a share of the passing time, also on a busy machine.
    time.advance(1)
    await app.inject({ url: '/languages', headers: { 'accept-language': ['de', 'fr', 'en'][draw(3)]! } })
    await app.inject({ url: '/tenants', headers: { host: ['a.example', 'b.example'][draw(2)]! } })
  }
  const report = await reportOf(app)
  for (const name of ['GET /languages', 'GET /tenants']) t.match(adviceOn(report, name), { verdict: 'good', staleness: { rate: 0 } })
})

t.test('behind a cache that stores nothing is compared', async (t) => {
  const app = await build(t, { core: { implementation: 'memory' } })
  let version = 0
  app.get('/', async (request) => request.cache.getOrSet('item:1', () => version++))
  for (let turn = 0; turn < 250; turn++) await app.inject('/')
  const report = await reportOf(app)
  for (const name of ['item', 'GET /']) t.match(adviceOn(report, name).verdict, /^not enough data: 0 values compared/)
  t.match(report.notes.join(), /A cache is in service/)
})

for (const [what, rollout] of [['at percent 0 of a rollout', { percent: 0 }], ['in the baseline of a canary', { canary: true }]] as const) {
  t.test(`${what} values are compared as while NullCache observes`, async (t) => {
    const time = new Time()
    const reports = []
    for (const core of [{}, { implementation: 'memory', rollout }]) {
      const app = await build(t, { time, core })
      let version = 0
      app.get('/', async (request) => request.cache.getOrSet('item:1', () => version++))
      app.get('/mine', async (request) => request.cache.getOrSet('mine:1', () => request.headers['x-user-id']))
      const draw = numbers(7)
      for (let turn = 0; turn < 250; turn++) {
        time.advance(0.1)
        await app.inject('/')
        await app.inject({ url: '/mine', headers: { 'x-user-id': String(draw(11)) } })
      }
      reports.push(await reportOf(app))
    }
    const [observed, report] = reports as [Report, Report]
    for (const name of ['item', 'GET /', 'mine', 'GET /mine']) t.equal(adviceOn(report, name).verdict, adviceOn(observed, name).verdict, name)
    t.match(adviceOn(report, 'mine').verdict, 'unsafe: differs by user')
    t.match(adviceOn(report, 'item').verdict, /every load|^poor: /)
    t.notMatch(report.notes.join(), /A cache is in service/)
  })
}

t.test('an app that joins a cache counts from when it came', async (t) => {
  const registry = new CacheRegistry()
  for (let turn = 0; turn < 10_000; turn++) registry.observer.read(registry.stats.for('null').of('item:1'), 'item:1', 'miss')
  const time = new Time()
  const app = await build(t, { core: { registry }, time, metrics: { advisor: { minDays: 0 } } })
  await app.ready()
  time.advance(60)
  registry.observer.read(registry.stats.for('null').of('item:1'), 'item:1', 'miss')
  const gate = (await reportOf(app)).gates.find(({ name }) => name.startsWith('Busiest key pattern'))
  t.equal(gate!.value, 1)
})

for (const [accept, isMarkdown] of [
  ['application/json, text/plain, */*', false], ['application/json;q=1, text/plain;q=0.1', false], ['application/json,text/markdown;q=0.2', false],
  ['text/markdown, */*;q=0.1', true], ['text/plain', true], ['text/*', true], ['text/markdown;q=x', false], ['TEXT/Markdown', true]
] as const) t.test(`Accept: ${accept} is ${isMarkdown ? 'Markdown' : 'JSON'}`, async (t) => t.equal(wantsMarkdown(accept), isMarkdown))
