import t from 'tap'
import { settle } from '@x/test-kit/deferred'
import { ForeignCache } from '@x/test-kit/foreign-caches'
import { countsOf, errorsOf, makeClient } from '@x/test-kit/make-client'

const KEY = 'user:1'

for (const options of [{}, { lock: true }, { tags: ['users'] }, { staleIfError: 60 }, { ttl: () => 5 }]) {
  t.test(`getOrSet: undefined is not stored and no error, with ${Object.keys(options).join() || 'no options'}`, async (t) => {
    for (const { client, registry } of [makeClient(), makeClient(() => new ForeignCache())]) {
      let loads = 0
      const load = (): string | undefined => { loads++; return undefined }
      t.equal(await client.getOrSet(KEY, load, options), undefined)
      await settle()
      t.equal(await client.getOrSet(KEY, load, options), undefined)
      await settle()
      t.equal(loads, 2)
      const label = registry.active.stats.label
      t.same(errorsOf(registry, label), {})
      t.match(countsOf(registry, label), { sets: 0, misses: 2 })
    }
  })
}

t.test('getOrSet: a refresh that gives undefined is no error, and the stale value stays to its end', async (t) => {
  const { client, registry, clock } = makeClient()
  await client.getOrSet<string | undefined>(KEY, () => 'old', { ttl: 10, staleWhileRevalidate: 60 })
  clock.advance(11)
  t.equal(await client.getOrSet<string | undefined>(KEY, () => undefined, { staleWhileRevalidate: 60 }), 'old')
  await settle()
  t.same(errorsOf(registry, 'memory'), {})
  t.equal(await client.getOrSet<string | undefined>(KEY, () => undefined, { staleWhileRevalidate: 60 }), 'old')
})

t.test('warm, namespace: undefined is not stored and no error', async (t) => {
  const { client, registry } = makeClient()
  t.match(await client.warm([{ key: KEY, loader: () => undefined }]), { failed: 0 })
  t.equal(await client.namespace('app').getOrSet(KEY, () => undefined), undefined)
  await settle()
  t.same(errorsOf(registry, 'memory'), {})
})

t.test('getOrSet: the functions of the options are not asked about undefined', async (t) => {
  const { client, registry } = makeClient()
  const asked: string[] = []
  const load = (): { id: number } | undefined => undefined
  await client.getOrSet(KEY, load, { ttl: ({ id }) => { asked.push('ttl'); return id }, tags: ({ id }) => { asked.push('tags'); return [`${id}`] }, coveringTags: ['all'] })
  await settle()
  t.same(asked, [])
  t.same(errorsOf(registry, 'memory'), {})
})

t.test('getOrSet: null has a ttl of its own where ttl is a function', async (t) => {
  const { client, clock } = makeClient()
  const options = { ttl: (user: string | null) => user === null ? 5 : 300 }
  const load = (user: string | null) => (): string | null => user
  t.equal(await client.getOrSet(KEY, load(null), options), null)
  t.equal(await client.getOrSet(KEY, load('Ada'), options), null)
  clock.advance(5.001)
  t.equal(await client.getOrSet(KEY, load('Ada'), options), 'Ada')
  clock.advance(5.001)
  t.equal(await client.getOrSet(KEY, load(null), options), 'Ada')
})
