import { monotonicClock } from '@x/cache-core/suite'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { deferred } from '@x/test-kit/deferred'
import { SharedCache, SharedStore } from '@x/test-kit/shared-store'
import { ask, buildEdge, until } from './fixtures/edge-app.js'

/** Makes an app whose handler responds when a test allows it, and the cache of another process on the same store. */
async function twoProcesses (t: Test) {
  const store = new SharedStore(monotonicClock)
  const cache = new SharedCache(store)
  const app = await buildEdge(t, { edge: { coalesceMs: 60_000 }, core: { implementation: cache } })
  const runs: { answer: (text: string) => void }[] = []
  app.get('/', { config: { cache: { store: true, maxAge: 60, tags: ['page'] } } }, async () => {
    const text = deferred<string>()
    runs.push({ answer: text.resolve })
    return await text.promise
  })
  return { app: app as FastifyInstance, cache, other: new SharedCache(store), runs }
}

t.test('a request that comes after another process invalidated a tag is not answered by a handler run from before', async (t) => {
  const { app, cache, other, runs } = await twoProcesses(t)
  const first = ask(app, '/')
  await until(() => runs.length === 1)
  await other.tags.invalidate('page')
  const later = ask(app, '/')
  await until(() => cache.calls.filter((call) => call.startsWith('getEntry')).length === 2)
  runs[0]!.answer('old')
  t.equal((await first).body, 'old')
  await until(() => runs.length === 2)
  t.equal(runs.length, 2, 'the handler runs anew')
  runs[1]!.answer('new')
  t.equal((await later).body, 'new')
})

t.test('requests share a handler run while no tag of it is invalidated, and ask once for all', async (t) => {
  const { app, cache, other, runs } = await twoProcesses(t)
  const asked = [ask(app, '/')]
  await until(() => runs.length === 1)
  await other.tags.invalidate('another page')
  for (let times = 0; times < 10; times++) asked.push(ask(app, '/'))
  await until(() => cache.calls.filter((call) => call.startsWith('getEntry')).length === 11)
  runs[0]!.answer('page')
  for (const { status, body } of await Promise.all(asked)) t.same([status, body], [200, 'page'])
  t.equal(runs.length, 1)
  t.equal(cache.calls.filter((call) => call === 'isCurrent').length, 1)
})

t.test('while the store cannot be asked, requests share a handler run', async (t) => {
  const { app, cache, runs } = await twoProcesses(t)
  const first = ask(app, '/')
  await until(() => runs.length === 1)
  cache.isAway = true
  const later = ask(app, '/')
  await until(() => cache.calls.filter((call) => call.startsWith('getEntry')).length === 2)
  runs[0]!.answer('page')
  for (const { body } of await Promise.all([first, later])) t.equal(body, 'page')
  t.equal(runs.length, 1)
})
