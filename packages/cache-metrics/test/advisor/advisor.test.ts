import t from 'tap'
import { adviceOn, build, numbers, reportOf, Time, URL } from '../fixtures/advised-app.js'

t.test('one pattern that deserves a cache and one that does not, from NullCache alone', async (t) => {
  const time = new Time()
  const app = await build(t, { time, metrics: { advisor: { minDays: 0 } } })
  app.get('/items/:id', async (request) => request.cache.getOrSet(`item:${(request.params as { id: string }).id}`, async () => {
    time.advance(0.02)
    return { id: 1, text: 'x'.repeat(100) }
  }))
  app.get('/searches/:id', async (request) => request.cache.getOrSet(`search:${(request.params as { id: string }).id}`, () => 'found'))
  for (let turn = 0; turn < 1000; turn++) {
    time.advance(0.1)
    await app.inject(`/items/${turn % 20}`)
    await app.inject(`/searches/${turn}`)
  }
  const report = await reportOf(app)
  t.match(report, { version: 1, source: 'this process', requests: 2000, verdict: 'go' })
  const item = adviceOn(report, 'item')
  // Each of the 20 keys is read every 2.4 s: all reads but the first of each key are hits. A ttl above 10 s has no further hits.
  t.match(item, { kind: 'pattern', verdict: 'good', ttl: 60, entries: 100, leak: undefined })
  t.equal(item.hitRate, 0.96)
  t.ok(Math.abs(item.meanSeconds! - 0.02) < 1e-9)
  t.equal(item.memoryBytes, 20 * Math.round(JSON.stringify({ id: 1, text: 'x'.repeat(100) }).length + 2 * 6.5 + 128))
  t.match(adviceOn(report, 'search'), { verdict: 'poor: 100 % one-hit keys', hitRate: 0 })
  t.match(adviceOn(report, 'GET /items/:id'), { kind: 'route', verdict: 'good' })
  t.match(report.plan, { options: { rollout: { allow: ['item'] } } })
  t.ok(report.gates.some(({ verdict }) => verdict !== 'not enough data'))
})

for (const [what, dimension, key, value] of [
  ['user', 'user', 'profile', 'x-user-id'],
  ['language', 'header accept-language', 'page', 'accept-language']
] as const) {
  t.test(`a key that lacks the ${what} is named within 200 requests`, async (t) => {
    const app = await build(t)
    app.get('/:id', async (request) => request.cache.getOrSet(`${key}:${(request.params as { id: string }).id}`, async () => ({ mine: request.headers[value] })))
    const draw = numbers(7)
    for (let turn = 0; turn < 200; turn++) {
      const headers = { 'x-user-id': String(draw(11)), 'accept-language': ['de', 'fr', 'en'][draw(3)]! }
      await app.inject({ url: `/${draw(5)}`, headers })
    }
    const report = await reportOf(app)
    t.match(adviceOn(report, key), { verdict: `unsafe: differs by ${dimension}`, leak: { dimension } })
    t.match(adviceOn(report, 'GET /:id'), { verdict: `unsafe: differs by ${dimension}` })
    t.equal(report.plan, undefined)
  })
}

t.test('the right key is not accused, and its route, which is one URL for all, is', async (t) => {
  const app = await build(t)
  app.get('/me', async (request) => {
    const { id } = (request as unknown as { user: { id: string } }).user
    return request.cache.getOrSet(`me:${id}`, async () => ({ id }))
  })
  const draw = numbers(3)
  for (let turn = 0; turn < 400; turn++) await app.inject({ url: '/me', headers: { 'x-user-id': String(draw(11)) } })
  const report = await reportOf(app)
  t.match(adviceOn(report, 'me'), { verdict: 'good', leak: undefined })
  t.match(adviceOn(report, 'GET /me'), { verdict: 'unsafe: differs by user' })
})

t.test('a route that sets cookies, and one that answers anew each time', async (t) => {
  const app = await build(t)
  app.get('/cookies', async (_request, reply) => reply.header('set-cookie', 'a=b').send('text'))
  let count = 0
  app.get('/count', async () => ({ count: count++ }))
  for (let turn = 0; turn < 300; turn++) for (const url of ['/cookies', '/count']) await app.inject(url)
  const report = await reportOf(app)
  t.equal(adviceOn(report, 'GET /cookies').verdict, 'unsafe: Set-Cookie on 100 % of the responses')
  t.match(adviceOn(report, 'GET /count').verdict, /^poor: /)
})

t.test('values that change: what would be stale at which ttl, and a ttl within the tolerance', async (t) => {
  const time = new Time()
  const app = await build(t, { time, metrics: { advisor: { staleTolerance: 0.01 } } })
  let version = 0
  app.get('/price', async (request) => request.cache.getOrSet('price:1', () => `version ${version}`))
  for (let turn = 0; turn < 4000; turn++) {
    time.advance(0.5)
    // The value changes every 400 s. With a ttl of 1 s one hit in 800 is stale, with a ttl of 300 s more than one in three.
    if (turn % 800 === 799) version++
    await app.inject('/price')
  }
  const price = adviceOn(await reportOf(app), 'price')
  t.match(price, { verdict: 'good', ttl: 10, provenTtl: 10 })
  t.ok(price.staleness!.rate > 0 && price.staleness!.rate <= 0.01)
  t.ok(price.staleness!.low <= price.staleness!.rate && price.staleness!.rate <= price.staleness!.high)
})

