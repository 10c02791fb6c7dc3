import { cacheCore } from '@x/cache-core'
import Fastify from 'fastify'
import t from 'tap'
import { cacheEdge } from '../src/index.js'

for (const prefixes of [['', ''], ['/a', '/b']]) {
  for (const hasCore of [true, false]) {
    t.test(`cacheEdge in two contexts ${prefixes[0] === '' ? '' : 'with prefixes '}${hasCore ? 'below one core' : 'without a core'}: CACHE_ERR_SIBLING_CONTEXTS`, async (t) => {
      const app = Fastify()
      t.teardown(() => app.close())
      if (hasCore) await app.register(cacheCore)
      for (const prefix of prefixes) app.register(async (context) => { await context.register(cacheEdge) }, { prefix })
      await t.rejects(async () => app.ready(), { code: 'CACHE_ERR_SIBLING_CONTEXTS', message: /^@x\/cache-edge/ })
    })
  }
}
