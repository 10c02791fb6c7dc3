import type { FastifyRequest } from 'fastify'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { ask, buildEdge } from './fixtures/edge-app.js'
import { isHit } from './fixtures/page.js'
import { isStored, send } from './fixtures/two-clients.js'

/** Reads the body of a request, whose signal Fastify aborts when the body has been read. */
async function readAll (request: FastifyRequest): Promise<boolean> {
  const { signal } = request
  for await (const chunk of request.raw) t.equal(chunk, '')
  for (let turns = 0; turns < 100 && !signal.aborted; turns++) await wait(1)
  return signal.aborted
}

t.test('a response is stored although its handler asked for request.signal and read request.raw', async (t) => {
  const app = await buildEdge(t)
  let runs = 0
  app.get('/', { config: { cache: { store: true } } }, async (request) => `${String(await readAll(request))} ${++runs}`)
  const first = await send(app, {})
  t.match(first, { status: 200, body: 'true 1' }, 'Fastify has aborted the signal')
  t.ok(isStored(await send(app, {})))
  t.equal(runs, 1)
})

t.test('requests that wait for such a handler share its response, and do not run one after the other', async (t) => {
  const app = await buildEdge(t)
  let runs = 0
  app.get('/', { config: { cache: { store: true } } }, async (request) => {
    await readAll(request)
    await wait(20)
    return `run ${++runs}`
  })
  const answers = await Promise.all(Array.from({ length: 10 }, () => send(app, {})))
  t.same([...new Set(answers.map(({ body }) => body))], ['run 1'])
})

t.test('so is a stream of such a handler', async (t) => {
  const { Readable } = await import('node:stream')
  const app = await buildEdge(t)
  app.get('/', { config: { cache: { store: true } } }, async (request) => {
    await readAll(request)
    return Readable.from(['a', 'b'])
  })
  t.match((await send(app, {})).body, /a[^]*b/, 'in chunks')
  const second = await send(app, {})
  t.equal(second.body, 'ab')
  t.ok(isStored(second))
})

t.test('what a handler answers once its handlerTimeout has stopped it is not stored', async (t) => {
  const app = await buildEdge(t)
  let runs = 0
  app.get('/', { handlerTimeout: 10, config: { cache: { store: true } } }, (request, reply) => {
    runs++
    request.signal.addEventListener('abort', () => { reply.send('half of it') })
  })
  for (const run of [1, 2]) {
    const answer = await ask(app, '/')
    t.equal(answer.body, 'half of it')
    t.notOk(isHit(answer))
    t.equal(runs, run)
  }
})
