import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { buildApp } from '../../fixtures/apps.js'
import { RedisServer, until } from '@x/test-kit/redis-server'

const server = await RedisServer.start()
t.teardown(() => server.close())

/** Starts one process of an app at percent 0 in which shadow reads compare all keys. */
async function startApp (t: Test, url = server.url): Promise<FastifyInstance> {
  return buildApp(t, { url, rollout: { percent: 0, shadow: { percent: 100 } } })
}

/** Waits until the comparisons in progress have ended; returns the outcomes of an app that are not zero. */
async function outcomesOf (app: FastifyInstance, keyPattern = 'item'): Promise<Record<string, number>> {
  await new Promise((resolve) => { setTimeout(resolve, 20) })
  return Object.fromEntries(Object.entries(app.cache.registry.shadow.stats.of(keyPattern).outcomes).filter(([, count]) => count > 0))
}

/**
 * Loads a key until Redis has its value. A load can store its value only when the lease is available that was requested after an earlier
 * load, which may take some time.
 */
async function loadUntilStored (app: FastifyInstance, key: string, load: () => Promise<unknown>): Promise<void> {
  await until(`${key} is stored`, async () => {
    await load()
    await outcomesOf(app)
    return await ageOf(app, key) > 0
  })
}

/** Returns the age of a key's entry in seconds; 0 without an entry. */
async function ageOf (app: FastifyInstance, key: string): Promise<number> {
  const entry = await app.cache.registry.current.getEntry!(key)
  return entry.ok && entry.value !== null ? entry.value.age : 0
}

async function settles (app: FastifyInstance, wanted: Record<string, number>): Promise<void> {
  await until(`the outcomes ${JSON.stringify(wanted)}`, async () => JSON.stringify(await outcomesOf(app)) === JSON.stringify(wanted))
}

t.test('shadow: a process stores from its second load on, another one compares it, and nobody is served', async (t) => {
  await server.cli('FLUSHALL')
  const [one, other] = [await startApp(t), await startApp(t)]
  let loads = 0
  const load = async (app: FastifyInstance) => app.cache.getOrSet('item:1', async () => {
    loads++
    return { price: 1, at: new Date(0) }
  }, { ttl: 60, tags: ['items'] })
  await load(one)
  await settles(one, { absent: 1 })
  t.match(await one.cache.registry.current.get('item:1'), { value: null })
  await loadUntilStored(one, 'item:1', async () => load(one))
  const before = loads
  t.match(await load(other), { at: new Date(0) }, 'the loaded value, not the stored one')
  await settles(other, { match: 1 })
  t.ok(other.cache.registry.shadow.stats.of('item').ages.match.count === 1, 'of a known age')
  t.ok(before >= 2, 'the first load stored nothing')
  t.equal(loads, before + 1)
})

t.test('shadow: what another process invalidates is explained, and what nobody invalidates is a mismatch', async (t) => {
  await server.cli('FLUSHALL')
  const [one, other] = [await startApp(t), await startApp(t)]
  const source = new Map<string, number>()
  const keys = ['item:kept', 'item:del', 'item:tag', 'item:lost', 'item:lost2', 'item:lost3']
  const load = async (app: FastifyInstance, key: string) => app.cache.getOrSet(key, async () => ({ price: source.get(key) ?? 0 }), { ttl: 300, tags: [`row-${key}`] })
  for (const key of keys) await loadUntilStored(one, key, async () => load(one, key))
  // The entries must be older than a comparison takes, since younger ones are undecided.
  await until('the last entry is old enough', async () => await ageOf(one, keys.at(-1)!) > 3)
  for (const key of keys.slice(1)) source.set(key, 1)
  for (let turn = 0; turn < 2; turn++) for (const key of keys) await load(other, key)
  // These reads are sent after the reads of the comparisons, so that those have been answered when these have.
  for (const key of keys) await other.cache.registry.current.getEntry!(key)
  await one.cache.del('item:del')
  await one.cache.tags.invalidate('row-item:tag')
  await settles(other, { match: 2, mismatch: 6, explained: 4 })
  t.same([...other.cache.registry.shadow.stats.of('item').mismatchPaths], [['.price', 6]])
})

t.test('shadow: while Redis does not answer, no load is slower, and the comparisons have failed', async (t) => {
  const own = await RedisServer.start()
  t.teardown(() => own.close())
  const app = await startApp(t, own.url)
  const load = async (): Promise<number> => app.cache.getOrSet('item:1', async () => 1, 60)
  await load()
  await settles(app, { absent: 1 })
  await own.close()
  for (let turn = 0; turn < 20; turn++) t.equal(await load(), 1)
  await until('the comparisons have ended', async () => {
    const { absent = 0, failed = 0 } = await outcomesOf(app)
    return absent + failed === 21 && failed > 0
  })
})
