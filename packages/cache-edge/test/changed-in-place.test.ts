import type { FastifyInstance } from 'fastify'
import { Readable, Transform } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ask, buildEdge, Time } from './fixtures/edge-app.js'

const PAGE = Buffer.from('-----page')

/** Writes the name of a client into the body, as the hook of the app does. */
function sign (body: Buffer, name: unknown): Buffer {
  if (typeof name === 'string') body.write(name, 0)
  return body
}

/** Builds an app with an onSend hook that changes bodies in place, for clients that send a name. */
async function build (t: Test, time?: Time): Promise<FastifyInstance> {
  const app = await buildEdge(t, time === undefined ? {} : { time })
  app.addHook('onSend', async ({ headers: { 'x-name': name } }, _reply, payload) => {
    if (Buffer.isBuffer(payload)) return sign(payload, name)
    if (!(payload instanceof Readable)) return payload
    return payload.pipe(new Transform({ transform: (chunk: Buffer, _encoding, done) => done(null, sign(chunk, name)) }))
  })
  return app
}

t.test('a body that an onSend hook changes in place for one waiting client is that of no other', async (t) => {
  const app = await build(t)
  let go = (): void => {}
  app.get('/', { config: { cache: { store: true } } }, async () => {
    await new Promise<void>((resolve) => { go = resolve })
    return Buffer.from(PAGE)
  })
  const first = ask(app, '/')
  for (let turns = 0; turns < 100; turns++) await nextTurn()
  const others = [ask(app, '/', { 'x-name': 'alice' }), ask(app, '/'), ask(app, '/', { 'x-name': 'bobby' }), ask(app, '/')]
  for (let turns = 0; turns < 100; turns++) await nextTurn()
  go()
  const answers = await Promise.all([first, ...others])
  t.same(answers.map(({ body }) => body), ['-----page', 'alicepage', '-----page', 'bobbypage', '-----page'])
  t.match(answers.slice(1).map(({ cacheStatus }) => cacheStatus), Array(4).fill(/collapsed/), 'all of them waited')
  t.match(await ask(app, '/'), { body: '-----page', cacheStatus: /hit/ })
})

t.test('a stream whose chunks an onSend hook changes in place is stored as the handler made it', async (t) => {
  const app = await build(t)
  app.get('/', { config: { cache: { store: true } } }, async () => Readable.from([Buffer.from(PAGE)], { objectMode: false }))
  t.equal((await ask(app, '/', { 'x-name': 'alice' })).body, 'alicepage')
  t.match(await ask(app, '/'), { body: '-----page', cacheStatus: /hit/ })
})

t.test('a validated answer whose body an onSend hook changes in place is stored as it was', async (t) => {
  const time = new Time(t)
  const app = await build(t, time)
  app.get('/', { config: { cache: { store: true, maxAge: 60 } } }, async (request, reply) => {
    if (request.headers['if-none-match'] === '"1"') return reply.code(304).send()
    return reply.header('etag', '"1"').send(Buffer.from(PAGE))
  })
  t.equal((await ask(app, '/')).body, '-----page')
  time.advance(61)
  t.match(await ask(app, '/', { 'x-name': 'alice' }), { body: 'alicepage', cacheStatus: /fwd-status=304/ })
  t.match(await ask(app, '/'), { body: '-----page', cacheStatus: /hit/ })
})
