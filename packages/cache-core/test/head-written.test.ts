import Fastify from 'fastify'
import { ServerResponse } from 'node:http'
import t from 'tap'
import { whenHeadIsWritten } from '../src/suite.js'

t.test('whenHeadIsWritten: calls back once, behind functions that replaced writeHead before and in front of none that replace it later', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const events: unknown[] = []
  const listen = (where: string) => (raw: ServerResponse): void => {
    const { writeHead } = raw
    raw.writeHead = function (...args: unknown[]) { events.push(where); return writeHead.apply(raw, args as [number]) } as typeof writeHead
  }
  app.get('/', async (_request, reply) => {
    listen('earlier')(reply.raw)
    whenHeadIsWritten(reply.raw, (status) => events.push(status, reply.raw.headersSent))
    listen('later')(reply.raw)
    return reply.code(203).send('x')
  })
  t.equal((await app.inject('/')).statusCode, 203)
  t.same(events, ['later', 'earlier', 203, true])
})

t.test('whenHeadIsWritten: leaves the response as it found it, also beside a second listener', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const statuses: number[] = []
  app.get('/', async (_request, reply) => {
    const { raw } = reply
    whenHeadIsWritten(raw, (status) => statuses.push(status))
    whenHeadIsWritten(raw, (status) => statuses.push(status))
    raw.once('finish', () => t.equal(Object.hasOwn(raw, 'writeHead'), false))
    return 'x'
  })
  await app.inject('/')
  t.same(statuses, [200, 200])
})

t.test('whenHeadIsWritten: a head that cannot be written is reported, and the one in its place called back', async (t) => {
  const events: string[] = []
  const raw = new ServerResponse({ method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1 } as never)
  whenHeadIsWritten(raw, (status) => events.push(`written ${status}`), () => events.push('failed'))
  t.throws(() => raw.writeHead(200, { 'x-bad': 'no\nline' }), { code: 'ERR_INVALID_CHAR' })
  raw.writeHead(500)
  t.same(events, ['failed', 'written 500'])
})
