import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { EdgePolicy } from '../src/policy-options.js'
import { ask, buildEdge, Time, until, type EdgeSetup } from './fixtures/edge-app.js'
import { receive, unread } from './fixtures/wire.js'

type Handler = (request: FastifyRequest, reply: FastifyReply, run: number) => unknown
interface Scene {
  readonly app: FastifyInstance; readonly port: number; readonly state: { runs: number; atOnce: number; most: number; arrived: number }
}

/** Makes a listening app whose route `/` counts its runs, and how many of them ran at the same time. */
async function scene (t: Test, handler: Handler, cache: EdgePolicy = {}, setup: EdgeSetup = {}): Promise<Scene> {
  const app = await buildEdge(t, { ...setup, edge: { coalesceMs: 60_000, ...setup.edge } })
  app.log.level = 'silent'
  const state = { runs: 0, atOnce: 0, most: 0, arrived: 0 }
  app.addHook('preHandler', async () => { state.arrived++ })
  app.get('/', { config: { cache: { store: true, ...cache } } }, async (request, reply) => {
    state.most = Math.max(state.most, ++state.atOnce)
    try {
      return await handler(request, reply, ++state.runs)
    } finally {
      state.atOnce--
    }
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { app, port: (app.server.address() as AddressInfo).port, state }
}

/** Rejects when the client has disconnected, as `fetch` does for an aborted signal. */
function untilAborted ({ signal }: FastifyRequest): Promise<never> {
  return new Promise((_resolve, reject) => { signal.addEventListener('abort', () => reject(new DOMException('This operation was aborted', 'AbortError'))) })
}

const told: Record<string, Handler> = {
  'rejects with an AbortError': (request) => untilAborted(request),
  'answers 499': async (request, reply) => {
    await untilAborted(request).catch(() => {})
    return reply.code(499).send('gone')
  },
  'sends an Error': async (request, reply) => {
    await untilAborted(request).catch(() => {})
    return reply.send(new Error('gone'))
  },
  'gives what it has so far': async (request) => {
    await untilAborted(request).catch(() => {})
    return 'half'
  },
  'sends a stream that it ends there': async (request, reply) => {
    const stream = new PassThrough()
    stream.write('ha')
    request.signal.addEventListener('abort', () => stream.end('lf'))
    return reply.type('text/plain').send(stream)
  },
  'never ends': async (request) => {
    await untilAborted(request).catch(() => {})
    return new Promise(() => {})
  }
}
for (const [what, handler] of Object.entries(told)) {
  t.test(`a handler that is told that its client has left and ${what}: another request runs its own, the others have that one's answer`, async (t) => {
    const { port, state } = await scene(t, async (request, reply, run) => {
      if (run === 1) return handler(request, reply, run)
      await wait(20)
      return 'whole'
    })
    const leader = await unread(port, '/')
    await until(() => state.runs === 1)
    const others = Array.from({ length: 20 }, () => receive(port, '/'))
    await until(() => state.arrived === 21)
    leader.destroy()
    for (const { status, body, end } of await Promise.all(others)) t.same([status, body, end], [200, 'whole', 'whole'])
    t.equal(state.runs, 2)
    t.match((await receive(port, '/')).headers['cache-status'], /hit/, 'it was stored')
  })
}

t.test('clients that leave one after another: one handler run at a time, and the last one has its response', async (t) => {
  const { port, state } = await scene(t, async (request, _reply, run) => run <= 5 ? untilAborted(request) : 'whole')
  const clients = []
  for (let count = 1; count <= 5; count++) {
    clients.push(await unread(port, '/'))
    await until(() => state.arrived === count)
  }
  const last = receive(port, '/')
  await until(() => state.arrived === 6)
  for (let run = 1; run <= 5; run++) {
    await until(() => state.runs === run)
    clients[run - 1]!.destroy()
  }
  t.same([(await last).body, state.runs, state.most], ['whole', 6, 1])
})

t.test('clients that leave while they wait: none of them runs the handler', async (t) => {
  const { port, state } = await scene(t, async (request, _reply, run) => run === 1 ? untilAborted(request) : 'whole')
  const leader = await unread(port, '/')
  await until(() => state.runs === 1)
  const waiting = await Promise.all(Array.from({ length: 5 }, () => unread(port, '/')))
  await until(() => state.arrived === 6)
  for (const client of waiting) client.destroy()
  await wait(50)
  leader.destroy()
  t.equal((await receive(port, '/')).body, 'whole')
  t.equal(state.runs, 2)
})

t.test('a handler that fails since its client has left ends nothing that is stored, and is no failure of the origin', async (t) => {
  for (const how of ['throws', 'answers 404'] as const) {
    const time = new Time(t)
    const { app, port, state } = await scene(t, async (request, reply, run) => {
      if (run === 1) return 'old'
      if (run > 2) return 'new'
      await untilAborted(request).catch(() => {})
      if (how === 'throws') throw new Error('aborted')
      return reply.code(404).send('gone')
    }, { maxAge: 1, staleIfError: 600 }, { time })
    await ask(app, '/', { host: `127.0.0.1:${port}` })
    time.advance(2)
    const client = await unread(port, '/')
    await until(() => state.runs === 2)
    client.destroy()
    await until(() => state.atOnce === 0)
    t.same((await receive(port, '/')).body, 'new', how)
  }
})

t.test('a handler that was not told goes on, and what it makes is stored', async (t) => {
  let release!: () => void
  const { port, state } = await scene(t, async () => {
    await new Promise<void>((resolve) => { release = resolve })
    return 'whole'
  })
  const leader = await unread(port, '/')
  await until(() => state.runs === 1)
  const other = receive(port, '/')
  await until(() => state.arrived === 2)
  leader.destroy()
  await wait(50)
  release()
  t.equal((await other).body, 'whole')
  t.equal(state.runs, 1)
})

t.test('a handler that never ends closes its key for a time, not for the life of the process', async (t) => {
  const time = new Time(t)
  const { port, state } = await scene(t, async (_request, _reply, run) => run === 1 ? new Promise(() => {}) : `run ${run}`, {}, { time, edge: { coalesceMs: 10_000 } })
  const hung = await unread(port, '/')
  await until(() => state.runs === 1)
  time.advance(31)
  t.equal((await receive(port, '/')).body, 'run 2')
  t.match((await receive(port, '/')).headers['cache-status'], /hit/)
  hung.destroy()
})

t.test('request.signal of a route with handlerTimeout: a timeout is a failure of the handler, also while its client is there', async (t) => {
  const time = new Time(t)
  const app = await buildEdge(t, { time })
  app.log.level = 'silent'
  let runs = 0
  app.get('/', { handlerTimeout: 50, config: { cache: { store: true, maxAge: 1, staleIfError: 600 } } }, async (request) => ++runs === 1 ? 'old' : untilAborted(request))
  await ask(app, '/')
  time.advance(2)
  t.match(await ask(app, '/'), { status: 200, body: 'old', cacheStatus: /stale-if-error/ })
})
