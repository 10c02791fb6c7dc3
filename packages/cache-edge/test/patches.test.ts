import Fastify, { type FastifyInstance } from 'fastify'
import { Readable } from 'node:stream'
import t from 'tap'
import { beforeFirstRead, boundName, checkFastify, clearError, contextOf, interceptSend, isHeadHook, missingIn, ReplacedProperties, restoreSend, serializerOf, signalOf, UNKNOWN } from '../src/fastify/patches.js'
import { buildEdge } from './fixtures/edge-app.js'
import { warningsTo, type Warning } from './fixtures/warnings.js'

t.test('patches: this version of Fastify has every private property that the edge reads', async (t) => {
  t.same(missingIn(Fastify()), [])
})

t.test('patches: the start says once which private properties a version of Fastify lacks, and nothing where it has them', async (t) => {
  const warnings: Warning[] = []
  const app = await buildEdge(t, { server: warningsTo(warnings) })
  await app.ready()
  t.same(warnings.filter(({ msg }) => msg.includes('private properties')), [])
  checkFastify(app, () => ['reply.serializer'])
  t.match(warnings.at(-1), { fastify: app.version, missing: ['reply.serializer'], msg: /use Fastify 5\.12/ })
  t.same(missingIn({ log: app.log } as FastifyInstance), ['the classes of request and reply'])
  class Bare { get signal () { return undefined } }
  const bare = { [Symbol('fastify.Reply')]: Bare, [Symbol('fastify.Request')]: Bare, log: app.log } as unknown as FastifyInstance
  t.same(missingIn(bare), ['reply.serializer', 'reply.isError', 'reply.send', 'request.signal', 'request.context'])
})

t.test('patches: the check at start stops no app: not one with a decorator named signal, nor one whose Fastify it cannot look into', async (t) => {
  const warnings: Warning[] = []
  const app = await buildEdge(t, { server: warningsTo(warnings) })
  app.decorateRequest('signal' as never, { getter () { return (this as { raw: { socket: { remoteAddress: string } } }).raw.socket.remoteAddress } } as never)
  await app.ready()
  t.same(warnings.filter(({ msg }) => msg.includes('private properties')), [])
  checkFastify(app, () => { throw new Error('closed to it') })
  t.match(warnings.at(-1), { missing: [], err: { message: 'closed to it' }, msg: /private properties/ })
})

t.test('patches: a version of Fastify without request.signal lacks nothing', async (t) => {
  class Own { get [Symbol('fastify.context')] () { return {} } }
  const own = { [Symbol('fastify.Reply')]: Own, [Symbol('fastify.Request')]: Own, log: Fastify().log } as unknown as FastifyInstance
  t.notOk(missingIn(own).includes('request.signal'))
})

t.test('patches: what Fastify shows of a request and its reply', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.addHook('onSend', function hookOfApp (_request, _reply, _payload, done) { done() })
  const heads: string[] = []
  app.addHook('onRoute', (route) => { if (route.method === 'HEAD') heads.push(...[route.onSend ?? []].flat().filter((hook) => isHeadHook(hook as never)).map(({ name }) => name)) })
  app.get('/', async (request, reply) => {
    t.equal(serializerOf(reply), null)
    const own = (): string => 'x'
    reply.serializer(own)
    t.equal(serializerOf(reply), own)
    t.equal(signalOf(request), undefined)
    const { signal } = request
    t.equal(signalOf(request), signal)
    t.equal(contextOf(request)?.onSend?.at(-1)?.name, boundName('hookOfApp'))
    const sent: unknown[] = []
    interceptSend(reply, (payload) => { sent.push(payload); return reply })
    reply.send('dropped')
    restoreSend(reply)
    t.same([sent, Object.hasOwn(reply, 'send')], [['dropped'], false])
    return {}
  })
  t.equal((await app.inject('/')).body, 'x')
  t.equal(heads.length, 1, 'the body of a HEAD is taken away by a hook of this name')
  t.equal(serializerOf({} as never), UNKNOWN)
  t.doesNotThrow(() => clearError({} as never))
  t.equal(contextOf({} as never), undefined)
})

t.test('patches: after clearError a payload is no error to Fastify', async (t) => {
  const app = Fastify({ handlerTimeout: 20 })
  t.teardown(() => app.close())
  app.get('/', (_request, reply) => {
    interceptSend(reply, (_error, send) => {
      restoreSend(reply)
      clearError(reply)
      reply.code(200)
      return send('stale')
    })
  })
  t.match(await app.inject('/'), { statusCode: 200, body: 'stale' })
})

t.test('patches: beforeFirstRead is called before a stream makes its first chunk, once', async (t) => {
  const events: string[] = []
  const chunks = ['a', 'b', null]
  const stream = new Readable({ read () { events.push('read'); this.push(chunks.shift()) } })
  beforeFirstRead(stream, () => events.push('before'))
  t.equal(Buffer.concat(await stream.toArray() as Buffer[]).toString(), 'ab')
  t.equal(events[0], 'before')
  t.equal(events.filter((event) => event === 'before').length, 1)
})

t.test('patches: replaced properties have their own values again, a covered getter included', async (t) => {
  const object = Object.create({ get host () { return 'h' } }, { headers: { value: 1, writable: true } }) as { host: string; headers: number }
  const replaced = new ReplacedProperties()
  replaced.replace(object, 'headers', 2)
  replaced.cover(object, 'host', 'other')
  replaced.show()
  t.match(object, { headers: 2, host: 'other' })
  replaced.hide()
  t.match(object, { headers: 1, host: 'h' })
  t.equal(Object.hasOwn(object, 'host'), false)
})
