// A server with one route, in one of several kinds. With the edge: `cached`, `early-server`, `early-hook`; without it: `constant`,
// `constant304`, `plain`, and `cacheable`, which is a constant response for a shared cache in front of the app. With bare node:http:
// `node`, `node304`. `start` returns the port.
import { createServer } from 'node:http'
import Fastify from 'fastify'
import { cacheCore } from '@x/cache-core'
import { cacheEdge, earlyServer } from '@x/cache-edge'

/** The rows that the response contains as JSON. */
export const rows = Array.from({ length: 50 }, (_, id) => ({ id, name: `Product ${id}`, price: id * 1.5, stock: id, tags: ['new', 'sale'], category: 'Games' }))
const body = Buffer.from(JSON.stringify(rows))
// A cache in front of the app adds Age and Cache-Status itself. The response is fresh for as long as the measurement lasts.
const cacheable = { 'content-type': 'application/json; charset=utf-8', etag: 'W/"VGeyJshKdZeISTzuo5sCv/d0mWc="', 'cache-control': 'public, max-age=3600' }

/** The names of fields that Node adds to each response. */
const ADDED = ['date', 'connection', 'keep-alive', 'content-length']

async function appOf (kind) {
  const app = Fastify(kind === 'early-server' ? { serverFactory: earlyServer() } : {})
  if (kind === 'cached' || kind.startsWith('early')) {
    await app.register(cacheCore, { implementation: 'memory', memory: { isolation: 'freeze' } })
    await app.register(cacheEdge, { rules: [{ prefix: '/rows', store: true, early: kind !== 'cached' }] })
  }
  if (kind === 'cacheable') app.get('/rows', (_request, reply) => { reply.headers(cacheable).send(body) })
  else if (kind.startsWith('constant')) await addConstant(app, kind === 'constant304')
  else app.get('/rows', async () => rows.map((row) => ({ ...row })))
  return app
}

async function addConstant (app, isNotModified) {
  const headers = await fieldsOfHit(isNotModified)
  if (isNotModified) app.get('/rows', (_request, reply) => { reply.code(304).headers(headers).send() })
  else app.get('/rows', (_request, reply) => { reply.headers(headers).send(body) })
}

/**
 * Returns the fields of a stored response, or of its 304. The constant responses have the same fields, so that they send the same number of
 * bytes.
 */
async function fieldsOfHit (isNotModified) {
  const app = await appOf('cached')
  const { headers: { etag } } = await app.inject('/rows')
  const { headers } = await app.inject({ url: '/rows', headers: isNotModified ? { 'if-none-match': etag } : {} })
  await app.close()
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ADDED.includes(name)))
}

export async function start (kind) {
  if (kind.startsWith('node')) return startNode(kind === 'node304')
  const app = await appOf(kind)
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server.address().port
}

async function startNode (isNotModified) {
  const list = Object.entries(await fieldsOfHit(isNotModified)).flat()
  const full = [...list, 'content-length', String(body.length)]
  const server = createServer((_request, response) => {
    if (isNotModified) response.writeHead(304, list).end()
    else response.writeHead(200, full).end(body)
  })
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return server.address().port
}
