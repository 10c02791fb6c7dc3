import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { canShareUrl } from '../src/fastify/constraints.js'
import { cacheEdge, PolicyInvalid, type CacheEdgeOptions, type EdgePolicy } from '../src/index.js'
import { ask, buildEdge, Time, until } from './fixtures/edge-app.js'
import { isHit } from './fixtures/page.js'

/** Makes a constraint that selects a route by X-Tenant. */
function tenant (name = 'tenant'): object {
  return {
    name,
    storage: () => {
      const routes = new Map<string, unknown>()
      return { get: (value: string) => routes.get(value) ?? null, set: (value: string, route: unknown) => { routes.set(value, route) } }
    },
    deriveConstraint: (request: FastifyRequest['raw']) => request.headers['x-tenant']
  }
}

const KNOWN: CacheEdgeOptions = { constraintHeaders: { tenant: ['X-Tenant'] } }
const constraints = (value: object): { constraints: NonNullable<RouteOptions['constraints']> } => ({ constraints: value as NonNullable<RouteOptions['constraints']> })

async function build (t: Test, edge: CacheEdgeOptions = KNOWN, time?: Time): Promise<FastifyInstance> {
  return buildEdge(
    t, { edge, server: { routerOptions: { constraints: { tenant: tenant() } } } as never, ...time !== undefined && { time } }
  )
}

const refused = { code: 'CACHE_ERR_POLICY_INVALID', message: /"tenant".*constraintHeaders/ }

t.test('a route that a constraint of the app\'s own chose is refused where it is unknown by which headers', async (t) => {
  for (const cache of [{}, { store: true }, { store: 'by-response' }, { vary: ['accept-language'] }, { scope: 'private', maxAge: 5 }] as EdgePolicy[]) {
    const app = await build(t, {})
    t.throws(() => app.get('/', { ...constraints({ tenant: 'a' }), config: { cache } }, async () => 'a'), refused, JSON.stringify(cache))
  }
  const app = await build(t, { rules: [{ prefix: '/' }], personal: ['/me'] })
  t.throws(() => app.get('/', constraints({ tenant: 'a' }), async () => 'a'), PolicyInvalid)
  app.get('/me', constraints({ tenant: 'a' }), async () => 'a')
  app.get('/none', { ...constraints({ tenant: 'a' }), config: { cache: false } }, async () => 'a')
  app.post('/', constraints({ tenant: 'a' }), async () => 'a')
})

t.test('so is a route that takes the requests without that constraint, in either order', async (t) => {
  const first = await build(t, {})
  first.get('/x', constraints({ tenant: 'a' }), async () => 'a')
  t.throws(() => first.get('/x', { config: { cache: {} } }, async () => 'b'), refused)
  t.throws(() => first.get('/*', { config: { cache: {} } }, async () => 'b'), refused)
  first.get('/y', { config: { cache: {} } }, async () => 'b')
  const second = await build(t, {})
  second.get('/:id', { config: { cache: {} } }, async () => 'b')
  t.throws(() => second.get('/x', constraints({ tenant: 'a' }), async () => 'a'), refused)
})

t.test('a strategy of the app\'s own under a known name is not the known one', async (t) => {
  for (const name of ['version', 'host']) {
    const app = await buildEdge(t, { server: { routerOptions: { constraints: { [name]: tenant(name) } } } as never })
    t.throws(() => app.get('/', { ...constraints({ [name]: 'a' }), config: { cache: {} } }, async () => 'a'), PolicyInvalid)
    const named = await buildEdge(t, { edge: { constraintHeaders: { [name]: ['X-Tenant'] } }, server: { routerOptions: { constraints: { [name]: tenant(name) } } } as never })
    named.get('/', { ...constraints({ [name]: 'a' }), config: { cache: {} } }, async () => 'a')
    t.equal((await ask(named, '/', { 'x-tenant': 'a' })).headers.vary, 'x-tenant, cookie')
  }
})

for (const [name, store] of Object.entries({ 'without store': false, 'by policy': true, 'by response': 'by-response' } as const)) {
  t.test(`what chose the route is in Vary and in the key, also of the route that takes the others: ${name}`, async (t) => {
    for (const isFirst of [true, false]) {
      const app = await build(t)
      const cache: EdgePolicy = { store }
      const answer = (text: string) => async (_request: FastifyRequest, reply: { header: (name: string, value: string) => unknown }) => {
        reply.header('cache-control', 'public, max-age=60')
        return text
      }
      if (isFirst) app.get('/x', { config: { cache } }, answer('others'))
      for (const value of ['a', 'b']) app.get('/x', { ...constraints({ tenant: value }), config: { cache } }, answer(value))
      if (!isFirst) app.get('/*', { config: { cache } }, answer('others'))
      for (const times of [1, 2]) {
        for (const [value, body] of [['a', 'a'], ['b', 'b'], [undefined, 'others'], ['c', 'others']] as const) {
          const reply = await ask(app, '/x', value === undefined ? {} : { 'x-tenant': value })
          t.match(reply, { body, headers: { vary: 'x-tenant' } }, `${String(value)}, ${times}`)
          t.equal(isHit(reply), store !== false && times === 2)
        }
      }
    }
  })
}

