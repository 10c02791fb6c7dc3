// Routes with and without the edge, one process per kind: `constant`, `constant304`, `cached`, `plain`, `edge`. `start` returns the port.
import Fastify from 'fastify'
import { cacheCore } from '@x/cache-core'
import { cacheEdge } from '@x/cache-edge'

const rows = Array.from({ length: 50 }, (_, id) => ({ id, name: `Product ${id}`, price: id * 1.5, stock: id, tags: ['new', 'sale'], category: 'Games' }))
const body = Buffer.from(JSON.stringify(rows))
const tag = 'W/"VGeyJshKdZeISTzuo5sCv/d0mWc="'
const cacheControl = 'public, max-age=60, must-revalidate'
// The headers of a hit and of its 304, so that both sides send equally many bytes.
const headers = { 'content-type': 'application/json; charset=utf-8', etag: tag, age: '0', 'cache-status': 'fastify; hit; ttl=59', 'cache-control': cacheControl }
const { 'content-type': _, ...headersOf304 } = headers

export async function start (kind) {
  const app = Fastify()
  if (kind === 'cached') {
    await app.register(cacheCore, { implementation: 'memory', memory: { isolation: 'freeze' } })
    await app.register(cacheEdge, { rules: [{ prefix: '/rows', store: true }] })
  }
  if (kind === 'edge') await app.register(cacheEdge, { rules: [{ prefix: '/rows' }] })
  if (kind === 'constant') app.get('/rows', (_request, reply) => { reply.headers(headers).send(body) })
  else if (kind === 'constant304') app.get('/rows', (_request, reply) => { reply.code(304).headers(headersOf304).send() })
  else app.get('/rows', async () => rows.map((row) => ({ ...row })))

  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server.address().port
}
