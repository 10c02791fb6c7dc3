import Fastify from 'fastify'
import t from 'tap'
import { freePort } from '../../../cache-core/test/fixtures/servers.js'
import { cacheEdge } from '../../src/index.js'
import { NEVER_SHOWN } from '../../src/visible-headers.js'
import { Proxy } from '../fixtures/proxies.js'

// The list that stored routes go by, so that no proxy falls behind it. Credentials are not answered from a store at all.
const NAMES = NEVER_SHOWN.filter((name) => name !== 'cookie' && name !== 'authorization')

for (const kind of ['nginx', 'varnish'] as const) {
  t.test(`${kind}: no header that is not in the key shapes what a route without store gives to the next client`, async (t) => {
    const port = await freePort()
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(cacheEdge, { rules: [{ prefix: '/' }] })
    app.get('/*', async ({ headers }) => headers)
    await app.listen({ port, host: '127.0.0.1' })
    const proxy = await Proxy.start(t, kind, port)
    t.ok(NAMES.length >= 16)
    for (const name of NAMES) {
      await proxy.ask(`/${name}`, { headers: { [name]: 'evil.example' } })
      const { body, headers } = await proxy.ask(`/${name}`)
      t.match(headers['cache-status'], new RegExp(`${kind}; hit`), name)
      t.notMatch(body, /evil/, name)
    }
  })
}
