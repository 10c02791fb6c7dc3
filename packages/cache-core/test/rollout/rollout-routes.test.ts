import { coreOf, MemoryCache, type CacheCoreOptions } from '@x/cache-core'
import { MemoryRolloutStore } from '@x/cache-core/suite'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { buildApp, inProduction, type LogLine } from '@x/test-kit/build-app'
import { settle } from '@x/test-kit/deferred'
import { FakeTime } from '@x/test-kit/fake-time'

const PATH = '/internal/cache/rollout'

/** Makes an app with a canary, whose time passes only when the test advances it. */
async function canaryApp (t: Test, options: CacheCoreOptions = {}, lines: LogLine[] = []) {
  const time = new FakeTime(t)
  const { rollout, ...rest } = options
  const app = await buildApp(t, { implementation: 'memory', clock: time.clock, rollout: { canary: true, key: (request) => String(request.headers['x-user']), ...rollout }, ...rest }, lines)
  const wait = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      time.advance(1000)
      for (let turn = 0; turn < 4; turn++) await settle()
    }
  }
  const post = async (body: unknown): Promise<Record<string, any>> => {
    const { statusCode, body: text } = await app.inject({ method: 'POST', url: PATH, payload: body as object })
    return { statusCode, ...JSON.parse(text) as Record<string, any> }
  }
  const show = async (): Promise<Record<string, any>> => (await app.inject(PATH)).json()
  return { app, time, wait, post, show }
}

t.test('GET rollout: the baseline at first, with arms and history', async (t) => {
  const { wait, show, app } = await canaryApp(t)
  await app.ready()
  await wait(20)
  t.match(await show(), {
    percent: 0, stage: 0, stages: [10, 50, 100], paused: false, killed: false, patterns: {}, holdOut: 1, advance: 'auto', arms: { cached: {}, control: {} }, history: []
  })
  t.match((await app.inject(PATH)).headers, { 'cache-control': 'no-store' })
  t.match((await app.inject('/internal/cache')).json(), { rollout: { percent: 0, allow: ['*'], stage: 0, stages: [10, 50, 100], arms: { control: { requests: 0 } } } })
})

t.test('GET rollout: a canary without a cache that stores says so, once in the log and in its note', async (t) => {
  const said = async (options: CacheCoreOptions): Promise<[number, string | undefined]> => {
    const lines: LogLine[] = []
    const { app, show } = await canaryApp(t, options, lines)
    await app.ready()
    return [lines.filter(({ msg }) => /the canary counts no minutes, since NullCache stores nothing/.test(msg)).length, (await show()).note]
  }
  t.match(await said({ implementation: 'null' }), [1, /^no minute counts, since no cache in service/])
  t.same(await said({ implementation: 'memory' }), [0, undefined])
})

t.test('POST rollout: to, back, pause, resume and off', async (t) => {
  const { app, wait, post, show } = await canaryApp(t)
  await app.ready()
  await wait(20)
  const { rollout } = app.cache.registry
  t.match(await post({ action: 'to', percent: 50 }), { statusCode: 200, stage: 2 })
  await wait(30)
  t.ok(rollout.percent > 20 && rollout.percent < 30, `half of the ramp: ${rollout.percent}`)
  await wait(31)
  t.equal(rollout.percent, 50)
  t.match(await post({ action: 'pause' }), { paused: true, percent: 50 })
  t.match(await post({ action: 'back' }), { stage: 1, percent: 10 })
  t.match(await post({ action: 'off' }), { killed: true, percent: 0 })
  t.equal(rollout.percent, 0)
  t.match(await post({ action: 'resume' }), { killed: false, paused: false, percent: 0, stage: 0 })
  const { history } = await show()
  t.same(history.map(({ from, to }: { from: number; to: number }) => [from, to]), [[0, 0], [10, 0], [50, 10], [50, 50], [0, 50]])
  t.match(history.map(({ by, at }: { by: string; at: string }) => [by, at]), history.map(() => ['operator', /^\d{4}-\d\d-\d\dT/]))
  t.match(await post({ action: 'back' }), { statusCode: 409, code: 'CACHE_ERR_ROLLOUT_CONFLICT' })
})

t.test('POST rollout: the kill switch of a misspelt key pattern is answered with a note', async (t) => {
  const { app, post } = await canaryApp(t)
  app.get('/', async (request) => request.cache.getOrSet('user:1', () => 1))
  await app.inject('/')
  t.match(await post({ action: 'off', pattern: 'usr' }), { statusCode: 200, patterns: { usr: 0 }, note: /no key of the pattern usr was used in this process/ })
  t.notHas(await post({ action: 'off', pattern: 'user' }), { note: /./ })
  t.notHas(await post({ action: 'pause' }), { note: /./ })
  t.match(await post({ action: 'back' }), { statusCode: 409, message: /at the baseline, with no stage below it\. Instead: send "to"/ })
})

