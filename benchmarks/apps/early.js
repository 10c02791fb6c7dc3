// One way of sending the same bytes per process: a constant of Fastify or of node:http, a stored response, an early one.
import { createServer } from 'node:http'
import Fastify from 'fastify'
import { cacheCore } from '@x/cache-core'
import { cacheEdge, earlyServer } from '@x/cache-edge'

const [, , kind] = process.argv
const rows = Array.from({ length: 50 }, (_, id) => ({ id, name: `Product ${id}`, price: id * 1.5, stock: id, tags: ['new', 'sale'], category: 'Games' }))
const body = Buffer.from(JSON.stringify(rows))
const headersOf304 = { etag: 'W/"VGeyJshKdZeISTzuo5sCv/d0mWc="', age: '0', 'cache-status': 'fastify; hit; ttl=59', 'cache-control': 'public, max-age=60, must-revalidate' }
const headers = { 'content-type': 'application/json; charset=utf-8', ...headersOf304 }

async function startFastify () {
  const app = Fastify(kind === 'server' ? { serverFactory: earlyServer() } : {})
  if (kind === 'constant') {
    app.get('/rows', (request, reply) => {
      if (request.headers['if-none-match'] === undefined) reply.headers(headers).send(body)
      else reply.code(304).headers(headersOf304).send()
    })
  } else {
    await app.register(cacheCore, { implementation: 'memory', memory: { isolation: 'freeze' } })
    await app.register(cacheEdge, { rules: [{ prefix: '/rows', store: true, early: kind !== 'stored' }] })
    app.get('/rows', async () => rows)
  }
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server
}

async function startNode () {
  const full = Object.entries({ ...headers, 'content-length': String(body.length) }).flat()
  const notModified = Object.entries(headersOf304).flat()
  const server = createServer((request, response) => {
    if (request.headers['if-none-match'] === undefined) response.writeHead(200, full).end(body)
    else response.writeHead(304, notModified).end()
  })
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return server
}

const server = await (kind === 'node' ? startNode() : startFastify())
let cpu
process.on('disconnect', () => process.exit())
process.on('message', (action) => {
  if (action === 'begin') cpu = process.cpuUsage()
  process.send(process.cpuUsage(cpu))
})
process.send(server.address().port)
