import { cacheCore } from '@x/cache-core'
import Fastify from 'fastify'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { freePort } from '../../../cache-core/test/fixtures/servers.js'
import { cacheEdge, type CacheEdgeOptions } from '../../src/index.js'
import { Proxy, until } from '../fixtures/proxies.js'

/** An app with one tagged page, behind the plugin. */
async function startApp (t: Test, purge?: CacheEdgeOptions['purge'], port = 0) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheCore, { implementation: 'memory' })
  await app.register(cacheEdge, { rules: [{ prefix: '/pages', store: true }], ...purge === undefined ? {} : { purge } })
  let version = 1
  app.get('/pages/:id', { config: { cache: { tags: (request) => [`page:${(request.params as { id: string }).id}`] } } }, async () => ({ version }))
  app.get('/personal', async () => ({ version }))
  await app.listen({ port, host: '127.0.0.1' })
  return { app, port: (app.server.address() as AddressInfo).port, change: () => { version++ } }
}

t.test('purge: what a tag invalidates is gone from Varnish, and nothing else', async (t) => {
  const port = await freePort()
  const varnish = await Proxy.start(t, 'varnish', port)
  const { app, change } = await startApp(t, { varnish: [`http://127.0.0.1:${varnish.port}`], againAfterMs: 0 }, port)
  const read = async (path: string) => JSON.parse((await varnish.ask(path, {})).body) as { version: number }
  await read('/pages/1')
  await read('/pages/12')
  change()
  t.match(await read('/pages/1'), { version: 1 }, 'Varnish has it')
  t.match(await app.cache.tags.invalidate('page:1'), { ok: true })
  await until('Varnish has heard', async () => (await read('/pages/1')).version === 2)
  t.match(await read('/pages/12'), { version: 1 })
})

t.test('purge: nobody waits for a proxy that is down; it is tried again, given up, logged and counted', async (t) => {
  const lines: { msg: string; proxy?: string }[] = []
  const port = await freePort()
  const app = Fastify({ logger: { level: 'error', stream: { write: (line: string) => { lines.push(JSON.parse(line)) } } } })
  t.teardown(() => app.close())
  await app.register(cacheEdge, { purge: { varnish: [`http://user:secret@127.0.0.1:${port}`], attempts: 2, timeoutMs: 100, againAfterMs: 0 } })
  await app.ready()
  t.match(await app.cache.tags.invalidate('a'), { ok: true }, 'the Result is that of the cache')
  await until('it is given up', () => app.cacheEdge.purgeFailures === 1)
  t.match(lines, [{ msg: /did not take a ban/, proxy: `127.0.0.1:${port}` }])
  t.notMatch(JSON.stringify(lines), 'secret')
})

t.test('purge: a proxy that comes back hears of it, and each tag is said once more later', async (t) => {
  const seen: string[] = []
  let isBroken = true
  // Node's own HTTP server does not know the method.
  const proxy = createServer((socket) => {
    socket.on('data', (data) => {
      const [, method, tag] = /^(\w+) [^]*x-ban-tag: (.*)\r/.exec(String(data))!
      if (!isBroken) seen.push(`${method} ${tag}`)
      socket.end(`HTTP/1.1 ${isBroken ? 503 : 200} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`)
    })
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => proxy.close())
  const { app } = await startApp(t, { varnish: [`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`], againAfterMs: 50 })
  await app.cache.tags.invalidate(['a', 'not a tag of a header', 'b/c:1'])
  await wait(50)
  isBroken = false
  await until('both came, twice each', () => seen.length === 4)
  t.same(seen.toSorted(), ['BAN a', 'BAN a', 'BAN b/c:1', 'BAN b/c:1'])
})

t.test('nginx in front of the plugin: hit, 304 to the client, and what is personal is never kept', async (t) => {
  const { port } = await startApp(t)
  const nginx = await Proxy.start(t, 'nginx', port)
  const first = await nginx.ask('/pages/1', {})
  const second = await nginx.ask('/pages/1', {})
  t.match(second.headers['cache-status'], /nginx; hit/)
  t.equal(second.body, first.body)
  t.match(await nginx.ask('/pages/1', { headers: { 'if-none-match': String(first.headers.etag) } }), { status: 304 })
  for (let times = 0; times < 2; times++) t.notMatch((await nginx.ask('/pages/1', { headers: { authorization: 'Bearer a' } })).headers['cache-status'], /nginx; hit/)
})
