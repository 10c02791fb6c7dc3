import Fastify from 'fastify'
import t from 'tap'
import { freePort } from '@x/test-kit/servers'
import { cacheEdge } from '../../src/index.js'
import { Proxy } from '@x/test-kit/proxies'
import { STEERING } from '../fixtures/steering-headers.js'

for (const kind of ['nginx', 'varnish'] as const) {
  t.test(`${kind}: no header that is not in the key shapes what a route without store gives to the next client`, async (t) => {
    const port = await freePort()
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(cacheEdge, { proxies: 'cookie-aware', rules: [{ prefix: '/' }] })
    app.get('/*', async ({ headers }) => headers)
    await app.listen({ port, host: '127.0.0.1' })
    const proxy = await Proxy.start(t, kind, port)
    for (const name of STEERING) {
      await proxy.ask(`/${name}`, { headers: { [name]: 'evil.example' } })
      const { body, headers } = await proxy.ask(`/${name}`)
      t.match(headers['cache-status'], new RegExp(`${kind}; hit`), name)
      t.notMatch(body, /evil/, name)
    }
  })
}
