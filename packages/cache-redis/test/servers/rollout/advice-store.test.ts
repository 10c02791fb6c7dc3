import { ADVICE_SLOTS } from '@x/cache-core/suite'
import t from 'tap'
import { startCache, startServer } from '../../fixtures/caches.js'

t.setTimeout(300_000)

const text = (bytes: Uint8Array | undefined): string | undefined => bytes === undefined ? undefined : Buffer.from(bytes).toString()
const LEASE_MS = 600_000

t.test('salt: the first proposal is that of all processes', async (t) => {
  const server = await startServer(t)
  const [one, other] = [await startCache(t, { url: server.url }), await startCache(t, { url: server.url })]
  t.equal(await one.adviceStore.salt('first'), 'first')
  t.equal(await other.adviceStore.salt('second'), 'first')
  const elsewhere = await startCache(t, { url: server.url, keyPrefix: 'other:' })
  t.equal(await elsewhere.adviceStore.salt('third'), 'third')
})

t.test('take: each process has a slot of its own, and the next one goes on with the state of a freed slot', async (t) => {
  const server = await startServer(t)
  const { adviceStore: store } = await startCache(t, { url: server.url })
  t.same(await store.take('a', LEASE_MS), { slot: 0, state: undefined })
  t.same(await store.take('b', LEASE_MS), { slot: 1, state: undefined })
  t.equal(await store.write(0, 'a', Buffer.from('state of a'), LEASE_MS), true)
  t.equal(await store.write(0, 'b', Buffer.from('state of b'), LEASE_MS), false)
  t.equal(await store.write(1, 'b', Buffer.from('state of b'), LEASE_MS), true)
  t.same((await store.others(1)).map(text), ['state of a'])
  t.same((await store.others(undefined)).map(text), ['state of a', 'state of b'])
  await store.release(0, 'b')
  t.equal((await store.take('c', LEASE_MS))!.slot, 2, 'another process cannot free a slot')
  await store.release(0, 'a')
  const { slot, state } = (await store.take('d', LEASE_MS))!
  t.equal(slot, 0)
  t.equal(text(state), 'state of a')
  const left = Number(await server.cli('PTTL', 'cache:{advice}:state:0'))
  t.ok(left > 13 * 86_400_000 && left <= 14 * 86_400_000, String(left))
})

t.test('take: a slot is free once its lease has ended, and its process then writes to it no more', async (t) => {
  const server = await startServer(t)
  const { adviceStore: store } = await startCache(t, { url: server.url })
  await store.take('a', LEASE_MS)
  await server.cli('DEL', 'cache:{advice}:lease:0')
  t.equal((await store.take('b', LEASE_MS))!.slot, 0)
  t.equal(await store.write(0, 'a', Buffer.from('late'), LEASE_MS), false)
  t.same(await store.others(undefined), [])
})

t.test('take: there is a limited number of slots', async (t) => {
  const server = await startServer(t)
  const { adviceStore: store } = await startCache(t, { url: server.url })
  for (let slot = 0; slot < ADVICE_SLOTS; slot++) t.equal((await store.take(`process ${slot}`, LEASE_MS))!.slot, slot)
  t.equal(await store.take('one more', LEASE_MS), undefined)
})

t.test('states: clear leaves them, values of another type are replaced, and a closed cache rejects', async (t) => {
  const server = await startServer(t)
  const cache = await startCache(t, { url: server.url })
  const { adviceStore: store } = cache
  await server.cli('LPUSH', 'cache:{advice}:state:0', 'foreign')
  t.equal((await store.take('a', LEASE_MS))!.slot, 0)
  t.equal(await store.write(0, 'a', Buffer.from('state'), LEASE_MS), true)
  t.match(await cache.clear(), { ok: true })
  t.same((await store.others(undefined)).map(text), ['state'])
  await t.rejects(store.write(0, 'a', Buffer.alloc(9 * 1024 * 1024), LEASE_MS), { code: 'CACHE_ERR_TOO_LARGE' })
  await cache.close()
  const calls: (() => Promise<unknown>)[] = [() => store.salt('x'), () => store.take('a', 1), () => store.others(0)]
  for (const call of calls) await t.rejects(call, { code: 'CACHE_ERR_UNAVAILABLE' })
})
