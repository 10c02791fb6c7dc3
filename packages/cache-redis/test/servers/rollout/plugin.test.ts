import { coreOf } from '@x/cache-core'
import { until } from '@x/test-kit/redis-server'
import t from 'tap'
import { buildApp } from '../../fixtures/apps.js'
import { startServer } from '../../fixtures/caches.js'

t.setTimeout(300_000)

const LEASE = 'cache:{rollout}:lease'

t.test('plugin: a canary frees its lease when the app closes, so that another process decides at once', async (t) => {
  const server = await startServer(t)
  const app = await buildApp(t, { url: server.url, rollout: { canary: true } })
  await until('it has the lease', async () => await server.cli('GET', LEASE) !== '')
  await app.close()
  t.equal(await server.cli('GET', LEASE), '')
})

t.test('plugin: without a canary nothing about a rollout is in Redis', async (t) => {
  const server = await startServer(t)
  const app = await buildApp(t, { url: server.url })
  await app.cache.set('key', 1)
  t.equal(await server.cli('KEYS', '*rollout*'), '')
  t.equal(await server.cli('PUBSUB', 'CHANNELS', '*rollout*'), '')
})

t.test('plugin: one app with the canary in the options of the core, or of Redis', async (t) => {
  const server = await startServer(t)
  const app = await buildApp(t, { url: server.url, rollout: { canary: { baselineHours: 1 } } })
  t.match((await app.inject('/internal/cache')).json(), { implName: 'RedisCache', rollout: { percent: 0, stage: 0, holdOut: 1, stages: [10, 50, 100] } })
  t.match((await app.inject({ method: 'POST', url: '/internal/cache/rollout', payload: { action: 'to', percent: 10 } })).json(), { stage: 1 })
  t.equal(JSON.parse(await server.cli('GET', 'cache:{rollout}:state')).percent, 10)
  t.ok(coreOf(app))
})
