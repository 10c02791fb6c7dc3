import httpProxy from '@fastify/http-proxy'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { ask, buildEdge, Time } from './fixtures/edge-app.js'

t.test('x', async (t) => {
  const time = new Time(t)
  const lines: string[] = []
  const app = await buildEdge(t, { time, server: { logger: { level: 'info', stream: { write: (l: string) => { lines.push(l) } } } as object }, edge: { rules: [{ prefix: '/', store: 'by-response' }] } })
  let fail = false
  const server = createServer((request, response) => { response.statusCode = fail ? 503 : 200; response.setHeader('cache-control', 'max-age=10, stale-if-error=60'); response.setHeader('etag', '"v"'); response.end('page') })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  await app.register(httpProxy, { upstream: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  console.log(await ask(app, '/a'))
  console.log(await ask(app, '/a'))
  time.advance(11)
  fail = true
  console.log(await ask(app, '/a'))
  console.log(lines.join(''))
})
