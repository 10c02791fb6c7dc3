import { cacheRedis } from '@x/cache-redis'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { PATIENT_REDIS } from '@x/test-kit/patient-redis'
import { RedisServer, until } from '@x/test-kit/redis-server'
import type { AddressInfo } from 'node:net'
import { cacheEdge, earlyServer } from '../../src/index.js'
import { ask } from '../fixtures/edge-app.js'

const server = await RedisServer.start()
t.teardown(() => server.close())
let made = 0
/** Functions that end the wait of each waiting handler. */
const waiting: Array<() => void> = []

/** Builds apps for several processes that share one Redis. */
async function buildApps (t: Test, count: number): Promise<{ apps: FastifyInstance[]; runs: number[] }> {
  const keyPrefix = `edge${++made}:`
  const runs = Array<number>(count).fill(0)
  const apps = await Promise.all(runs.map(async (_none, at) => {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(cacheRedis, { url: server.url, keyPrefix, ...PATIENT_REDIS })
    await app.register(cacheEdge)
    app.get('/item', { config: { cache: { store: true, vary: ['accept'], tags: ['item'], maxAge: 60 } } }, async (_request, reply) => {
      runs[at]!++
      return reply.type('application/octet-stream').send(Buffer.from([0, 255, runs[at]!]))
    })
    app.post('/item', async () => 'done')
    app.get('/grouped', { config: { cache: { store: true } } }, async (request, reply) => {
      if (request.url.endsWith('wait')) await new Promise<void>((resolve) => { waiting.push(resolve) })
      return reply.header('cache-groups', '"a"').send('page')
    })
    app.post('/group', async (_request, reply) => reply.header('cache-group-invalidation', '"a"').send('done'))
    await app.ready()
    return app
  }))
  return { apps, runs }
}

t.test('redis: a response that one process stored is served by another, byte for byte', async (t) => {
  const { apps: [one, other], runs } = await buildApps(t, 2)
  const first = await one!.inject('/item')
  await until('it is stored', async () => /hit/.test((await ask(other!, '/item')).cacheStatus))
  const second = await other!.inject('/item')
  t.same(second.rawPayload, first.rawPayload)
  t.match(second.headers, { etag: first.headers.etag, 'content-type': 'application/octet-stream', vary: /accept/ })
  t.match(await ask(other!, '/item', { 'if-none-match': String(first.headers.etag) }), { status: 304, body: '' })
  t.equal(runs[0], 1)
})

t.test('redis: an invalidation by one process, or an unsafe method, is heard by the other', async (t) => {
  const { apps: [one, other] } = await buildApps(t, 2)
  const isHit = async (): Promise<boolean> => /hit/.test((await ask(other!, '/item')).cacheStatus)
  for (const invalidate of [() => one!.cache.tags.invalidate('item'), () => ask(one!, '/item', {}, 'POST')]) {
    await until('it is kept', isHit)
    await invalidate()
    await until('it is gone', async () => !await isHit())
  }
})

t.test('redis: a cache group that one process invalidates while the handler of another runs: that response is not stored', async (t) => {
  const { apps: [one, other] } = await buildApps(t, 2)
  await one!.inject('/grouped')
  await until('it is kept', async () => /hit/.test((await ask(other!, '/grouped')).cacheStatus))
  const running = ask(other!, '/grouped?wait')
  await until('the handler runs', async () => waiting.length === 1)
  t.equal((await ask(one!, '/group', {}, 'POST')).status, 200)
  waiting.pop()!()
  t.equal((await running).status, 200)
  await until('the group is gone', async () => /uri-miss/.test((await ask(other!, '/grouped')).cacheStatus))
  const again = ask(one!, '/grouped?wait')
  await until('the handler runs again, since nothing was stored', async () => waiting.length === 1)
  waiting.pop()!()
  t.match(await again, { status: 200, cacheStatus: /uri-miss/ })
})

t.test('redis: early answers come from the near cache, and end with an invalidation by another process', async (t) => {
  const keyPrefix = `edge${++made}:`
  let runs = 0
  const [one, other] = await Promise.all([true, false].map(async (near) => {
    const app = Fastify({ serverFactory: earlyServer() }) as unknown as FastifyInstance
    t.teardown(() => app.close())
    await app.register(cacheRedis, { url: server.url, keyPrefix, near, ...PATIENT_REDIS })
    await app.register(cacheEdge, { rules: [{ prefix: '/item', store: true, early: true, vary: ['accept'], tags: ['item'] }] })
    app.get('/item', async () => `run ${++runs}`)
    await app.listen({ port: 0, host: '127.0.0.1' })
    return app
  }))
  const bodyOf = async (app: FastifyInstance): Promise<string> => (await fetch(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}/item`, { headers: { host: 'a.example' } })).text()
  await until('it answers early', async () => {
    await bodyOf(one!)
    return one!.cacheEdge.earlyAnswers > 0
  })
  const before = await bodyOf(one!)
  await other!.cache.tags.invalidate('item')
  await until('it is made anew', async () => await bodyOf(one!) !== before)
  const after = one!.cacheEdge.earlyAnswers
  await until('it answers early again', async () => {
    t.equal(await bodyOf(one!), `run ${runs}`)
    return one!.cacheEdge.earlyAnswers > after
  })
  for (let times = 0; times < 3; times++) await bodyOf(other!)
  t.equal(other!.cacheEdge.earlyAnswers, 0, 'not without copies in the process')
})

t.test('redis: a server that is away does not keep the handler from answering', async (t) => {
  const { apps: [app], runs } = await buildApps(t, 1)
  await server.kill()
  t.match(await ask(app!, '/item'), { status: 200, cacheStatus: /fwd=/ })
  t.equal(runs[0], 1)
  await server.start()
})
