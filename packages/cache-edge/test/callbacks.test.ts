import { cacheCore } from '@x/cache-core'
import Fastify, { type FastifyBaseLogger, type FastifyReply } from 'fastify'
import t from 'tap'
import { cacheEdge, type EdgePolicy } from '../src/index.js'
import { early } from './fixtures/early.js'
import { ask, buildEdge, Time, until } from './fixtures/edge-app.js'

/** Makes a logger that collects its warnings. */
function collecting (lines: Array<{ fields: Record<string, any>; message: string }>): FastifyBaseLogger {
  const log = { level: 'info', warn: (fields: Record<string, any>, message: string) => { lines.push({ fields, message }) }, info () {}, error () {}, debug () {}, trace () {}, fatal () {}, silent () {}, child: () => log }
  return log as unknown as FastifyBaseLogger
}

const failingTags: Record<string, () => unknown> = {
  throws: () => { throw new Error('no tags') },
  rejects: async () => { throw new Error('no tags') },
  'gives a promise that never settles': () => new Promise(() => {}),
  'gives nothing': () => undefined,
  'gives what throws as it is read': () => new Proxy(['a'], { get () { throw new Error('no tags') } })
}
for (const [what, tags] of Object.entries(failingTags)) {
  t.test(`tags: a function that ${what} prevents storing, not the response, and is logged once for each route`, async (t) => {
    const lines: Array<{ fields: Record<string, any>; message: string }> = []
    const app = await buildEdge(t, { server: { loggerInstance: collecting(lines) } })
    let runs = 0
    for (const url of ['/a', '/b']) app.get(url, { config: { cache: { store: true, tags: tags as never } } }, async () => `run ${++runs}`)
    for (let turn = 1; turn <= 6; turn++) {
      t.match(await ask(app, turn <= 3 ? '/a' : '/b'), { status: 200, body: `run ${turn}`, headers: { 'cache-control': 'private, no-cache' }, cacheStatus: 'fastify; fwd=bypass; detail=tags' })
    }
    t.same(lines.filter(({ message }) => /tags/.test(message)).map(({ fields }) => fields.route), ['/a', '/b'])
  })
}

t.test('tags: a function that fails for a while: what was stored before is served again behind it', { skip: early.skip('callbacks') }, async (t) => {
  const app = await buildEdge(t)
  app.log.level = 'silent'
  let isBroken = false
  let runs = 0
  app.get('/', { config: { cache: { store: true, tags: () => { if (isBroken) throw new Error('no tags'); return ['a'] } } } }, async () => `run ${++runs}`)
  await ask(app, '/')
  isBroken = true
  t.match(await ask(app, '/'), { status: 200, body: 'run 2' })
  isBroken = false
  t.match(await ask(app, '/'), { body: 'run 1', cacheStatus: /hit/ })
})

const failingCurrent: Record<string, () => unknown> = {
  throws: () => { throw new Error('no tag') },
  rejects: async () => { throw new Error('no tag') },
  'gives a number': () => 7,
  'gives null': async () => null
}
for (const [what, currentTag] of Object.entries(failingCurrent)) {
  t.test(`currentTag: a function that ${what} prevents the tag, not the response; a write with preconditions is not done`, async (t) => {
    const lines: Array<{ fields: Record<string, any>; message: string }> = []
    const app = await buildEdge(t, { server: { loggerInstance: collecting(lines) } })
    const config = { cache: { store: true, currentTag: currentTag as never } }
    let writes = 0
    app.get('/', { config }, async () => 'text')
    app.put('/', { config: { cache: { currentTag: currentTag as never } } }, async () => ++writes)
    for (let turn = 1; turn <= 2; turn++) t.match(await ask(app, '/', { 'if-none-match': '"x"' }), { status: 200, body: 'text' })
    for (const name of ['if-match', 'if-unmodified-since']) t.ok((await ask(app, '/', { [name]: '"x"' }, 'PUT')).status >= 500)
    t.equal(writes, 0)
    t.match(await ask(app, '/', {}, 'PUT'), { status: 200 })
    t.equal(lines.filter(({ message }) => /currentTag/.test(message)).length, 2, 'once for each route')
  })
}

t.test('currentTag: a function that hangs is not waited for', async (t) => {
  const app = await buildEdge(t)
  app.log.level = 'silent'
  app.get('/', { config: { cache: { currentTag: () => new Promise(() => {}) } } }, async () => 'text')
  app.put('/', { config: { cache: { currentTag: () => new Promise(() => {}) } } }, async () => 'done')
  const [read, write] = await Promise.all([ask(app, '/'), ask(app, '/', { 'if-match': '"x"' }, 'PUT')])
  t.match([read, write], [{ status: 200, body: 'text' }, { status: 503, body: /CACHE_ERR_CURRENT_TAG/ }])
})