t.test('POST rollout: a key pattern has a percent of its own', async (t) => {
  const { app, wait, post, show } = await canaryApp(t)
  let loads = 0
  app.get('/:pattern', async (request) => request.cache.getOrSet(`${(request.params as { pattern: string }).pattern}:1`, () => ++loads))
  await app.ready()
  await wait(20)
  await post({ action: 'to', percent: 100 })
  await wait(61)
  t.match(await post({ action: 'off', pattern: 'user' }), { patterns: { user: 0 }, percent: 100 })
  const loadsOf = async (path: string): Promise<number> => {
    const before = loads
    for (let request = 0; request < 5; request++) await app.inject({ url: path, headers: { 'x-user': 'a' } })
    return loads - before
  }
  t.same([await loadsOf('/user'), await loadsOf('/table')], [5, 1])
  t.match((await post({ action: 'to', pattern: 'user', percent: 30 })).patterns, { user: 30 })
  t.same((await post({ action: 'resume', pattern: 'user' })).patterns, {})
  t.equal(await loadsOf('/user'), 1)
  t.match((await show()).history[0], { pattern: 'user', from: 30, to: 100 })
})

const bad: Record<string, unknown> = {
  'no action': {},
  'an unknown action': { action: 'stop' },
  'no percent': { action: 'to' },
  'a percent of no stage': { action: 'to', percent: 20 },
  'a percent above 100': { action: 'to', percent: 101 },
  'a text as percent': { action: 'to', percent: '10' },
  'a percent with another action': { action: 'back', percent: 10 },
  'an unknown member': { action: 'pause', force: true },
  'a pattern with pause': { action: 'pause', pattern: 'user' },
  'a pattern that is an id': { action: 'to', percent: 10, pattern: '12345' },
  'a pattern that is no text': { action: 'off', pattern: 1 },
  'a list': []
}
t.test('POST rollout: a bad body is 400 with a code, and changes nothing', async (t) => {
  const { app, wait, post } = await canaryApp(t)
  app.setErrorHandler((_error, _request, reply) => { void reply.code(500).send('other') })
  await app.ready()
  await wait(20)
  for (const [name, body] of Object.entries(bad)) t.match(await post(body), { statusCode: 400, code: 'CACHE_ERR_ROLLOUT_ACTION', message: /^The rollout cannot do that/ }, name)
  const text = await app.inject({ method: 'POST', url: PATH, payload: '{"action":"off"}', headers: { 'content-type': 'text/plain' } })
  t.equal(text.statusCode, 400, 'a form of another site cannot send JSON')
  t.match((await app.inject(PATH)).json(), { killed: false, history: [] })
})

t.test('POST rollout: is closed in production without a guard, as GET is', async (t) => {
  inProduction(t)
  const app = await buildApp(t, { implementation: 'memory', rollout: { canary: true } })
  t.equal((await app.inject(PATH)).statusCode, 404)
  t.equal((await app.inject({ method: 'POST', url: PATH, payload: { action: 'off' } })).statusCode, 404)
  const guarded = await buildApp(t, {
    implementation: 'memory',
    expose: true,
    guard: async (request, reply) => { if (request.headers['x-key'] !== 'right') return reply.code(401).send({}) },
    rollout: { canary: true }
  })
  const send = async (key: string) => (await guarded.inject({ method: 'POST', url: PATH, payload: { action: 'pause' }, headers: { 'x-key': key } })).statusCode
  t.same([await send('wrong'), await send('right')], [401, 200])
})

t.test('rollout routes: there are none without a canary', async (t) => {
  const app = await buildApp(t, { implementation: 'memory' })
  t.equal((await app.inject(PATH)).statusCode, 404)
})

t.test('traffic: the requests that used the cache are measured by arm, with their failures', async (t) => {
  const { app, wait } = await canaryApp(t, { rollout: { canary: { stages: [50, 100] } } })
  app.get('/used', async (request, reply) => {
    await request.cache.get('user:1')
    if (request.headers['x-fail'] !== undefined) return reply.code(503).send('no')
    return 'ok'
  })
  app.get('/unused', async () => 'ok')
  await app.ready()
  await wait(20)
  await app.inject({ method: 'POST', url: PATH, payload: { action: 'to', percent: 50 } })
  await wait(130)
  for (let user = 0; user < 100; user++) {
    await app.inject({ url: '/used', headers: { 'x-user': String(user), ...user % 10 === 0 ? { 'x-fail': '1' } : {} } })
    await app.inject({ url: '/unused', headers: { 'x-user': String(user) } })
  }
  await wait(70)
  const { cached, control } = (await app.inject('/internal/cache')).json().rollout.arms
  t.equal(cached.requests + control.requests, 100)
  t.equal(cached.failures + control.failures, 10)
  t.ok(cached.requests > 30 && control.requests > 30, `${cached.requests} and ${control.requests}`)
})

