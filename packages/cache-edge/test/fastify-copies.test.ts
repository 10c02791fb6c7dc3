import { cacheCore } from '@x/cache-core'
import { cacheMetrics } from '@x/cache-metrics'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'
import { cacheEdge } from '../src/index.js'
import { ask, Time } from './fixtures/edge-app.js'

const require = createRequire(import.meta.url)

/** Loads Fastify as another package of a monorepo would have it: with separate modules, and therefore separate symbols. */
function copyOfFastify (): typeof Fastify {
  const kept = Object.entries(require.cache).filter(([file]) => /[\\/]node_modules[\\/]fastify[\\/]/.test(file))
  for (const [file] of kept) delete require.cache[file]
  try {
    return require('fastify') as typeof Fastify
  } finally {
    for (const [file, module] of kept) require.cache[file] = module
  }
}

interface Scene { app: FastifyInstance; runs: string[]; time: Time }

/** Builds an app with one route for each way in which the edge reads private properties of Fastify. */
async function build (t: Test, fastify: typeof Fastify, time: Time): Promise<Scene> {
  const app = fastify() as FastifyInstance
  t.teardown(() => app.close())
  await app.register(cacheCore, { implementation: 'memory', clock: time.clock })
  await app.register(cacheMetrics)
  await app.register(cacheEdge)
  const runs: string[] = []
  const store = { config: { cache: { store: true } } } as const
  app.get('/text', store, async () => { runs.push('text'); return 'text' })
  app.get('/json', store, async () => { runs.push('json'); return { a: 1 } })
  app.get('/stream', store, async (_request, reply) => { runs.push('stream'); return reply.type('text/plain').send(Readable.from(['stream'])) })
  app.get('/serializer', store, async (_request, reply) => {
    runs.push('serializer')
    return reply.type('application/json').serializer((value: unknown) => JSON.stringify({ wrapped: value })).send({ a: 1 })
  })
  let fails = false
  app.get('/failing', { config: { cache: { store: true, maxAge: 10, staleIfError: 60 } } }, async () => {
    if (fails) throw new Error('x')
    fails = true
    return 'old'
  })
  return { app, runs, time }
}

const EXPECTED = { '/text': 'text', '/json': '{"a":1}', '/stream': 'stream', '/serializer': '{"wrapped":{"a":1}}' }

async function check (t: Test, { app, runs, time }: Scene): Promise<void> {
  for (const [url, body] of Object.entries(EXPECTED)) {
    for (const asked of ['first', 'second']) t.match(await ask(app, url), { status: 200, body }, `${url}, asked the ${asked} time`)
  }
  t.match(await ask(app, '/text'), { cacheStatus: /; hit/ })
  t.same([...new Set(runs)], ['text', 'json', 'stream', 'serializer'])
  t.match(await ask(app, '/failing'), { status: 200, body: 'old' })
  time.advance(11)
  t.match(await ask(app, '/failing'), { status: 200, body: 'old' }, 'the error of the handler is not what is sent')
  time.advance(60)
  t.match(await ask(app, '/failing'), { status: 500, body: /"message":"x"/ }, 'nor is it lost')
}

t.test('two copies of Fastify in one process: stored routes of neither answer 500', async (t) => {
  const copy = copyOfFastify()
  t.not(copy, Fastify)
  const time = new Time(t)
  const [first, second, third] = [await build(t, Fastify, time), await build(t, copy, time), await build(t, Fastify, time)]
  for (const scene of [first, second, third]) await check(t, scene)
})

t.test('two copies of Fastify in one process: requests by turns see what is stored in their own app', async (t) => {
  const time = new Time(t)
  const scenes = [await build(t, copyOfFastify(), time), await build(t, Fastify, time), await build(t, copyOfFastify(), time)]
  for (const url of Object.keys(EXPECTED) as Array<keyof typeof EXPECTED>) {
    for (let turn = 0; turn < 3; turn++) {
      for (const { app } of scenes) t.match(await ask(app, url), { status: 200, body: EXPECTED[url] }, url)
    }
  }
  for (const { runs } of scenes) t.same(runs.filter((run) => run === 'json'), ['json'])
})
