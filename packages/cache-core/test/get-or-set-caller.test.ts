import type { LoadContext } from '@x/cache-core'
import t from 'tap'
import { buildApp } from '@x/test-kit/build-app'
import { deferred, settle, stateOf } from '@x/test-kit/deferred'
import { ForeignCache } from '@x/test-kit/foreign-caches'
import { makeClient } from '@x/test-kit/make-client'
import { MemoryCache, CacheRegistry } from '@x/cache-core'
import { CacheClient } from '@x/cache-core/suite'

const KEY = 'user:1'
const implementations = { memory: undefined, foreign: () => new ForeignCache() }

/** Makes a request like one of Fastify, whose client a test can disconnect. */
function requestOf ({ isConnected = false } = {}) {
  const controller = new AbortController()
  return {
    caller: { signal: controller.signal, raw: { socket: { destroyed: !isConnected } } },
    leave: (reason?: Error) => controller.abort(reason)
  }
}

/** A source like `fetch`, which rejects as soon as the signal is aborted. */
function untilAborted (signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason))
  })
}

for (const [kind, implementation] of Object.entries(implementations)) {
  t.test(`getOrSet: the client of the first caller leaves, and the others get a value, from one load of one of them (${kind})`, async (t) => {
    const { client, impl } = makeClient<any>(implementation)
    const { caller, leave } = requestOf()
    const first = client.withArm('cached', undefined, caller).getOrSet(KEY, () => untilAborted(caller.signal))
    await settle()
    let running = 0
    let highest = 0
    let loads = 0
    const value = deferred<string>()
    const others = Array.from({ length: 20 }, () => client.withArm('cached', undefined, requestOf().caller).getOrSet(KEY, async () => {
      loads++
      highest = Math.max(highest, ++running)
      const loaded = await value.promise
      running--
      return loaded
    }))
    const rejected = t.rejects(first, { name: 'AbortError' })
    await settle()
    leave()
    await rejected
    await settle()
    t.equal(loads, 1)
    value.resolve('value')
    t.same(await Promise.all(others), others.map(() => 'value'))
    t.equal(highest, 1)
    await settle()
    t.match(await impl.get(KEY), { value: 'value' }, 'and it is stored')
  })

  t.test(`getOrSet: without a request an AbortError of the first caller is not that of the others (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    const controllers = [new AbortController(), new AbortController()]
    const calls = controllers.map(({ signal }) => client.getOrSet(KEY, () => untilAborted(signal)))
    const last = client.getOrSet(KEY, () => 'value')
    const outcomes = Promise.allSettled(calls)
    await settle()
    controllers[0]!.abort()
    await settle()
    t.equal(await stateOf(last), 'pending', 'one load at a time')
    controllers[1]!.abort()
    t.equal(await last, 'value')
    t.match(await outcomes, [{ reason: { name: 'AbortError' } }, { reason: { name: 'AbortError' } }])
  })
}

t.test('getOrSet: a failure that an AbortError caused is the end of a caller, too', async (t) => {
  const { client } = makeClient()
  const { caller, leave } = requestOf({ isConnected: true })
  const first = client.withArm('cached', undefined, caller).getOrSet(KEY, async () => {
    await untilAborted(caller.signal).catch((cause: unknown) => { throw new Error('the query failed', { cause }) })
  })
  const other = client.getOrSet<unknown>(KEY, () => 'value')
  leave(new Error('the time of the handler is up'))
  await t.rejects(first, { message: 'the query failed' })
  t.equal(await other, 'value')
})

t.test('getOrSet: any failure of a load whose client has gone is the end of a caller', async (t) => {
  const { client } = makeClient()
  const { caller, leave } = requestOf()
  const value = deferred<string>()
  const first = client.withArm('cached', undefined, caller).getOrSet(KEY, () => value.promise)
  const other = client.getOrSet(KEY, () => 'value')
  leave()
  value.reject(new Error('canceled'))
  await t.rejects(first, { message: 'canceled' })
  t.equal(await other, 'value')
})

t.test('getOrSet: a source that fails while the client is there fails all who wait, once', async (t) => {
  const { client } = makeClient()
  // The client stays connected, although Fastify aborts the signal of a request as soon as its body has been read.
  const { caller, leave } = requestOf({ isConnected: true })
  const bound = client.withArm('cached', undefined, caller)
  const failure = new Error('the source is down')
  let loads = 0
  const value = deferred<string>()
  const calls = [1, 2, 3].map(() => bound.getOrSet(KEY, () => { loads++; return value.promise }))
  leave()
  value.reject(failure)
  t.same((await Promise.allSettled(calls)).map((outcome) => (outcome as PromiseRejectedResult).reason === failure), [true, true, true])
  t.equal(loads, 1)
})

t.test('getOrSet: the time limit of a load is the result of the load', async (t) => {
  const { client } = makeClient()
  const first = client.getOrSet(KEY, ({ signal }: LoadContext) => untilAborted(signal), { timeoutMs: 20 })
  const second = client.getOrSet(KEY, () => t.fail('loaded again'))
  await t.rejects(first, { code: 'CACHE_ERR_LOAD_TIMEOUT' })
  await t.rejects(second, { code: 'CACHE_ERR_LOAD_TIMEOUT' })
})

t.test('getOrSet: who has left does not take over', async (t) => {
  const { client } = makeClient()
  const [one, two] = [requestOf(), requestOf()]
  const first = client.withArm('cached', undefined, one.caller).getOrSet<unknown>(KEY, () => untilAborted(one.caller.signal))
  const second = client.withArm('cached', undefined, two.caller).getOrSet<unknown>(KEY, () => t.fail('loaded for nobody'))
  const third = client.getOrSet<unknown>(KEY, () => 'value')
  two.leave()
  one.leave()
  await t.rejects(first, { name: 'AbortError' })
  await t.rejects(second, { name: 'AbortError' })
  t.equal(await third, 'value')
})

t.test('getOrSet: a load that its caller ended does not put off the next one', async (t) => {
  const { client, clock } = makeClient()
  const options = { ttl: 10, staleIfError: 60, staleWhileRevalidate: 60 }
  await client.getOrSet(KEY, () => 'old', options)
  clock.advance(11)
  const { caller, leave } = requestOf()
  t.equal(await client.withArm('cached', undefined, caller).getOrSet<unknown>(KEY, () => untilAborted(caller.signal), options), 'old')
  leave()
  await settle()
  t.equal(await client.getOrSet(KEY, () => 'new', options), 'old')
  await settle()
  t.equal(await client.getOrSet(KEY, () => t.fail('not refreshed'), options), 'new')
})

t.test('getOrSet: with lock the next process takes over, one at a time', async (t) => {
  const impl = new MemoryCache()
  const [one, two, three] = [1, 2, 3].map(() => {
    const registry = new CacheRegistry()
    registry.register(impl)
    return new CacheClient(registry)
  }) as [CacheClient, CacheClient, CacheClient]
  const controller = new AbortController()
  const first = one.getOrSet<unknown>(KEY, () => untilAborted(controller.signal), { lock: true })
  await settle()
  const value = deferred<string>()
  let loads = 0
  const calls = [two, three].map((client) => client.getOrSet(KEY, () => { loads++; return value.promise }, { lock: true }))
  await settle()
  controller.abort()
  await t.rejects(first, { name: 'AbortError' })
  await settle()
  t.equal(loads, 1)
  value.resolve('value')
  t.same(await Promise.all(calls), ['value', 'value'])
  t.equal(loads, 1)
})

t.test('request.cache: is bound to its request: a client that leaves takes no other request with it', async (t) => {
  const app = await buildApp(t, { implementation: 'memory' })
  const leaving = deferred()
  app.get('/', async (request) => {
    return await request.cache.getOrSet(KEY, async () => {
      if (request.headers['x-leaves'] === undefined) return 'value'
      const { signal } = request
      void leaving.promise.then(() => request.raw.destroy())
      // The source is a driver that rejects with an error of its own for an aborted signal.
      return await untilAborted(signal).catch(() => { throw new Error('canceled') })
    })
  })
  const first = app.inject({ url: '/', headers: { 'x-leaves': '1' } })
  await settle()
  const others = [1, 2, 3].map(() => app.inject('/'))
  await settle()
  leaving.resolve()
  t.same((await Promise.all(others)).map(({ statusCode, body }) => [statusCode, body]), [[200, 'value'], [200, 'value'], [200, 'value']])
  await first.catch(() => {})
})