t.test('a pattern that comes late has its rates by the observed time, as the gates have', async (t) => {
  const time = new Time()
  const app = await build(t, { time })
  app.get('/:key', async (request) => request.cache.getOrSet((request.params as { key: string }).key, () => 'value'))
  await app.inject('/early:1')
  time.advance(3600)
  for (let turn = 0; turn < 720; turn++) {
    time.advance(5)
    await app.inject('/late:1')
  }
  const report = await reportOf(app)
  const busiest = report.gates.find(({ name }) => name === 'Busiest key pattern, per minute')!
  t.equal(report.observedSeconds, 7200)
  t.equal(adviceOn(report, 'late').requestsPerHour, 360)
  t.equal(busiest.value, 6)
  t.match(adviceOn(report, 'GET /:key'), { requestsPerHour: 360.5 })
})

t.test('a burst of a second is a minute of requests, in the advice and in the gates', async (t) => {
  const time = new Time()
  const app = await build(t, { time })
  app.get('/', async (request) => request.cache.getOrSet('item:1', () => 'value'))
  for (let turn = 0; turn < 300; turn++) await app.inject('/')
  time.advance(1)
  const report = await reportOf(app)
  t.equal(adviceOn(report, 'item').requestsPerHour, 300 * 60)
  t.equal(report.gates.find(({ name }) => name === 'Busiest key pattern, per minute')!.value, 300)
})

t.test('a report of the first minutes is not headed go, though what it saw is good', async (t) => {
  const time = new Time()
  const app = await build(t, { time })
  app.get('/:id', async (request) => request.cache.getOrSet(`item:${(request.params as { id: string }).id}`, async () => {
    time.advance(0.02)
    return 'value'
  }))
  for (let turn = 0; turn < 400; turn++) await app.inject(`/${turn % 20}`)
  const report = await reportOf(app)
  t.match(adviceOn(report, 'item'), { verdict: 'good', priority: 'CRITICAL' })
  t.match(report, { verdict: 'not enough data', plan: {} })
  t.ok(report.gates.every(({ verdict }) => verdict === 'not enough data'))
})

t.test('good is said of the hits alone while nothing is known of stale ones, and the report says so', async (t) => {
  const time = new Time()
  const app = await build(t, { time })
  app.get('/', async (request) => request.cache.getOrSet('item:1', () => 'value'))
  const note = /1 of what is good has hits whose staleness is unknown/
  for (let turn = 0; turn < 300; turn++) await app.inject('/')
  const young = await reportOf(app)
  t.match(adviceOn(young, 'item'), { verdict: 'good', staleness: { rate: 0, low: 0, high: 1 } })
  t.match(young.notes.join(), /whose staleness is unknown/)
  for (let turn = 0; turn < 1000; turn++) {
    time.advance(0.1)
    await app.inject('/')
  }
  const older = await reportOf(app)
  t.ok(adviceOn(older, 'item').staleness!.high < 1)
  t.notMatch(older.notes.join(), note)
})

t.test('what is personal, a write or the suite itself is no route; what never was asked for is nothing', async (t) => {
  const app = await build(t, { core: { personal: ['/me'] } })
  app.get('/me/x', async () => 'x')
  app.post('/write', async () => 'x')
  for (let turn = 0; turn < 5; turn++) {
    await app.inject('/me/x')
    await app.inject({ method: 'POST', url: '/write' })
    await app.inject('/missing')
  }
  t.match(await reportOf(app), { verdict: 'not enough data', advice: [] })
})

t.test('bounded: beyond the first 16 patterns and routes nothing is looked at, and the report says so; the tables stay below 8 MB', async (t) => {
  const app = await build(t)
  app.get('/*', async (request) => request.cache.getOrSet((request.params as { '*': string })['*'], async () => ({ text: 'x' })))
  for (let route = 0; route < 25; route++) app.get(`/route${route}/:id`, async () => 'text')
  await app.ready()
  const { cache } = app
  for (let turn = 0; turn < 200_000; turn++) cache.registry.observer.read(cache.registry.stats.for('null').of('a'), `p${'abcdefghijklmnopqrstuvwxyz'[turn % 26]!}:${turn}`, 'miss')
  for (let turn = 0; turn < 2000; turn++) await cache.getOrSet(`p${'abcdefghijklmnop'[turn % 16]!}:${turn}`, async () => turn)
  for (let turn = 0; turn < 500; turn++) await app.inject(`/route${turn % 25}/${turn}`)
  const report = await reportOf(app)
  t.ok(report.advice.length <= 32)
  t.match(report.notes.join(), /beyond the first 16/)
  t.ok(app.cacheMetrics.advisorBytes > 100_000 && app.cacheMetrics.advisorBytes < 8 * 1024 * 1024, String(app.cacheMetrics.advisorBytes))
})

