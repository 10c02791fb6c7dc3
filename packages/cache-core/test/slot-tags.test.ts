import { MemoryCache } from '@x/cache-core'
import t from 'tap'

const TAGS = ['one', 'two', 'three', 'four', 'five']

/** Returns whether an entry is fresh; `undefined`: there is no such entry. */
async function freshness (cache: MemoryCache, key: string): Promise<boolean | undefined> {
  const result = await cache.getEntry(key)
  return result.ok ? result.value?.fresh : undefined
}

for (const count of [1, 2, 3, 5]) {
  const tags = TAGS.slice(0, count)

  t.test(`an entry with ${count} tags is removed by an invalidation of any of them`, async (t) => {
    for (const tag of tags) {
      const cache = new MemoryCache()
      await cache.set('key', 'value', { tags })
      await cache.tags.invalidate(['other'])
      t.same(await cache.get('key'), { ok: true, value: 'value' })
      await cache.tags.invalidate([tag])
      t.equal(await freshness(cache, 'key'), undefined, tag)
    }
  })

  t.test(`an entry with ${count} tags is stale after a soft invalidation of any of them, until it is stored again`, async (t) => {
    for (const tag of tags) {
      const cache = new MemoryCache()
      const store = async (): Promise<unknown> => cache.set('key', 'value', { tags, staleWhileRevalidate: 60 })
      await store()
      t.equal(await freshness(cache, 'key'), true)
      await cache.tags.invalidate([tag], { soft: true })
      t.equal(await freshness(cache, 'key'), false, tag)
      await store()
      t.equal(await freshness(cache, 'key'), true)
    }
  })

  t.test(`an entry has its ${count + 1} tags and their invalidations after the cache has grown and shrunk`, async (t) => {
    const cache = new MemoryCache()
    for (let id = 0; id < 200; id++) await cache.set(`key:${id}`, id, { tags: [...tags, `own:${id}`], staleWhileRevalidate: 60 })
    await cache.tags.invalidate(['own:1'], { soft: true })
    for (let id = 4; id < 200; id++) await cache.del(`key:${id}`)
    const read = await cache.getEntry('key:2')
    t.same(read.ok && read.value?.tags, [...tags, 'own:2'])
    t.same(await Promise.all([0, 1, 2, 3].map((id) => freshness(cache, `key:${id}`))), [true, false, true, true])
    await cache.tags.invalidate(['own:3'])
    t.same(await Promise.all([0, 1, 2, 3].map((id) => freshness(cache, `key:${id}`))), [true, false, true, undefined])
  })
}

t.test('an entry that takes the place of one with more tags has only its own', async (t) => {
  const cache = new MemoryCache()
  await cache.set('key', 'value', { tags: TAGS })
  await cache.set('key', 'value', { tags: ['one'] })
  await cache.tags.invalidate(TAGS.slice(1))
  t.equal(await freshness(cache, 'key'), true)
  await cache.set('key', 'value')
  await cache.tags.invalidate(['one'])
  t.equal(await freshness(cache, 'key'), true)
})