t.test('warm: a raise loads each critical key once, however many requests arrive', async (t) => {
  let loads = 0
  const item = { key: 'table:1', loader: async () => { loads++; await settle(); return loads } }
  const { app, wait, post } = await canaryApp(t, { warm: { items: [item] } })
  app.get('/', async (request) => request.cache.getOrSet(item.key, item.loader, { ttl: 3600 }))
  await app.ready()
  await wait(20)
  t.equal(loads, 0)
  await post({ action: 'to', percent: 100 })
  await wait(61)
  const before = loads
  t.equal(before, 1)
  await Promise.all(Array.from({ length: 200 }, (_, user) => app.inject({ url: '/', headers: { 'x-user': `u${user}` } })))
  t.ok(loads - before < 12, `only the hold-out loads: ${loads - before}`)
})

t.test('warm: a load that hangs delays a raise by half a minute, and fails nothing', async (t) => {
  const { app, wait, post } = await canaryApp(t, { warm: { items: [{ key: 'table:1', loader: () => new Promise(() => {}) }] } })
  await app.ready()
  await wait(20)
  const answer = post({ action: 'to', percent: 10 })
  await wait(36)
  t.match(await answer, { statusCode: 200, stage: 1 })
})

t.test('shareRollout: the canary uses the store of the sibling package', async (t) => {
  const { app, time, wait, show } = await canaryApp(t)
  const store = new MemoryRolloutStore(() => time.clock)
  coreOf(app)!.shareRollout(store)
  await app.ready()
  await wait(20)
  t.match(JSON.parse((await store.read())!), { format: 1, stage: 0, percent: 0 })
  t.equal((await show()).problem, undefined)
})

t.test('rollout.canary: given to the sibling package alone it is the same', async (t) => {
  const app = await buildApp(t)
  coreOf(app)!.configureFor('@x/cache-redis', { rollout: { canary: true } })
  app.cache.registry.register(new MemoryCache())
  t.match((await app.inject(PATH)).json(), { percent: 0, stages: [10, 50, 100] })
  const other = await buildApp(t, { rollout: { percent: 10 } })
  t.throws(() => coreOf(other)!.configureFor('@x/cache-redis', { rollout: { canary: true } }), { code: 'CACHE_ERR_OPTION_INVALID' })
})

t.test('close: leaves no timer, and the state of a failing store harms no request', async (t) => {
  const lines: LogLine[] = []
  const { app, time, wait } = await canaryApp(t, {}, lines)
  const failing = new Proxy({} as MemoryRolloutStore, { get: () => () => { throw new Error('bug') } })
  coreOf(app)!.shareRollout(failing)
  app.get('/', async (request) => request.cache.getOrSet('user:1', () => 'loaded'))
  await app.ready()
  await wait(20)
  t.equal((await app.inject({ url: '/', headers: { 'x-user': 'a' } })).body, 'loaded')
  t.match((await app.inject(PATH)).json(), { percent: 0, problem: /cannot be read/, history: [] })
  await app.close()
  // The interval of the time limits ends at its next tick.
  time.advance(1000)
  t.equal(time.pending, 0)
  t.equal(lines.filter(({ msg }) => msg.includes('cannot be read')).length, 1)
})

t.test('the subject of a request has the same bucket in every process, and a raise only adds subjects', async (t) => {
  const drawn = async (app: FastifyInstance, percent: number): Promise<Set<number>> => {
    app.cache.registry.rollout.percent = percent
    const users = new Set<number>()
    for (let user = 0; user < 200; user++) if ((await app.inject({ url: '/arm', headers: { 'x-user': `u${user}` } })).body === 'cached') users.add(user)
    return users
  }
  const make = async (): Promise<FastifyInstance> => {
    const app = await buildApp(t, { implementation: 'memory', rollout: { holdOut: 1, key: (request) => String(request.headers['x-user']) } })
    app.get('/arm', async (request) => {
      await request.cache.get('a:1')
      return coreOf(app)!.armOf(request)
    })
    return app
  }
  const [one, other] = [await make(), await make()]
  const ten = await drawn(one, 10)
  t.same(await drawn(other, 10), ten)
  const hundred = await drawn(other, 100)
  t.ok([...ten].every((user) => hundred.has(user)))
  t.ok(hundred.size >= 190 && ten.size > 5 && ten.size < 40, `${ten.size}, ${hundred.size}`)
})