t.test('the report is Markdown to who asks for text, and JSON else; nobody keeps it', async (t) => {
  const app = await build(t)
  app.addHook('onRequest', async (_request, reply) => { reply.header('vary', 'Origin') })
  for (const accept of ['text/markdown', 'text/plain', 'application/xml, text/markdown;q=0.5']) {
    const { headers, body } = await app.inject({ url: URL, headers: { accept } })
    t.match(headers, { 'content-type': 'text/markdown; charset=utf-8', 'cache-control': 'no-store', vary: 'Origin, Accept' })
    t.match(body, /^# Cache advice\n/)
  }
  for (const accept of [undefined, '*/*', 'application/json', 'text/html', 'text/markdown;q=0', '']) {
    const { headers } = await app.inject({ url: URL, headers: accept === undefined ? {} : { accept } })
    t.match(headers['content-type'], /^application\/json/)
  }
})

t.test('closed in production, and not there without an advisor', async (t) => {
  const { NODE_ENV } = process.env
  t.teardown(() => { if (NODE_ENV === undefined) delete process.env.NODE_ENV; else process.env.NODE_ENV = NODE_ENV })
  const off = await build(t, { metrics: { advisor: false } })
  t.equal((await off.inject(URL)).statusCode, 404)
  t.equal(off.cacheMetrics.advisorBytes, 0)
  process.env.NODE_ENV = 'production'
  t.equal((await (await build(t)).inject(URL)).statusCode, 404)
  const guard = async (request: { headers: Record<string, unknown> }) => {
    if (request.headers.authorization !== 'let me in') throw Object.assign(new Error('no'), { statusCode: 401 })
  }
  const open = await build(t, { core: { expose: true, guard } })
  t.equal((await open.inject(URL)).statusCode, 401)
  t.equal((await open.inject({ url: URL, headers: { authorization: 'let me in' } })).statusCode, 200)
})

t.test('values that cannot be compared are looked over, and the answer is the same', async (t) => {
  const app = await build(t)
  const cyclic: Record<string, unknown> = {}
  cyclic.self = cyclic
  app.get('/', async (request) => {
    await request.cache.getOrSet('item:1', () => cyclic)
    return 'done'
  })
  for (let turn = 0; turn < 3; turn++) t.equal((await app.inject('/')).body, 'done')
  t.match(adviceOn(await reportOf(app), 'item'), { memoryBytes: undefined, staleness: undefined })
})

for (const [name, value, change] of [
  ['date', { createdAt: new Date(0) }, 'Date at .createdAt'],
  ['map', new Map([['a', 1]]), 'Map'],
  ['nan', { items: [{ price: NaN }] }, 'NaN at .items[0].price']
] as const) {
  t.test(`a ${name} that comes back changed from a store is said while observing, and the plan leaves it out`, async (t) => {
    const time = new Time()
    const app = await build(t, { time, metrics: { advisor: { minDays: 0 } } })
    app.get('/:id', async (request) => {
      const { id } = request.params as { id: string }
      await request.cache.getOrSet(`${name}:${id}`, async () => { time.advance(0.02); return value })
      return request.cache.getOrSet(`plain:${id}`, async () => { time.advance(0.02); return { id } })
    })
    for (let turn = 0; turn < 600; turn++) {
      time.advance(0.1)
      await app.inject(`/${turn % 20}`)
    }
    const report = await reportOf(app)
    t.equal(adviceOn(report, name).verdict, `changes when stored: ${change}`)
    t.equal(adviceOn(report, 'plain').verdict, 'good')
    t.same(Object.keys(report.plan?.options.patterns ?? {}), ['plain'])
  })
}

t.test('a value that changes when stored is none with the rich serializer, and its changes are stale hits', async (t) => {
  const verdicts = await Promise.all((['json', 'rich'] as const).map(async (serializer) => {
    const time = new Time()
    const app = await build(t, { time, core: { serializer }, metrics: { advisor: { ttls: [1, 600], entries: [100] } } })
    await app.ready()
    for (let turn = 0; turn < 600; turn++) {
      time.advance(0.1)
      await app.cache.getOrSet(`kept:${turn % 10}`, () => ({ tags: new Set([turn % 10]) }))
      await app.cache.getOrSet(`late:${turn % 10}`, () => ({ tags: new Set([Math.floor(turn / 20)]) }))
    }
    const report = await reportOf(app)
    return ['kept', 'late'].map((name) => adviceOn(report, name))
  }))
  t.match(verdicts[0]!.map(({ verdict }) => verdict), ['changes when stored: Set at .tags', 'changes when stored: Set at .tags'])
  t.match(verdicts[1]![0], { verdict: 'good', ttl: 600 })
  t.equal(verdicts[1]![1]!.ttl, 1, 'a longer ttl would serve sets that have changed')
})