t.test('a logger that throws harms no response: tags, a failed handler, a refused refresh', async (t) => {
  const time = new Time(t)
  const log = { level: 'warn', warn () { throw new Error('no log') }, info () {}, error () {}, debug () {}, trace () {}, fatal () {}, silent () {}, child: () => log }
  const app = Fastify({ loggerInstance: log as unknown as FastifyBaseLogger })
  t.teardown(() => app.close())
  await app.register(cacheCore as never, { implementation: 'memory', clock: time.clock })
  await app.register(cacheEdge as never, {})
  app.addHook('onRequest', async (request, reply) => request.headers['user-agent'] === undefined ? reply.code(403).send('no') : undefined)
  let runs = 0
  app.get('/tags', { config: { cache: { store: true, tags: () => { throw new Error('no tags') } } } }, async () => 'text')
  app.get('/error', { config: { cache: { store: true, maxAge: 1, staleIfError: 60 } } }, async () => { if (++runs > 1) throw new Error('broken'); return 'text' })
  app.get('/refresh', { config: { cache: { store: true, maxAge: 1, staleWhileRevalidate: 60 } } }, async () => 'text')
  const from = { 'user-agent': 'test' }
  for (let turn = 0; turn < 3; turn++) {
    for (const url of ['/tags', '/error', '/refresh']) t.match(await ask(app, url, from), { status: 200, body: 'text' })
    time.advance(2)
  }
})

const serializers: Record<string, () => unknown> = { throws: () => { throw new Error('no text') }, 'gives nothing': () => undefined, 'gives a number': () => 7, 'gives a promise': async () => 'text' }
for (const [what, serialize] of Object.entries(serializers)) {
  t.test(`a serializer that ${what}: the client has what it has without store, and nobody waits for it`, async (t) => {
    const app = await buildEdge(t, { edge: { coalesceMs: 60_000 } })
    app.log.level = 'silent'
    for (const [url, cache] of [['/plain', undefined], ['/store', { store: true as const }]] as const) {
      app.get(
        url, { config: cache === undefined ? {} : { cache } },
        async (_request, reply: FastifyReply) => reply.serializer(serialize as never).send({ a: 1 })
      )
    }
    const { status, body } = await ask(app, '/plain')
    for (const answer of await Promise.all([ask(app, '/store'), ask(app, '/store'), ask(app, '/store')])) t.match(answer, { status, body })
  })
}

const hooks: Record<string, { [K in 'preSerialization' | 'onSend']?: () => Promise<unknown> }> = {
  'a preSerialization hook that rejects': { preSerialization: async () => { throw new Error('broken') } },
  'an onSend hook that rejects': { onSend: async () => { throw new Error('broken') } }
}
for (const [what, own] of Object.entries(hooks)) {
  for (const [kind, body] of [['an object', () => ({ a: 1 })], ['a stream', () => new Response('text').body]] as const) {
    t.test(`${what} behind ${kind}: no request waits for the response`, async (t) => {
      const app = await buildEdge(t, { edge: { coalesceMs: 60_000 } })
      app.log.level = 'silent'
      app.get('/', { ...own, config: { cache: { store: true } } } as never, async () => body())
      for (const { status } of await Promise.all([ask(app, '/'), ask(app, '/'), ask(app, '/')])) t.ok(status === 500 || kind === 'a stream')
    })
  }
}

t.test('a write whose answer cannot be sent is answered 500 behind its invalidation, and does not end the process', async (t) => {
  const app = await buildEdge(t)
  app.log.level = 'silent'
  const policy: EdgePolicy = { store: true }
  app.get('/', { config: { cache: policy } }, async () => 'text')
  app.post('/', async (_request, reply) => reply.header('x-own', 'a\nb').send('text'))
  await ask(app, '/')
  t.equal((await ask(app, '/', {}, 'POST')).status, 500)
  await until(() => true)
})

t.test('a handler that gives a thenable which is no promise is awaited', async (t) => {
  const app = await buildEdge(t)
  app.get('/', { config: { cache: { store: true } } }, (() => ({ then (resolve: (value: string) => void) { setImmediate(resolve, 'text') } })) as never)
  for (let turn = 0; turn < 2; turn++) t.match(await ask(app, '/'), { status: 200, body: 'text' })
})
