import t, { type Test } from 'tap'
import { freePort } from '@x/test-kit/servers'
import { Proxy, until } from '@x/test-kit/proxies'
import { buildApp } from '../../src/app.js'
import { readEnv } from '../../src/env.js'
import { openTestDatabase } from '../fixtures/app.js'

const database = await openTestDatabase()
const PAGE = '/api/public/tables/1/records?limit=2&offset=40'

/** Starts the example server behind a proxy; if the proxy is Varnish, it also receives the purges. */
async function startBehind (t: Test, kind: 'nginx' | 'varnish') {
  const port = await freePort()
  const proxy = await Proxy.start(t, kind, port)
  const { cache, metrics } = readEnv({ CACHE_IMPL: 'memory' })
  const edge = kind === 'varnish' ? { purge: { varnish: [`http://127.0.0.1:${proxy.port}`], againAfterMs: 0 } } : {}
  const app = await buildApp({ database, cache, metrics, edge })
  t.teardown(() => app.close())
  await app.listen({ port, host: '127.0.0.1' })
  return { app, proxy }
}

for (const kind of ['nginx', 'varnish'] as const) {
  t.test(`${kind} before the example server: hit, 304, and what is personal is never shared`, async (t) => {
    const { app, proxy } = await startBehind(t, kind)
    const first = await proxy.ask(PAGE)
    t.match(first, { status: 200, headers: { 'cache-control': 'public, max-age=60, must-revalidate', 'surrogate-key': undefined } })
    const second = await proxy.ask(PAGE)
    t.match(second.headers['cache-status'], new RegExp(`${kind}; hit`))
    t.equal(second.body, first.body)
    t.match(await proxy.ask(PAGE, { headers: { 'if-none-match': String(first.headers.etag) } }), { status: 304, body: '' })
    for (const path of ['/api/user', '/api/profile', '/api/notifications']) {
      const answers = await Promise.all(['1', '2'].map((id) => proxy.ask(path, { headers: { 'x-user-id': id } })))
      for (const answer of answers) {
        t.match(answer, { status: 200, headers: { 'cache-control': 'private, no-cache' } }, path)
        t.notMatch(answer.headers['cache-status'] ?? '', `${kind}; hit`, path)
      }
      t.match(await proxy.ask(path), { status: 401 }, `${path}: a stranger gets nobody's answer`)
    }
    await app.close()
    t.match(await proxy.ask(PAGE), { status: 200, body: first.body }, 'what is fresh is there while the app is away')
  })
}

t.test('varnish before the example server: a write is seen by who comes through it', async (t) => {
  const { proxy } = await startBehind(t, 'varnish')
  const read = async (): Promise<{ id: number; fields: { stock: number } }[]> => JSON.parse((await proxy.ask(PAGE)).body)
  const [row] = await read()
  const written = await proxy.ask(`/api/records/${row!.id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"fields":{"stock":4040}}' })
  t.match(written, { status: 200 })
  await until('Varnish has heard', async () => (await read())[0]!.fields.stock === 4040)
})
