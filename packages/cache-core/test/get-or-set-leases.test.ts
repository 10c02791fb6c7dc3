import { CacheRegistry, type Cache, type GetOrSetOptions } from '@x/cache-core'
import { CacheClient } from '@x/cache-core/suite'
import t, { type Test } from 'tap'
import { deferred, settle } from '@x/test-kit/deferred'
import { FakeClock } from '@x/test-kit/fake-clock'
import { SharedCache, SharedStore } from '@x/test-kit/shared-store'

/** Makes two processes with one shared store. */
function twoProcesses () {
  const clock = new FakeClock()
  const store = new SharedStore(clock)
  const process = (): { cache: SharedCache; client: CacheClient; registry: CacheRegistry } => {
    const cache = new SharedCache(store)
    const registry = new CacheRegistry({ clock })
    registry.register(cache)
    return { cache, registry, client: new CacheClient(registry) }
  }
  return { clock, store, near: process(), far: process() }
}

type Process = ReturnType<typeof twoProcesses>['near']

/** Begins a load that the test ends, and waits until its loader runs. */
async function begin<T> ({ client }: Process, options: GetOrSetOptions<T> = {}) {
  const source = deferred<T>()
  const running = deferred()
  const answer = client.getOrSet<T>('key', () => { running.resolve(); return source.promise }, options)
  answer.catch(() => {})
  await running.promise
  return { source, answer }
}

/** Ways in which another process can change the key or its tags. */
const changes: Record<string, (cache: Cache) => Promise<unknown>> = {
  del: (cache) => cache.del('key'),
  delMany: (cache) => cache.delMany!(['other', 'key']),
  set: (cache) => cache.set('key', 'set elsewhere', 60),
  'tags.invalidate': (cache) => cache.tags!.invalidate('tag'),
  'tags.invalidate, soft': (cache) => cache.tags!.invalidate('tag', { soft: true }),
  clear: (cache) => cache.clear!()
}

for (const [name, change] of Object.entries(changes)) {
  for (const options of [{ tags: ['tag'] }, { tags: ['tag'], staleWhileRevalidate: 60 }, { tags: ['tag'], staleIfError: 60, lock: true }]) {
    const how = Object.keys(options).join(', ')
    t.test(`getOrSet: what was loaded before ${name} in another process is not stored (${how})`, async (t) => {
      const { near, far } = twoProcesses()
      const { source, answer } = await begin(near, options)
      await change(far.client)
      source.resolve('old')
      t.equal(await answer, 'old', 'who asked before has it')
      await settle()
      // The value of a softly invalidated load is stored as stale, so a caller with a stale window gets it once more.
      if (name === 'tags.invalidate, soft' && 'staleWhileRevalidate' in options) {
        t.match(await far.client.get('key'), { value: null })
        return
      }
      const expected = name === 'set' ? 'set elsewhere' : 'new'
      t.equal(await near.client.getOrSet('key', () => 'new', options), expected)
      t.equal(await far.client.getOrSet('key', () => 'newer', options), expected)
    })

    t.test(`getOrSet: a call that comes after ${name} in another process does not join a load from before (${how})`, async (t) => {
      const { near, far } = twoProcesses()
      const { source, answer } = await begin(near, options)
      await change(far.client)
      const later = near.client.getOrSet('key', () => 'new', options)
      await settle()
      source.resolve('old')
      t.equal(await answer, 'old')
      t.equal(await later, name === 'set' ? 'set elsewhere' : 'new')
    })
  }
}

t.test('getOrSet: calls join while nothing was changed; they share the questions whether it was', async (t) => {
  const { near, far } = twoProcesses()
  const { source, answer } = await begin(near, { tags: ['tag'] })
  await far.client.del('another')
  await far.client.tags.invalidate('another')
  near.cache.calls.length = 0
  const joined = Array.from({ length: 100 }, () => near.client.getOrSet('key', () => t.fail('loaded twice'), { tags: ['tag'] }))
  await settle()
  source.resolve('value')
  t.equal(await answer, 'value')
  t.same(await Promise.all(joined), Array(100).fill('value'))
  t.ok(near.cache.calls.filter((call) => call === 'isCurrent').length <= 2, near.cache.calls.join())
})

