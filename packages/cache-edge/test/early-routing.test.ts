import { once } from 'node:events'
import { connect } from 'node:net'
import { cacheCore, type CacheRegistry } from '@x/cache-core'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import t from 'tap'
import { cacheEdge, earlyServer } from '../src/index.js'
import { bare, BOTH, build, sendEarly } from './fixtures/early-app.js'
import { until } from './fixtures/edge-app.js'
import { portOf, send } from './fixtures/two-clients.js'

const tenantOf = (request: FastifyRequest['raw']) => request.headers['x-tenant']

/** Makes a constraint of the app's own that selects a route by X-Tenant. */
function strategy (own: object = {}): object {
  return {
    name: 'tenant',
    storage: () => {
      const routes = new Map<string, unknown>()
      return { get: (value: string) => routes.get(value) ?? null, set: (value: string, route: unknown) => { routes.set(value, route) } }
    },
    deriveConstraint: tenantOf,
    ...own
  }
}
const TENANT = { constraints: { tenant: 'a' } as never }

for (const seam of BOTH) {
  t.test(`early, by ${seam}: a rollout that is set to 0 % ends early answers at once, also by a hold-out or for the pattern`, async (t) => {
    const { app, early, runs } = await build(t, { seam })
    const { rollout } = (app.cache as unknown as { registry: CacheRegistry }).registry
    const ends: Record<string, [off: () => void, on: () => void]> = {
      percent: [() => { rollout.percent = 0 }, () => { rollout.percent = 100 }],
      holdOut: [() => { rollout.holdOut = 100 }, () => { rollout.holdOut = 0 }],
      patterns: [() => { rollout.patterns = { edge: 0 } }, () => { rollout.patterns = {} }],
      allow: [() => { rollout.allow = ['other'] }, () => { rollout.allow = ['*'] }]
    }
    await send(app, {})
    for (const [name, [off, on]] of Object.entries(ends)) {
      t.equal((await sendEarly(app)).isEarly, true, `${name}: on`)
      const before = [early(), runs()] as const
      off()
      t.notMatch((await send(app, {})).fields['cache-status'], /hit/, name)
      t.same([early(), runs()], [before[0], before[1] + 1], `${name}: off`)
      on()
    }
    t.equal((await sendEarly(app)).isEarly, true)
  })

  for (const [place, before] of Object.entries({
    'in the options': { server: { routerOptions: { constraints: { tenant: strategy() } } } },
    'before the plugin': { before: (app: FastifyInstance) => { app.addConstraintStrategy(strategy() as never) } }
  } as Record<string, Parameters<typeof bare>[2]>)) {
    t.test(`early, by ${seam}: a route that a constraint ${place} chooses, declared before the plugin, answers for itself`, async (t) => {
      const app = await bare(t, seam, {
        ...before,
        before: (app) => {
          before!.before?.(app)
          app.get('/', TENANT, async () => 'tenant')
        }
      })
      app.get('/', async () => 'all')
      const ask = (...headers: string[]) => sendEarly(app, { headers: ['Host: a.example', ...headers] })
      for (let times = 0; times < 3; times++) {
        t.equal((await ask()).body, 'all')
        t.match(await ask('X-Tenant: a'), { body: 'tenant', isEarly: false })
      }
      t.equal((await ask()).isEarly, seam === 'hook', 'behind the routing the route is known')
    })
  }

  t.test(`early, by ${seam}: a constraint that must match leaves requests with its header to no route`, async (t) => {
    const app = await bare(t, seam, { before: (app) => { app.addConstraintStrategy(strategy({ mustMatchWhenDerived: true }) as never) } })
    app.get('/', async () => 'all')
    for (let times = 0; times < 3; times++) {
      t.equal((await send(app, {})).body, 'all')
      t.equal((await send(app, { headers: ['Host: a.example', 'X-Tenant: b'] })).status, 404)
    }
  })

  t.test(`early, by ${seam}: a constraint whose headers are named allows early answers`, async (t) => {
    const app = Fastify({ ...seam === 'server' ? { serverFactory: earlyServer() } : {}, routerOptions: { constraints: { tenant: strategy() } } } as object) as unknown as FastifyInstance
    t.teardown(() => app.close())
    app.get('/other', TENANT, async () => 'tenant')
    await app.register(cacheCore, { implementation: 'memory' })
    await app.register(cacheEdge, { constraintHeaders: { tenant: ['X-Tenant'] }, rules: [{ prefix: '/', store: true, early: true }] })
    app.get('/', async () => 'all')
    app.get('/', TENANT, async () => 'tenant')
    app.get('/:page', async () => 'page')
    const ask = (target: string, ...headers: string[]) => sendEarly(app, { target, headers: ['Host: a.example', ...headers] })
    for (let times = 0; times < 3; times++) {
      t.equal((await ask('/')).body, 'all')
      t.equal((await ask('/', 'X-Tenant: a')).body, 'tenant')
      t.equal((await ask('/other')).body, 'page')
      t.match(await ask('/other', 'X-Tenant: a'), { body: 'tenant', isEarly: false })
    }
    t.ok(app.cacheEdge.earlyAnswers >= 4, 'the page with and without the header')
  })

  t.test(`early, by ${seam}: a version that a route before the plugin has is no other route's`, async (t) => {
    const app = await bare(t, seam, { before: (app) => { app.get('/', { constraints: { version: '1.0.0' } }, async () => 'one') } })
    app.get('/', async () => 'all')
    for (let times = 0; times < 3; times++) {
      t.equal((await send(app, {})).body, 'all')
      t.equal((await send(app, { headers: ['Host: a.example', 'Accept-Version: 1.x'] })).body, 'one')
    }
    t.ok(app.cacheEdge.earlyAnswers > 0)
  })

  t.test(`early, by ${seam}: an app that closes answers no request early, even while its earlier preClose hooks run`, async (t) => {
    let isDrained = (): void => {}
    let hasBegun = false
    const app = await bare(t, seam, {
      before: (app) => {
        app.addHook('preClose', async () => {
          hasBegun = true
          await new Promise<void>((resolve) => { isDrained = resolve })
        })
      }
    })
    app.get('/', async () => 'page')
    for (let times = 0; times < 3; times++) await send(app, {})
    const before = app.cacheEdge.earlyAnswers
    t.ok(before > 0)
    const closing = app.close()
    await until(() => hasBegun)
    t.match(await send(app, {}), { status: 503, fields: { connection: 'close' } })
    t.equal(app.cacheEdge.earlyAnswers, before)
    isDrained()
    await closing
  })

  t.test(`early, by ${seam}: with return503OnClosing off, an app that closes ends each connection, as without early answers`, async (t) => {
    let isDrained = (): void => {}
    let hasBegun = false
    const app = await bare(t, seam, {
      server: { return503OnClosing: false },
      before: (app) => {
        app.addHook('preClose', async () => {
          hasBegun = true
          await new Promise<void>((resolve) => { isDrained = resolve })
        })
      }
    })
    app.get('/', async () => 'page')
    for (let times = 0; times < 3; times++) await send(app, {})
    const closing = app.close()
    await until(() => hasBegun)
    const socket = connect(await portOf(app), '127.0.0.1').setEncoding('latin1')
    let text = ''
    socket.on('data', (chunk: string) => { text += chunk })
    socket.write('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n')
    await once(socket, 'close')
    t.match(text, /^HTTP\/1\.1 200 [^]*^connection: close\r\n[^]*page$/im)
    isDrained()
    await closing
  })
}

