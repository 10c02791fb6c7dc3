import { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import { cacheCore } from '@x/cache-core'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import * as auth from '../src/recipes/auth.js'
import * as keyVersion from '../src/recipes/key-version.js'
import * as multiTenant from '../src/recipes/multi-tenant.js'
import * as notFound from '../src/recipes/not-found.js'
import * as probes from '../src/recipes/probes.js'
import * as shutdown from '../src/recipes/shutdown.js'

async function ready (t: Test, building: Promise<FastifyInstance>): Promise<FastifyInstance> {
  const app = await building
  t.teardown(() => app.close())
  return app
}

t.test('not found: null is stored for its own ttl, and answered with 404', async (t) => {
  const asked: string[] = []
  const app = await ready(t, notFound.buildApp(async (id) => {
    asked.push(id)
    return id === '1' ? { id, name: 'Ada' } : null
  }))
  for (const id of ['1', '2', '1', '2']) t.equal((await app.inject(`/users/${id}`)).statusCode, id === '1' ? 200 : 404)
  t.same(asked, ['1', '2'])
  const [found, missing] = await Promise.all(['user:1', 'user:2'].map((key) => app.cache.getEntry(key)))
  t.ok(found!.ok && found!.value!.ttlLeft > 200)
  t.ok(missing!.ok && missing!.value!.value === null && missing!.value!.ttlLeft <= 5)
})

t.test('auth: each user gets their own value, and a wrong token gets no stored response', async (t) => {
  const asked: number[] = []
  const verify: auth.Verify = async (token) => ({ ada: { id: 1 }, grace: { id: 2 } })[token] ?? null
  const app = await ready(t, auth.buildApp(verify, async (id) => { asked.push(id); return [`order of ${id}`] }))
  const as = (token: string, url = '/me/orders') => app.inject({ url, headers: { authorization: `Bearer ${token}` } })
  for (const token of ['ada', 'grace', 'ada', 'grace']) {
    const response = await as(token)
    t.same(response.json(), [`order of ${token === 'ada' ? 1 : 2}`])
    t.match(response.headers['cache-control'], /private/)
  }
  t.same(asked, [1, 2])
  t.equal((await app.inject('/me/orders')).statusCode, 401)
  t.equal((await app.inject('/news')).statusCode, 200)
  t.match((await app.inject('/news')).headers['cache-status'], /hit/)
  t.equal((await as('mallory', '/news')).statusCode, 401)
})

t.test('multi-tenant: keys and tags of tenants are apart, and one label counts them', async (t) => {
  const asked: string[] = []
  const app = await ready(t, multiTenant.buildApp(({ hostname }) => hostname.split('.')[0]!, async (tenant) => {
    asked.push(tenant)
    return tenant === 'one' ? 1 : 2
  }))
  const price = async (tenant: string): Promise<number> => (await app.inject({ url: '/prices/7', headers: { host: `${tenant}.example` } })).json<{ price: number }>().price
  t.same([await price('one'), await price('two'), await price('one'), await price('two')], [1, 2, 1, 2])
  t.same(asked, ['one', 'two'])
  await app.inject({ method: 'DELETE', url: '/prices', headers: { host: 'one.example' } })
  t.same([await price('one'), await price('two')], [1, 2])
  t.same(asked, ['one', 'two', 'one'])
  t.same([...app.cache.registry.stats.for('memory').counters.keys()], ['price'])
})

t.test('multi-tenant: a tenant whose name looks like a key of another one is refused', async (t) => {
  const app = await ready(t, multiTenant.buildApp((request) => String(request.headers['x-tenant']), async () => 1))
  const ask = (tenant: string, item: string) => app.inject({ url: `/prices/${item}`, headers: { 'x-tenant': tenant } })
  t.equal((await ask('a', 'price:1')).statusCode, 200)
  t.match((await ask('a:price', '1')).json(), { statusCode: 500, code: 'CACHE_ERR_OPTION_INVALID' })
})

t.test('probes: a database that fails takes the pod out of service, a cache that fails does not', async (t) => {
  let isUp = true
  const app = await ready(t, probes.buildApp(async () => { if (!isUp) throw new Error('The database cannot be reached') }))
  const statuses = async (): Promise<number[]> => Promise.all(['/livez', '/readyz'].map(async (url) => (await app.inject(url)).statusCode))
  t.same(await statuses(), [200, 200])
  isUp = false
  t.same(await statuses(), [200, 503])
  isUp = true
  const fail = async () => { throw new Error('The store cannot be reached') }
  app.cache.registry.register({ name: 'failing', get: fail, set: fail, del: fail, health: fail })
  t.same(await statuses(), [200, 200])
  t.match((await app.inject('/readyz')).json(), { status: 'ok', cache: 'CACHE_ERR_IMPLEMENTATION' })
})

t.test('probes: the paths in the manifest of the recipe are those of the app', async (t) => {
  const recipes = readFileSync(new URL('../recipes.md', import.meta.url), 'utf8')
  const paths = [...recipes.matchAll(/httpGet: \{ path: (\S+), port/g)].map(([, path]) => path!)
  t.equal(paths.length, 2)
  const app = await ready(t, probes.buildApp(async () => {}))
  for (const url of paths) t.equal((await app.inject(url)).statusCode, 200, url)
})

t.test('shutdown: a signal closes the app, and the database after it', async (t) => {
  const order: string[] = []
  const app = await shutdown.buildApp({ end: async () => { order.push('database') } }, { enabled: false })
  const closed = new Promise<void>((resolve) => { app.addHook('onClose', async () => { order.push('app'); resolve() }) })
  await app.ready()
  const source = new EventEmitter()
  shutdown.closeOnSignal(app, { waitMs: 0, source })
  source.emit('SIGTERM')
  await closed
  await app.close()
  t.same(order, ['app', 'database'])
})

t.test('key version: another shape of a value has a key of its own, and shares the tag', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheCore, { implementation: 'memory' })
  await app.cache.set('user:1', { id: '1', name: 'Ada' }, { ttl: 300, tags: ['user:1'] })
  const load = async () => ({ id: '1', name: { first: 'Ada', last: 'Lovelace' } })
  t.equal((await keyVersion.findUser(app.cache, '1', load)).name.last, 'Lovelace')
  await app.cache.tags.invalidate('user:1')
  for (const key of ['user:1', 'user:v2:1']) t.same(await app.cache.get(key), { ok: true, value: null })
})
