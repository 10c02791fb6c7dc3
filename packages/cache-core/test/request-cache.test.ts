import { cacheCore, coreOf, MemoryCache, type FastifyCache } from '@x/cache-core'
import { hasUser } from '@x/cache-core/suite'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import { bareApp, buildApp } from '@x/test-kit/build-app'
import { deferred } from '@x/test-kit/deferred'
import { countsOf } from '@x/test-kit/make-client'

type Options = Parameters<typeof buildApp>[1]
const byHeader = (request: FastifyRequest): string => String(request.headers['x-user'])

/** Makes an app whose one route loads through request.cache and responds with its arm. */
async function armedApp (t: Test, rollout: NonNullable<Options>['rollout'] = {}): Promise<FastifyInstance> {
  const app = await buildApp(t, { implementation: 'memory', rollout: { key: byHeader, ...rollout } })
  app.get('/arm', async (request) => {
    await request.cache.getOrSet('user:1', () => 1)
    return coreOf(app)!.armOf(request)
  })
  return app
}

async function armOf (app: FastifyInstance, user: string, url = '/arm'): Promise<string> {
  return (await app.inject({ url, headers: { 'x-user': user } })).body
}

t.test('request.cache: percent 0 is control, 100 is cached', async (t) => {
  for (const [percent, arm, label] of [[0, 'control', 'null'], [100, 'cached', 'memory']] as const) {
    const app = await armedApp(t, { percent })
    for (const user of ['ada', 'bob', 'eve']) t.equal(await armOf(app, user), arm)
    t.match(countsOf(app.cache.registry, label), { hits: percent === 0 ? 0 : 2, misses: percent === 0 ? 3 : 1 })
  }
})

t.test('request.cache: percent 50 splits the subjects, each always the same way', async (t) => {
  const app = await armedApp(t, { percent: 50 })
  const { rollout } = app.cache.registry
  const users = Array.from({ length: 40 }, (_, at) => `user-${at}`)
  const arms = await Promise.all(users.map((user) => armOf(app, user)))
  t.same(arms, users.map((user) => rollout.includes(user) ? 'cached' : 'control'))
  t.same(new Set(arms), new Set(['cached', 'control']))
  t.same(await Promise.all(users.map((user) => armOf(app, user))), arms)
  rollout.percent = 80
  const later = await Promise.all(users.map((user) => armOf(app, user)))
  t.ok(arms.every((arm, at) => arm === 'control' || later[at] === 'cached'), 'raising it only adds')
})

t.test('request.cache: a subject that is no string or number would be the same for everybody, so it is the control arm and an error', async (t) => {
  for (const subject of [{ id: 1 }, undefined, null, NaN, Symbol('user'), () => 'user', ['ada']]) {
    const app = await armedApp(t, { percent: 99.9, key: (() => subject) as never })
    t.equal(await armOf(app, 'ada'), 'control')
    t.equal(app.cache.registry.controlStats.errors.get('implementation'), 1)
  }
  const app = await armedApp(t, { percent: 99.9, key: (() => 42) as never })
  t.equal(await armOf(app, 'ada'), 'cached')
})

t.test('request.cache: the subject is the id of the user, else the address', async (t) => {
  const app = await buildApp(t, { implementation: 'memory', rollout: { percent: 50 } })
  app.decorateRequest('user', undefined as never)
  app.addHook('preHandler', async (request) => {
    const user = request.headers['x-user']
    if (user !== undefined) Object.assign(request, { user: { id: user === 'number' ? 42 : user === 'none' ? {} : user } })
  })
  app.get('/arm', async (request) => { void request.cache; return coreOf(app)!.armOf(request) })
  const { rollout } = app.cache.registry
  for (let salt = 0; salt < 10; salt++) {
    rollout.salt = String(salt)
    const expected = (subject: string) => rollout.includes(subject) ? 'cached' : 'control'
    t.equal(await armOf(app, 'ada'), expected('ada'))
    t.equal(await armOf(app, 'number'), expected('42'))
    t.equal(await armOf(app, 'none'), expected('127.0.0.1'))
    t.equal((await app.inject('/arm')).body, expected('127.0.0.1'))
  }
})

t.test('request.cache: is control before the handler phase, and drawn at its first use in it', async (t) => {
  const app = await armedApp(t, { percent: 99.99 })
  const seen: string[] = []
  for (const name of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const) {
    app.addHook(name, async (request: FastifyRequest) => {
      await request.cache.getOrSet('hook:1', () => 1)
      seen.push(coreOf(app)!.armOf(request))
    })
  }
  app.get('/late', async (request) => {
    await request.cache.getOrSet('user:1', () => 1)
    return coreOf(app)!.armOf(request)
  })
  t.equal(await armOf(app, 'ada', '/late'), 'cached')
  t.same(seen, ['none', 'none', 'none', 'none'])
  t.match([...app.cache.registry.controlStats.counters.values()], [{ keyPattern: 'hook', misses: 4 }])
})

