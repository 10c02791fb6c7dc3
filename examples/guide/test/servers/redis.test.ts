import { RedisServer, until } from '@x/test-kit/redis-server'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/quick-start/redis.js'
import * as keyPrefix from '../../src/recipes/key-prefix.js'

const server = await RedisServer.start()
t.teardown(() => server.close())

/** Waits until the cache of an app is in service; returns the app. */
async function inService (t: Test, building: Promise<FastifyInstance>): Promise<FastifyInstance> {
  const app = await building
  t.teardown(() => app.close())
  await app.ready()
  await until('Redis is in service', () => app.cache.registry.status().implName === 'RedisCache')
  return app
}

t.test('quick start, Redis: what one process stores, the other serves; its write holds in both', async (t) => {
  const env = { REDIS_URL: server.url, CACHE_PERCENT: '100' }
  const [one, two] = await Promise.all([inService(t, buildApp(env)), inService(t, buildApp(env))])
  await one.inject('/articles/1')
  await until('the response is stored', async () => /hit/.test(String((await one.inject('/articles/1')).headers['cache-status'])))
  t.match((await two.inject('/articles/1')).headers['cache-status'], /hit/)
  await two.inject({ method: 'PUT', url: '/articles/1', payload: { title: 'Changed' } })
  t.equal((await two.inject('/articles/1')).json().title, 'Changed')
  await until('the message has arrived', async () => (await one.inject('/articles/1')).json().title === 'Changed')
})

t.test('quick start, Redis: at 0 % nothing is stored', async (t) => {
  await server.cli('FLUSHALL')
  const app = await inService(t, buildApp({ REDIS_URL: server.url, CACHE_PERCENT: '0' }))
  for (let turn = 0; turn < 2; turn++) t.equal((await app.inject('/articles/2')).statusCode, 200)
  t.same((await server.cli('KEYS', 'articles:e:*')), '')
})

t.test('key prefix: two versions of an app share a server and no entry', async (t) => {
  const [one, two] = await Promise.all(['v1', 'v2'].map((version) => inService(t, keyPrefix.buildApp(server.url, version))))
  await one!.cache.set('user:1', 'of version 1', 60)
  t.same(await one!.cache.get('user:1'), { ok: true, value: 'of version 1' })
  t.same(await two!.cache.get('user:1'), { ok: true, value: null })
  await two!.cache.clear()
  t.same(await one!.cache.get('user:1'), { ok: true, value: 'of version 1' })
})
