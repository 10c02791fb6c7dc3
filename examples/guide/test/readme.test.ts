import { cacheCore } from '@x/cache-core'
import Fastify from 'fastify'
import t from 'tap'
import { cachedUsers } from '../src/readme/namespace.js'

t.test('README of the core: a namespace has typed values, and lifetimes and tags for all of them', async (t) => {
  const app = Fastify()
  await app.register(cacheCore, { implementation: 'memory' })
  t.teardown(() => app.close())
  let loads = 0
  const { get, teamChanged } = cachedUsers(app.cache, async (id) => ({ id, team: ++loads > 1 ? 'blue' : 'red' }))
  const user: { team: string } = await get('1')
  t.equal(user.team, 'red')
  t.equal((await get('1')).team, 'red')
  const entry = await app.cache.getEntry('user:1')
  t.ok(entry.ok && entry.value!.ttlLeft > 299)
  await teamChanged('red')
  t.equal((await get('1')).team, 'blue')
  t.equal(loads, 2)
})
