import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { cacheMetrics, type CacheMetricsOptions } from '../../src/index.js'
import { run } from '../fixtures/run-cli.js'

/** Starts listening until the test ends; returns the address of the app. */
async function listen (t: Test, app: FastifyInstance): Promise<string> {
  t.teardown(() => app.close())
  return app.listen({ port: 0, host: '127.0.0.1' })
}

/** Starts an app to which repeated requests for a few users were sent; returns its address. */
async function observed (t: Test, prefix = '', advisor: CacheMetricsOptions['advisor'] = true): Promise<string> {
  const app = Fastify()
  const url = await (async () => {
    await app.register(async (part) => {
      await part.register(cacheMetrics, { advisor })
      part.get('/users/:id', async (request) => {
        const { id } = request.params as { id: string }
        return request.cache.getOrSet(`user:${id}`, async () => ({ id }), { ttl: 60 })
      })
    }, { prefix })
    return listen(t, app)
  })()
  for (let at = 0; at < 300; at++) await app.inject(`${prefix}/users/${at % 10}`)
  return `${url}${prefix}`
}

/** Starts a server that sends the same response to every request. */
async function answering (t: Test, status: number, body: string, headers: Record<string, string> = {}): Promise<string> {
  const app = Fastify()
  app.get('/*', (_request, reply) => { void reply.code(status).headers(headers).type('application/json').send(body) })
  return listen(t, app)
}

