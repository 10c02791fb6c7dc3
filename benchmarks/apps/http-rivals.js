// Servers for the same rows as those of `http.js`, with caches of others. `caching` is Fastify with @fastify/caching and @fastify/etag.
// `undici` is a bare node:http server that requests the app through the cache of undici. `start` returns the port.
import { createServer } from 'node:http'
import { start as startApp } from './http.js'

export async function start (kind, load) {
  if (kind === 'caching') return await startCaching(load)
  return await startUndici(await startApp('cacheable'), load)
}

async function startCaching (load) {
  const { default: Fastify } = await load('fastify')
  const { rows } = await import('./http.js')
  const app = Fastify()
  await app.register((await load('@fastify/caching')).default, { privacy: 'public', expiresIn: 60 })
  await app.register((await load('@fastify/etag')).default)
  app.get('/rows', async () => rows.map((row) => ({ ...row })))
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server.address().port
}

async function startUndici (port, load) {
  const { Agent, interceptors } = await load('undici-8')
  const client = new Agent().compose(interceptors.cache())
  const origin = `http://127.0.0.1:${port}`
  // Hop-by-hop header fields belong to the connection to the app (RFC 9110 §7.6.1).
  const hopByHop = new Set(['connection', 'keep-alive', 'transfer-encoding'])
  async function forward ({ url: path, headers }, response) {
    const condition = headers['if-none-match']
    const answer = await client.request({ origin, path, method: 'GET', headers: condition === undefined ? {} : { 'if-none-match': condition } })
    response.writeHead(answer.statusCode, Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !hopByHop.has(name))))
    response.end(Buffer.from(await answer.body.arrayBuffer()))
  }
  const server = createServer((request, response) => { forward(request, response).catch((error) => response.destroy(error)) })
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return server.address().port
}
