import { MemoryCache, type Cache } from '@x/cache-core'
import { err, unavailable } from '@x/cache-core/implementing'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ask, buildEdge, Time, until, type Answer, type EdgeSetup } from './fixtures/edge-app.js'

type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>

async function settle (): Promise<void> {
  for (let turns = 0; turns < 50; turns++) await nextTurn()
}

/** Builds an app with a hook in front of the handler that refuses requests which do not come from a client of the test. */
async function scene (t: Test, refuse: Hook, setup: EdgeSetup = {}) {
  const time = new Time(t)
  const lines: Array<Record<string, any>> = []
  const app = await buildEdge(t, { time, ...setup })
  const state = { runs: 0, refused: 0, lines }
  app.addHook('onRequest', async (request, reply) => {
    Object.assign(request.log, { warn: (fields: object, message: string) => { lines.push({ ...fields, message }) } })
    if (request.headers['user-agent'] === 'test') return
    state.refused++
    return refuse(request, reply)
  })
  app.get('/:page', { config: { cache: { store: true, maxAge: 10, staleWhileRevalidate: 600 } } }, async () => `run ${++state.runs}`)
  const get = async (url = '/a'): Promise<Answer> => {
    const answer = await ask(app, url, { 'user-agent': 'test' })
    await settle()
    return answer
  }
  return { app, time, state, get }
}

const refusals: Record<string, Hook> = {
  'answers 403': async (_request, reply) => reply.code(403).send('no'),
  'throws a 401': async () => { throw Object.assign(new Error('who?'), { statusCode: 401 }) },
  'answers 404': async (_request, reply) => reply.code(404).send('no'),
  'redirects to https': async (_request, reply) => reply.redirect('https://a.example/', 301),
  'answers 200 itself': async (_request, reply) => reply.send('maintenance')
}
for (const [what, refuse] of Object.entries(refusals)) {
  t.test(`a hook that ${what} to a background refresh: it is tried once, told once for the route, and the next client waits`, async (t) => {
    const { state, time, get } = await scene(t, refuse)
    for (const url of ['/a', '/b']) {
      const first = (await get(url)).body
      time.advance(11)
      t.match(await get(url), { status: 200, body: first, cacheStatus: /hit/ }, 'nobody knows yet')
      const next = await get(url)
      t.not(next.body, first)
      t.match(next, { status: 200, cacheStatus: 'fastify; fwd=stale' })
      t.match(await get(url), { body: next.body, cacheStatus: /hit/ }, 'and was stored')
      time.advance(11)
      for (let turn = 0; turn < 5; turn++) await get(url)
    }
    t.equal(state.refused, 2, 'once for each URL')
    t.match(state.lines, [{ route: '/:page', status: Number, message: /refused a background refresh/ }])
    t.equal(state.lines.length, 1)
  })
}

t.test('a hook that refused a refresh is asked again after a while', async (t) => {
  const { state, time, get } = await scene(t, async (_request, reply) => reply.code(403).send('no'))
  await get()
  time.advance(11)
  await get()
  time.advance(580)
  await get()
  time.advance(20)
  await get()
  t.equal(state.refused, 2)
})

for (const status of [408, 425, 429, 500, 503]) {
  t.test(`a hook that answers ${status} to a background refresh: it is retried after growing pauses and logged once, and the old response remains`, async (t) => {
    const { state, time, get } = await scene(t, async (_request, reply) => reply.code(status).send('later'))
    await get()
    time.advance(11)
    for (const [attempts, seconds] of [[1, 1], [2, 1], [2, 1], [3, 3], [3, 1], [4, 0]] as const) {
      for (let turn = 0; turn < 3; turn++) t.match(await get(), { status: 200, body: 'run 1', cacheStatus: /hit/ })
      t.equal(state.refused, attempts)
      time.advance(seconds)
    }
    t.match(state.lines, [{ route: '/:page', status, message: /background refresh failed/ }])
    t.equal(state.lines.length, 1)
  })
}

t.test('a refresh whose answer the store does not take is not tried at every request', async (t) => {
  let isFull = false
  class Full extends MemoryCache {
    override set: MemoryCache['set'] = async (...args) => isFull ? err(unavailable('set')) : super.set(...args)
  }
  const time = new Time(t)
  const app = await buildEdge(t, { core: { implementation: new Full({}) as Cache, clock: time.clock } })
  let runs = 0
  app.get('/', { config: { cache: { store: true, maxAge: 10, staleWhileRevalidate: 600 } } }, async () => `run ${++runs}`)
  await ask(app, '/')
  time.advance(11)
  isFull = true
  for (let turn = 0; turn < 5; turn++) {
    t.match(await ask(app, '/'), { body: 'run 1' })
    await settle()
  }
  t.equal(runs, 2)
  isFull = false
  time.advance(1)
  await ask(app, '/')
  await settle()
  t.match(await ask(app, '/'), { body: 'run 3', cacheStatus: /hit/ })
})

t.test('a refresh that a hook never lets go is given up, and tried again', async (t) => {
  const { setTimeout } = globalThis
  t.teardown(() => { globalThis.setTimeout = setTimeout })
  const { state, time, get } = await scene(t, () => new Promise(() => {}))
  await get()
  time.advance(11)
  // Only the time limit of a refresh, 30 s, is shortened.
  globalThis.setTimeout = ((run: () => void, ms: number) => setTimeout(run, ms === 30_000 ? 1 : ms)) as typeof setTimeout
  await get()
  await until(() => state.lines.length === 1)
  globalThis.setTimeout = setTimeout
  await get()
  t.equal(state.refused, 1, 'not at once')
  time.advance(1)
  await get()
  t.equal(state.refused, 2)
  t.match(state.lines, [{ route: '/:page', message: /has not ended in time/ }])
})