t.test('getOrSet: calls that come before the lease was asked for join without a question', async (t) => {
  const { near } = twoProcesses()
  const calls = Array.from({ length: 10 }, () => near.client.getOrSet('key', async () => 'value'))
  t.same(await Promise.all(calls), Array(10).fill('value'))
  t.notOk(near.cache.calls.includes('isCurrent'), near.cache.calls.join())
})

t.test('getOrSet: a call that comes while the loaded value is being stored is a hit of it', async (t) => {
  const { near } = twoProcesses()
  const { source, answer } = await begin(near)
  source.resolve('value')
  await answer
  t.equal(await near.client.getOrSet('key', () => t.fail('loaded twice')), 'value')
})

t.test('getOrSet: while the store cannot be asked, calls join', async (t) => {
  const { near } = twoProcesses()
  const { source, answer } = await begin(near)
  near.cache.isAway = true
  const joined = Array.from({ length: 5 }, () => near.client.getOrSet('key', () => t.fail('loaded twice')))
  await settle()
  source.resolve('value')
  t.same(await Promise.all([answer, ...joined]), Array(6).fill('value'))
})

t.test('getOrSet: loads that began without the store stay single-flight, and are not joined once it is back', async (t) => {
  const { near } = twoProcesses()
  near.cache.isAway = true
  const { source, answer } = await begin(near)
  const joined = near.client.getOrSet('key', () => t.fail('loaded twice'))
  await settle()
  near.cache.isAway = false
  const later = near.client.getOrSet('key', () => 'new')
  t.equal(await later, 'new')
  source.resolve('old')
  t.same(await Promise.all([answer, joined]), ['old', 'old'])
  await settle()
  t.equal(await near.client.getOrSet('key', () => 'newer'), 'new', 'the old one did not replace it')
})

t.test('getOrSet: a miss asks the store once more than before, a hit does not', async (t) => {
  const { near } = twoProcesses()
  await near.client.getOrSet('key', () => 1)
  await settle()
  t.same(near.cache.calls, ['getEntry key', 'take key', 'set key'])
  near.cache.calls.length = 0
  await near.client.getOrSet('key', () => 2)
  t.same(near.cache.calls, ['getEntry key'])
})

function ends (name: string, end: (t: Test, process: Process) => Promise<unknown>): void {
  t.test(`getOrSet: ${name} leaves no mark behind`, async (t) => {
    const { near, store } = twoProcesses()
    await end(t, near)
    await settle()
    t.equal(store.slots.size, 0)
  })
}

ends('a load that fails', (t, { client }) => t.rejects(client.getOrSet('key', async () => { throw new Error('the source is down') })))
ends('a load that skips', (_t, { client }) => client.getOrSet('key', (load) => { load.skip(); return 1 }))
ends('a value that the store refuses', (_t, { client }) => client.getOrSet<unknown>('key', () => () => {}))
ends('a value that may not be stored', (_t, { client }) => client.getOrSet('key', () => undefined))
ends('tags that are refused', (_t, { client }) => client.getOrSet('key', () => 1, { tags: () => ['without covering tags'] }))
ends('a ttl of 0', (_t, { client }) => client.getOrSet('key', () => 1, 0))

t.test('getOrSet: a failed refresh leaves the stale entry in place', async (t) => {
  const { near, clock } = twoProcesses()
  await near.client.getOrSet('key', () => 'stale', { ttl: 1, staleIfError: 60 })
  await settle()
  clock.advance(2)
  t.equal(await near.client.getOrSet('key', async () => { throw new Error('the source is down') }, { ttl: 1, staleIfError: 60 }), 'stale')
  t.equal(await near.client.getOrSet('key', () => t.fail('loaded too soon'), { ttl: 1, staleIfError: 60 }), 'stale')
})

t.test('getOrSet: a lease outlasts the time limit of its load', async (t) => {
  const { near, store } = twoProcesses()
  const { source, answer } = await begin(near)
  t.ok(store.slots.get('key')!.end > 30_000, 'the default limit')
  source.resolve(1)
  await answer
  await settle()
  await near.client.del('key')
  const slow = await begin(near, { timeoutMs: 300_000 })
  t.ok(store.slots.get('key')!.end > 300_000)
  slow.source.resolve(1)
  await slow.answer
})
