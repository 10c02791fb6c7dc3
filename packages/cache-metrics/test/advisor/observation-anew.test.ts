import { cacheCore } from '@x/cache-core'
import { ensureCore } from '@x/cache-core/suite'
import Fastify from 'fastify'
import t from 'tap'
import { Advisor } from '../../src/advisor/advisor.js'
import { EdgeCounts } from '../../src/traffic/edge-counts.js'
import { Traffic } from '../../src/traffic/traffic.js'
import { Time } from '../fixtures/advised-app.js'

t.test('start: an observation that begins anew counts no request of the earlier one, which another process may continue', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheCore, { clock: new Time().clock })
  const core = await ensureCore(app)
  EdgeCounts.of(core.registry)
  const traffic = new Traffic(core)
  traffic.watch(app)
  app.get('/users', async () => core.client.getOrSet('user:1', () => 1))
  app.get('/posts', async () => 'posts')
  const advisor = new Advisor(core, traffic)
  t.teardown(() => advisor.close())
  await advisor.start('a salt of the store')
  for (const url of ['/users', '/users', '/posts']) await app.inject(url)
  t.match(advisor.state()!.gates, { candidates: 3, requests: 3, routes: [{ name: '/users', requests: 2 }, { name: '/posts', requests: 1 }] })
  await advisor.start('a salt of the store')
  await app.inject('/users')
  const { candidates, requests, routes, patterns } = advisor.state()!.gates
  t.match({ candidates, requests, patterns }, { candidates: 1, requests: 1, patterns: [{ name: 'user', requests: 1 }] })
  t.match(routes, [{ name: '/users', requests: 1 }])
  t.equal(routes.length, 1, 'a route without a request since then is none')
})