t.test('early: an app whose creation another one came between is answered by the hook', async (t) => {
  const early = earlyServer()
  const app = Fastify({
    serverFactory: (handler, options) => {
      const server = early(handler, options)
      void Fastify()
      return server
    }
  }) as unknown as FastifyInstance
  t.teardown(() => app.close())
  const hooks: string[] = []
  app.addHook('onRequest', async () => { hooks.push('onRequest') })
  await app.register(cacheCore, { implementation: 'memory' })
  await app.register(cacheEdge, { rules: [{ prefix: '/', store: true, early: true }] })
  app.get('/', async () => 'page')
  for (let times = 0; times < 3; times++) await send(app, {})
  t.equal(hooks.length, 3, 'hooks before the plugin run')
  t.equal(app.cacheEdge.earlyAnswers, 2)
})

t.test('early: a constraint that is not named is logged once, with its name', async (t) => {
  for (const isNamed of [false, true]) {
    const lines: string[] = []
    const stream = { write: (line: string) => { lines.push(line) } }
    const app = Fastify({ serverFactory: earlyServer(), logger: { level: 'warn', stream } }) as unknown as FastifyInstance
    t.teardown(() => app.close())
    app.addConstraintStrategy(strategy() as never)
    await app.register(cacheEdge, { rules: [{ prefix: '/', store: true, early: true }], ...isNamed && { constraintHeaders: { tenant: ['X-Tenant'] } } })
    app.get('/', async () => 'page')
    await app.ready()
    t.equal(lines.filter((line) => /"tenant".*constraintHeaders/.test(line)).length, isNamed ? 0 : 1)
  }
})