t.test('a version is in Vary of the route without one as well', async (t) => {
  const app = await buildEdge(t)
  app.get('/x', { config: { cache: {} } }, async () => 'none')
  app.get('/y', { config: { cache: {} } }, async () => 'none')
  app.get('/x', { ...constraints({ version: '1.0.0' }), config: { cache: {} } }, async () => '1')
  for (const headers of [{}, { 'accept-version': '1.x' }] as Array<Record<string, string>>) t.equal((await ask(app, '/x', headers)).headers.vary, 'accept-version, cookie')
  t.equal((await ask(app, '/y')).headers.vary, 'cookie')
})

for (const [what, header, choose] of [['a constraint of the app\'s own', 'x-tenant', { tenant: 'a' }], ['a version', 'accept-version', { version: '1.0.0' }]] as const) {
  for (const [name, store] of Object.entries({ 'by policy': true, 'by response': 'by-response' } as const)) {
    t.test(`a background refresh goes to the route that ${what} chose, ${name}`, async (t) => {
      const time = new Time(t)
      const app = await build(t, KNOWN, time)
      let runs = 0
      app.get('/x', { config: { cache: false } }, async () => 'others')
      app.get('/x', { ...constraints(choose), config: { cache: { store } } }, async (_request, reply) => {
        reply.header('cache-control', 'max-age=10, stale-while-revalidate=60')
        return `run ${++runs}`
      })
      const headers = { [header]: Object.values(choose)[0]! }
      await ask(app, '/x', headers)
      time.advance(11)
      t.equal((await ask(app, '/x', headers)).body, 'run 1')
      await until(() => runs === 2)
      await new Promise((resolve) => { setImmediate(resolve) })
      await until(() => true)
      t.match(await ask(app, '/x', headers), { body: 'run 2', cacheStatus: /hit; ttl=10/ })
    })
  }
}

t.test('a parameter takes the empty text, so its route names what chooses the one of the bare slash', async (t) => {
  const app = await build(t)
  app.get('/', { ...constraints({ tenant: 'a' }), config: { cache: {} } }, async () => 'a')
  app.get('/:page', { config: { cache: {} } }, async () => 'page')
  for (const [headers, body] of [[{ 'x-tenant': 'a' }, 'a'], [{}, 'page']] as const) t.match(await ask(app, '/', headers), { body, headers: { vary: 'x-tenant' } })
  const unnamed = await build(t, {})
  unnamed.get('/', constraints({ tenant: 'a' }), async () => 'a')
  t.throws(() => unnamed.get('/:page', { config: { cache: {} } }, async () => 'page'), refused)
})

t.test('a constraint that reads nothing but the URL needs no Vary', async (t) => {
  const app = await build(t, { constraintHeaders: { tenant: [] } })
  app.get('/x', { config: { cache: {} } }, async () => 'x')
  app.get('/x', { ...constraints({ tenant: 'a' }), config: { cache: {} } }, async () => 'x')
  t.equal((await ask(app, '/x')).headers.vary, 'cookie')
})

t.test('constraintHeaders: a wrong name is an option error, and one that makes a response personal is refused with store', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await t.rejects(async () => app.register(cacheEdge, { constraintHeaders: { tenant: ['a b'] } }), { code: 'CACHE_ERR_OPTION_INVALID' })
  const other = await build(t, { constraintHeaders: { tenant: ['Cookie'] } })
  t.throws(() => other.get('/', { ...constraints({ tenant: 'a' }), config: { cache: { store: true } } }, async () => 'a'), PolicyInvalid)
})

for (const [one, other, canShare] of [
  ['/a', '/a', true], ['/a', '/A/', true], ['/a', '/b', false], ['/a/b', '/a', false], ['/:id', '/a', true], ['/:id', '/a/b', false], ['/a/:id?', '/a', true], ['/a/:id?', '/a/b', true],
  ['/a/:x-:y', '/a/1-2', true], ['/*', '/a/b/c', true], ['/a/*', '/a', true], ['/a/*', '/b', false], ['/a/:id/c', '/a/b/:name', true], ['/', '/', true], ['*', '/', true], ['/a/:id(^\\d+$)', '/a/x', true], ['/a/:x(^b/c$)', '/a/b/c', true],
  ['/', '/:x', true], ['/a/', '/a/:x', true], ['/a', '/a/:x', false], ['/:x/', '/:x/:y', true], ['/a/', '/a/:x/c', false], ['/a/', '/a/b', false]
] as const) {
  t.test(`canShareUrl: ${one} and ${other}`, async (t) => {
    t.equal(canShareUrl(one, other), canShare)
    t.equal(canShareUrl(other, one), canShare)
  })
}