t.test('request.cache: who is asked for is known when the arm is drawn, in whatever order hooks were added', async (t) => {
  const app = bareApp(t)
  app.register(cacheCore, { implementation: 'memory', rollout: { percent: 50, key: (request) => (request as any).user.id } })
  app.decorateRequest('user', undefined as never)
  app.after(() => {
    app.get('/arm', { preHandler: async (request) => { Object.assign(request, { user: { id: request.headers['x-user'] } }) } },
      async (request) => { void request.cache; return coreOf(app)!.armOf(request) })
  })
  await app.ready()
  const users = Array.from({ length: 20 }, (_, at) => `user-${at}`)
  t.same(await Promise.all(users.map((user) => armOf(app, user))), users.map((user) => app.cache.registry.rollout.includes(user) ? 'cached' : 'control'))
})

t.test('request.cache: a route declared before the plugin has loaded takes part', async (t) => {
  const app = bareApp(t)
  app.register(cacheCore, { implementation: 'memory', rollout: { percent: 50, key: byHeader } })
  app.get('/arm', async (request) => { void request.cache; return coreOf(app)!.armOf(request) })
  await app.ready()
  const users = Array.from({ length: 20 }, (_, at) => `user-${at}`)
  t.same(await Promise.all(users.map((user) => armOf(app, user))), users.map((user) => app.cache.registry.rollout.includes(user) ? 'cached' : 'control'))
})

t.test('request.cache: so does what answers unknown routes', async (t) => {
  const app = await buildApp(t, { implementation: 'memory', rollout: { percent: 99.99 } })
  app.setNotFoundHandler(async (request) => { void request.cache; return coreOf(app)!.armOf(request) })
  t.equal((await app.inject('/unknown')).body, 'cached')
})

t.test('request.cache: a subject function that throws leaves the request in control, unharmed', async (t) => {
  const app = await armedApp(t, { percent: 50, key: () => { throw new Error('no user') } })
  t.equal(await armOf(app, 'ada'), 'control')
  t.equal(app.cache.registry.controlStats.errors.get('implementation'), 1)
})

t.test('request.cache: a change of the rollout in the middle of a request does not move it', async (t) => {
  const app = await buildApp(t, { implementation: 'memory' })
  const gates = [deferred(), deferred()]
  app.get<{ Params: { at: number } }>('/slow/:at', async (request) => {
    const before: FastifyCache = request.cache
    await gates[request.params.at]!.promise
    return { isSame: request.cache === before, arm: coreOf(app)!.armOf(request) }
  })
  await app.ready()
  const cached = app.inject('/slow/0')
  await new Promise(setImmediate)
  app.cache.registry.rollout.percent = 0
  const control = app.inject('/slow/1')
  await new Promise(setImmediate)
  app.cache.registry.rollout.percent = 100
  for (const gate of gates) gate.resolve()
  t.same((await cached).json(), { isSame: true, arm: 'cached' })
  t.same((await control).json(), { isSame: true, arm: 'control' })
})

t.test('request.cache: the allow-list decides by key, for requests that are in', async (t) => {
  const app = await buildApp(t, { implementation: 'memory', rollout: { allow: ['user'] } })
  app.get('/', async (request) => {
    for (const key of ['user:1', 'order:1']) await request.cache.getOrSet(key, () => 1)
    return coreOf(app)!.armOf(request)
  })
  await app.inject('/')
  t.equal((await app.inject('/')).body, 'cached')
  t.match(countsOf(app.cache.registry, 'memory'), { hits: 1, misses: 1 })
  t.match(countsOf(app.cache.registry, 'null'), { hits: 0, misses: 2 })
})

t.test('armOf: none without use, control in front of a pass-through implementation', async (t) => {
  const app = await buildApp(t)
  app.get('/none', async (request) => coreOf(app)!.armOf(request))
  app.get('/some', async (request) => { await request.cache.getOrSet('user:1', () => 1); return coreOf(app)!.armOf(request) })
  t.equal((await app.inject('/none')).body, 'none')
  t.equal((await app.inject('/some')).body, 'control')
  app.cache.registry.register(new MemoryCache())
  t.equal((await app.inject('/some')).body, 'cached')
})

t.test('request.cache: is there in plugins, HEAD routes and handlers of every kind, with its own this', async (t) => {
  const app = await buildApp(t, { implementation: 'memory', rollout: { percent: 99.99 } })
  app.register(async (child) => {
    child.get('/this', function namedHandler (request, reply) {
      void request.cache
      reply.header('x-arm', coreOf(this)!.armOf(request)).send({ isChild: this === child })
    })
  }, { prefix: '/child' })
  const response = await app.inject('/child/this')
  t.same(response.json(), { isChild: true })
  t.equal(response.headers['x-arm'], 'cached')
  t.equal((await app.inject({ method: 'HEAD', url: '/child/this' })).headers['x-arm'], 'cached')
})

t.test('hasUser: whatever a hook has found out is a user, placeholders are not, and what cannot be read is one', async (t) => {
  const isUser = (user: unknown): boolean => hasUser({ user } as never)
  t.same([{ id: 1 }, {}, 'ada', 7, 0, true, []].map(isUser), Array(7).fill(true))
  t.same([undefined, null, '', false].map(isUser), Array(4).fill(false))
  t.notOk(hasUser({} as never))
  t.ok(hasUser(Object.defineProperty({}, 'user', { get () { throw new Error('no session') } }) as never))
})
