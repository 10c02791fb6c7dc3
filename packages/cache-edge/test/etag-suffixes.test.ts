import t from 'tap'
import { build, BOTH } from './fixtures/early-app.js'
import { ask, buildEdge } from './fixtures/edge-app.js'
import { send } from './fixtures/two-clients.js'

const etagSuffixes = ['-gzip', '-br']
const suffixed = (etag: unknown, suffix = '-gzip'): string => String(etag).replace(/"$/, `${suffix}"`)

for (const store of [true, false]) {
  t.test(`etagSuffixes: a client that has a compressed copy gets 304, and one that writes by it 412, store: ${store}`, async (t) => {
    const app = await buildEdge(t, { edge: { etagSuffixes } })
    app.get('/', { config: { cache: { store } } }, async () => 'x')
    const { headers: { etag } } = await ask(app, '/')
    for (const suffix of ['', ...etagSuffixes]) t.match(await ask(app, '/', { 'if-none-match': suffixed(etag, suffix) }), { status: 304, headers: { etag } }, suffix)
    t.equal((await ask(app, '/', { 'if-none-match': suffixed(etag, '-zstd') })).status, 200)
    t.equal((await ask(app, '/', { 'if-match': suffixed(etag) })).status, 412)
  })
}

t.test('etagSuffixes: currentTag is compared with them before the handler, for If-None-Match alone', async (t) => {
  const app = await buildEdge(t, { edge: { etagSuffixes } })
  let runs = 0
  app.route({ method: ['GET', 'PUT'], url: '/', config: { cache: { currentTag: () => '7' } }, handler: async () => `run ${++runs}` })
  t.equal((await ask(app, '/', { 'if-none-match': '"7-br"' })).status, 304)
  t.equal((await ask(app, '/', { 'if-none-match': '"7-br"' }, 'PUT')).status, 412)
  t.equal((await ask(app, '/', { 'if-match': '"7-br"' }, 'PUT')).status, 412)
  t.equal(runs, 0)
})

t.test('etagSuffixes: none by default, so that an ETag with a suffix is another one', async (t) => {
  const app = await buildEdge(t)
  app.get('/', async () => 'x')
  const { headers: { etag } } = await ask(app, '/')
  t.equal((await ask(app, '/', { 'if-none-match': suffixed(etag) })).status, 200)
})

for (const seam of BOTH) {
  t.test(`etagSuffixes: also for early responses, by ${seam}`, async (t) => {
    const { app, early } = await build(t, { seam, edge: { etagSuffixes } })
    const { fields: { etag } } = await send(app, {})
    t.equal((await send(app, { headers: ['Host: a.example', `If-None-Match: ${suffixed(etag)}`] })).status, 304)
    t.equal(early(), 1)
  })
}
