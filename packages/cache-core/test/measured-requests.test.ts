import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { settle } from '@x/test-kit/deferred'
import { FakeTime } from '@x/test-kit/fake-time'
import { cacheCore } from '../src/index.js'
import { MeasuredRequests, RequestMeasurements } from '../src/fastify/measured-requests.js'

type Heard = readonly [kind: string, milliseconds: number | undefined, rest: unknown]

/** Makes an app with one listener that records its calls. */
function measuredApp (t: Test, prepare: (app: FastifyInstance) => void = () => {}) {
  const time = new FakeTime(t)
  const app = Fastify()
  t.teardown(() => app.close())
  prepare(app)
  const measured = new MeasuredRequests(app, () => time.clock)
  const heard: Heard[] = []
  const stop = measured.listen({
    answered: (_reply, milliseconds, payload) => heard.push(['answered', milliseconds, payload]),
    unanswered: (_reply, milliseconds, hasFailed) => heard.push(['unanswered', milliseconds, hasFailed])
  })
  const hanging: FastifyReply[] = []
  app.get('/hang', (_request, reply) => { hanging.push(reply) })
  app.get('/take', (_request, reply) => {
    time.advance(40)
    reply.send('taken')
  })
  /** Sends a request without a response; the returned function ends the connection. */
  const hang = async (): Promise<() => Promise<void>> => {
    if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' })
    const before = hanging.length
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
    socket.write('GET /hang HTTP/1.1\r\nHost: localhost\r\n\r\n')
    while (hanging.length === before) await settle()
    const { raw } = hanging.at(-1)!
    return async () => {
      const closed = once(raw, 'close')
      socket.destroy()
      await closed
    }
  }
  return { app, time, measured, heard, stop, hanging, hang }
}

t.test('answered: receives the payload and the milliseconds from the first hook to the response', async (t) => {
  const { app, heard } = measuredApp(t)
  await app.inject('/take')
  t.same(heard, [['answered', 40, 'taken']])
})

t.test('answered: comes once for a request, although a later hook fails and the error is sent', async (t) => {
  const { app, heard } = measuredApp(t)
  let fails = true
  app.addHook('onSend', async () => {
    if (!fails) return
    fails = false
    throw new Error('broken')
  })
  t.equal((await app.inject('/take')).statusCode, 500)
  t.same(heard, [['answered', 40, 'taken']])
})

t.test('answered: has no duration if a hook before the measurement answered the request', async (t) => {
  const { app, heard } = measuredApp(t, (app) => app.addHook('onRequest', async (_request, reply) => reply.code(429).send('later')))
  await app.inject('/take')
  t.same(heard, [['answered', undefined, 'later']])
})

t.test('answered: requests at once have durations of their own, also when one is answered before an earlier one', async (t) => {
  const { app, time, heard, hanging } = measuredApp(t)
  const first = app.inject('/hang')
  while (hanging.length < 1) await settle()
  time.advance(100)
  const second = app.inject('/hang')
  while (hanging.length < 2) await settle()
  time.advance(20)
  hanging[1]!.send('second')
  await second
  time.advance(1)
  await app.inject('/take')
  hanging[0]!.send('first')
  await first
  t.same(heard, [['answered', 20, 'second'], ['answered', 40, 'taken'], ['answered', 161, 'first']])
})

for (const [seconds, hasFailed] of [[8, true], [5, true], [4, false]] as const) {
  t.test(`unanswered: a connection that ends after ${seconds} s without a response ${hasFailed ? 'has failed' : 'is no failure'}`, async (t) => {
    const { time, heard, hanging, hang } = measuredApp(t)
    time.advance(1000)
    const leave = await hang()
    time.advance(seconds * 1000)
    await leave()
    time.advance(2000)
    t.same(heard, [['unanswered', seconds * 1000, hasFailed]])
    hanging[0]!.send('late')
    t.equal(heard.length, 1, 'the late response is not counted again')
  })
}

t.test('unanswered: a client that leaves before it was looked at is not counted; its late response is', async (t) => {
  const { time, heard, hanging, hang } = measuredApp(t)
  time.advance(1000)
  const leave = await hang()
  await leave()
  time.advance(3000)
  t.same(heard, [])
  const another = await hang()
  hanging[0]!.send('late')
  t.same(heard, [['answered', 3000, 'late']])
  const third = await hang()
  time.advance(6000)
  await another()
  await third()
  time.advance(1000)
  t.same(heard.slice(1), [['unanswered', 6000, true], ['unanswered', 6000, true]], 'each later request has a place of its own')
})

t.test('unanswered: a response past Fastify is not counted, and disturbs no later request', async (t) => {
  const { app, time, heard, hanging, hang } = measuredApp(t)
  time.advance(1000)
  const leave = await hang()
  time.advance(4000)
  hanging[0]!.hijack()
  time.advance(4000)
  await leave()
  time.advance(1000)
  t.same(heard, [])
  await app.inject('/take')
  t.same(heard, [['answered', 40, 'taken']])
})

t.test('listen: each listener receives each request, until it stops', async (t) => {
  const { app, measured, heard, stop } = measuredApp(t)
  const others: unknown[] = []
  measured.listen({ answered: (_reply, milliseconds) => others.push(milliseconds), unanswered: () => {} })
  await app.inject('/take')
  stop()
  await app.inject('/take')
  t.same(heard, [['answered', 40, 'taken']])
  t.same(others, [40, 40])
})

t.test('close: ends the timer', async (t) => {
  const { app, time } = measuredApp(t)
  t.equal(time.pending, 1)
  await app.close()
  t.equal(time.pending, 0)
})

/** Returns the names of the hooks that are added to an app from now on, in order. */
function hooksAddedTo (app: FastifyInstance): string[] {
  const hooks: string[] = []
  const { addHook } = app
  app.addHook = function (this: FastifyInstance, name: string, ...rest: unknown[]) {
    hooks.push(name)
    return (addHook as (...args: unknown[]) => unknown).call(this, name, ...rest)
  } as typeof addHook
  return hooks
}

t.test('of: the listeners of one instance share a pair of hooks and a reading of the clock', async (t) => {
  const time = new FakeTime(t)
  const app = Fastify()
  t.teardown(() => app.close())
  const hooks = hooksAddedTo(app)
  let readings = 0
  const measurements = new RequestMeasurements(() => ({ now: () => { readings++; return time.clock.now() } }))
  for (let listeners = 0; listeners < 3; listeners++) measurements.of(app).listen({ answered: () => {}, unanswered: () => {} })
  t.same(hooks.sort(), ['onClose', 'onRequest', 'onSend'])
  app.get('/', async () => 'root')
  await app.inject('/')
  t.equal(readings, 2)
})

t.test('of: without a listener the core adds no hook to requests', async (t) => {
  for (const [rollout, expected] of [[{ percent: 50 }, []], [{ canary: true as const }, ['onRequest', 'onSend']]] as const) {
    const app = Fastify()
    t.teardown(() => app.close())
    const hooks = hooksAddedTo(app)
    await app.register(cacheCore, { implementation: 'memory', rollout })
    t.same(hooks.filter((name) => !['onReady', 'onClose', 'onRoute'].includes(name)).sort(), expected)
  }
})