t.test('report: is that of the app', async (t) => {
  const url = await observed(t)
  const { status, stdout, stderr } = await run(['report', '--app', url, '--format', 'json'])
  t.equal(stderr, '')
  const report = JSON.parse(stdout)
  t.match(report, { version: 1, source: 'this process', requests: 300 })
  const user = report.advice.find(({ name }: { name: string }) => name === 'user')
  t.match(user, { kind: 'pattern' })
  t.ok(user.hitRate > 0.9)
  t.equal(status, { go: 0, 'no-go': 1 }[report.verdict as string] ?? 2)
  t.match((await run(['report', '--app', url])).stdout, /^# Cache advice\n[^]*\| user \|/)
  t.match((await run(['report', '--app', url, '--format', 'text'])).stdout, /^CACHE ADVICE\n[^]*\nuser +/)
})

t.test('report: the app may have a path of its own', async (t) => {
  const url = await observed(t, '/api/v1')
  t.equal((await run(['report', '--app', `${url}/`])).stderr, '')
})

t.test('gates: are those of the app', async (t) => {
  const url = await observed(t, '', { minDays: 0 })
  const { status, stdout } = await run(['gates', '--app', url, '--format', 'json'])
  const found = JSON.parse(stdout)
  t.match(found, { source: 'this process', gates: [{ name: 'Edge hit rate' }] })
  t.equal(status, { go: 0, 'no-go': 1 }[found.verdict as string] ?? 2)
  const markdown = await run(['gates', '--app', url])
  t.match(markdown.stdout, /\| Candidate volume \|/)
  t.notMatch(markdown.stdout, /Key Pattern/)
  t.equal(markdown.status, status)
})

t.test('plan: is that of the app', async (t) => {
  const url = await observed(t)
  const { status, stdout } = await run(['plan', '--app', url])
  t.equal(status, 0)
  t.match(stdout, /"allow": \[\n *"user"/)
})

t.test('report: headers and the URL\'s user are sent, and never shown', async (t) => {
  const seen: unknown[] = []
  const app = Fastify()
  app.get('/*', async (request, reply) => {
    seen.push(request.headers)
    return reply.code(403).send('s3cret s4cret')
  })
  const url = new URL(await listen(t, app))
  const { status, stdout, stderr } = await run(['report', '--app', `http://us%40er:s3cret@${url.host}/x?token=s3cret`, '--header', 'X-Guard: s4cret ', '--header', 'x-other:1'])
  t.match(seen, [{ authorization: `Basic ${Buffer.from('us@er:s3cret').toString('base64')}`, 'x-guard': 's4cret', 'x-other': '1', accept: 'application/json' }])
  t.equal(status, 3)
  t.equal(stdout, '')
  t.match(stderr, /403.*--header/)
  t.notMatch(stderr, /s3cret|s4cret/)
})

t.test('report: a redirect is not followed, for the headers are for this server', async (t) => {
  let asked = 0
  const other = Fastify()
  other.get('/*', async () => { asked++ })
  const url = await answering(t, 302, '', { location: `${await listen(t, other)}/` })
  const { status, stderr } = await run(['report', '--app', url, '--header', 'x-guard: 1'])
  t.equal(status, 3)
  t.match(stderr, /answers 302, a redirect/)
  t.equal(asked, 0)
})

t.test('report: an answer that is none is one sentence', async (t) => {
  const answers: Array<[number, string, RegExp]> = [
    [404, '{}', /answers 404: is @x\/cache-metrics registered/],
    [401, '{}', /answers 401: .*--header/],
    [500, '{"stack":"at x"}', /answers 500\n$/],
    [200, '<html>', /not with JSON/],
    [200, '', /not with JSON/],
    [200, '{"version":2}', /report of form 2/],
    ...['null', '[]', '"x"', '{}', '{"version":1}', '{"version":1,"generatedAt":"","source":"","observedSeconds":"9","requests":1,"verdict":"go","advice":[],"gates":[],"notes":[]}',
      '{"version":1,"generatedAt":"","source":"","observedSeconds":9,"requests":1,"verdict":"go","advice":[{}],"gates":[],"notes":[]}'].map((body): [number, string, RegExp] => [200, body, /not with a report/])
  ]
  for (const [status, body, sentence] of answers) {
    const ran = await run(['report', '--app', await answering(t, status, body)])
    t.equal(ran.status, 3, body)
    t.equal(ran.stdout, '')
    t.match(ran.stderr, sentence)
    t.match(ran.stderr, /^cache-advisor: .*\n$/)
  }
})

t.test('report: what a terminal would obey is left out', async (t) => {
  const body = JSON.stringify({ version: 1, generatedAt: 'now', source: 'a\u001b[2Jb\u009bc\rd', observedSeconds: 1, requests: 1, verdict: 'go', advice: [], gates: [], notes: ['x\u0007'] })
  const { stdout } = await run(['report', '--app', await answering(t, 200, body)])
  t.match(stdout, /from a\\\[2Jbc d:/)
  t.notMatch(stdout, /[^\P{Cc}\n]/u)
})

t.test('report: a verdict that the rows of the app do not carry is not repeated, nor its status', async (t) => {
  const gate = { name: 'Candidate volume', formula: 'rate', source: 'this process', threshold: '> 1', unit: 'per second', verdict: 'not enough data' }
  const good = { kind: 'pattern', name: 'item', verdict: 'good', priority: 'HIGH', requestsPerHour: 1, ttl: 1, entries: 1, hitRate: 1, margin: 0 }
  const body = JSON.stringify({ version: 1, generatedAt: 'now', source: 'this process', observedSeconds: 1, requests: 1, verdict: 'go', advice: [good], gates: [gate], notes: [] })
  const { status, stdout } = await run(['report', '--app', await answering(t, 200, body)])
  t.match(stdout, 'Verdict: **not enough data** (advice: go, gates: not enough data).')
  t.equal(status, 2)
})

for (const [what, sent, status] of [
  ['in its fields', { verdict: 'poor: a reason', judgement: { kind: 'poor', reason: 'a reason' } }, 1],
  ['as text alone', { verdict: 'poor: a reason: with a colon' }, 1],
  ['of a kind that is unknown here', { verdict: 'doubtful', judgement: { kind: 'doubtful' } }, 2],
  ['that is not enough data', { verdict: 'not enough data: 1 request of 200' }, 2]
] as Array<[string, object, number]>) {
  t.test(`plan: a verdict ${what} gives the exit status ${status}`, async (t) => {
    const row = { kind: 'pattern', name: 'item', requestsPerHour: 1, ttl: 1, entries: 1, hitRate: 0, margin: 0, ...sent }
    const body = JSON.stringify({ version: 1, generatedAt: 'now', source: 'this process', observedSeconds: 1, requests: 1, verdict: 'no-go', advice: [row], gates: [], notes: [] })
    t.match(await run(['plan', '--app', await answering(t, 200, body)]), { status })
    t.match((await run(['report', '--app', await answering(t, 200, body)])).stdout, (sent as { verdict: string }).verdict)
  })
}

t.test('report: what would change a verdict is passed on in each format', async (t) => {
  const judgement = { kind: 'unsafe', reason: 'differs by user', remedy: 'A key that includes user' }
  const row = { kind: 'pattern', name: 'item', verdict: 'unsafe: differs by user', judgement, requestsPerHour: 1, ttl: 1, entries: 1, hitRate: 0, margin: 0 }
  const body = JSON.stringify({ version: 1, generatedAt: 'now', source: 'this process', observedSeconds: 1, requests: 1, verdict: 'no-go', advice: [row], gates: [], notes: [] })
  const url = await answering(t, 200, body)
  t.match(JSON.parse((await run(['report', '--app', url, '--format', 'json'])).stdout), { advice: [{ judgement }] })
  t.match((await run(['report', '--app', url])).stdout, '\n- item: A key that includes user\n')
  t.match((await run(['report', '--app', url, '--format', 'text'])).stdout, '\n- item: A key that includes user\n')
})

t.test('report: a server that is not there, hangs, or breaks off', async (t) => {
  const server = createServer((request, response) => {
    if (request.url!.startsWith('/hang')) return
    response.writeHead(200, { 'content-type': 'application/json' })
    response.write('{"version":')
    if (request.url!.startsWith('/break')) setImmediate(() => response.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.closeAllConnections(); server.close() })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.match(await run(['report', '--app', `${url}/hang`], { timeoutMs: 300 }), { status: 3, stderr: `cache-advisor: ${url}/hang/internal/cache/advice did not answer within 0.3 s\n` })
  t.match(await run(['report', '--app', `${url}/slow`], { timeoutMs: 300 }), { status: 3, stderr: /did not answer within 0.3 s/ })
  t.match(await run(['report', '--app', `${url}/break`]), { status: 3, stderr: /cannot be reached/ })

  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port } = closed.address() as AddressInfo
  await new Promise((resolve) => closed.close(resolve))
  t.match(await run(['report', '--app', `http://127.0.0.1:${port}`]), { status: 3, stderr: /cannot be reached \(ECONNREFUSED\)/ })
})
