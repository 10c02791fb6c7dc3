// A server with one route, in one of several kinds. With the edge: `cached`, `early-server`, `early-hook`; without it: `constant`,
// `constant304`, `plain`, and `cacheable`, a constant for a shared cache in front of the app; with bare node:http: `node`, `node304`.
// `start` returns the port.
import { createServer } from 'node:http'
import Fastify from 'fastify'
import { cacheCore } from '@x/cache-core'
import { cacheEdge, earlyServer } from '@x/cache-edge'

/** The rows of the response. */
export const rows = Array.from({ length: 50 }, (_, id) => ({ id, name: `Product ${id}`, price: id * 1.5, stock: id, tags: ['new', 'sale'], category: 'Games' }))
const body = Buffer.from(JSON.stringify(rows))
const tag = 'W/"VGeyJshKdZeISTzuo5sCv/d0mWc="'
const cacheControl = 'public, max-age=60, must-revalidate'
// The headers of a stored response and of its 304, so that the rivals send the same number of bytes.
const headers = { 'content-type': 'application/json; charset=utf-8', etag: tag, age: '0', 'cache-status': 'fastify; hit; ttl=59', 'cache-control': cacheControl }
const { 'content-type': _, ...headersOf304 } = headers
// A cache in front of the app adds Age and Cache-Status itself. The response is fresh for as long as the measurement lasts.
const cacheable = { 'content-type': headers['content-type'], etag: tag, 'cache-control': 'public, max-age=3600' }

export async function start (kind) {
  if (kind.startsWith('node')) return startNode(kind)
  const app = Fastify(kind === 'early-server' ? { serverFactory: earlyServer() } : {})
  if (kind === 'cached' || kind.startsWith('early')) {
    await app.register(cacheCore, { implementation: 'memory', memory: { isolation: 'freeze' } })
    await app.register(cacheEdge, { rules: [{ prefix: '/rows', store: true, early: kind !== 'cached' }] })
  }
  if (kind === 'constant') app.get('/rows', (_request, reply) => { reply.headers(headers).send(body) })
  else if (kind === 'cacheable') app.get('/rows', (_request, reply) => { reply.headers(cacheable).send(body) })
  else if (kind === 'constant304') app.get('/rows', (_request, reply) => { reply.code(304).headers(headersOf304).send() })
  else app.get('/rows', async () => rows.map((row) => ({ ...row })))

  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server.address().port
}

async function startNode (kind) {
  const full = Object.entries({ ...headers, 'content-length': String(body.length) }).flat()
  const notModified = Object.entries(headersOf304).flat()
  const server = createServer((_request, response) => {
    if (kind === 'node') response.writeHead(200, full).end(body)
    else response.writeHead(304, notModified).end()
  })
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return server.address().port
}
