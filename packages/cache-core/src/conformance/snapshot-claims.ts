import assert from 'node:assert/strict'
import type { SetOptions } from '../contract/cache.js'
import { about, read, readAll, valueOf, write, type Claim, type FullCache } from './claim.js'

/** Claims about snapshots: a value whose load began before an invalidation is not served as valid after it. */
export const snapshotClaims: Claim[] = about('tags', [{
  name: 'set: with a snapshot the entry is served, and invalidated later as any other',
  async check (cache) {
    await write(cache, 'key', 1, await loaded(cache, ['one', 'two']))
    assert.equal(await read(cache, 'key'), 1)
    valueOf(await cache.tags.invalidate('two'))
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'set: a value that was loaded before its tag was invalidated is not served',
  async check (cache) {
    for (const tag of ['one', 'two']) {
      const options = await loaded(cache, ['one', 'two'])
      valueOf(await cache.tags.invalidate(tag))
      valueOf(await cache.set('key', 'stale', options))
      assert.equal(await read(cache, 'key'), null)
    }
  }
}, {
  name: 'set: the same, though the tag was captured anew in the meantime',
  async check (cache) {
    const before = await loaded(cache, ['tag'])
    valueOf(await cache.tags.invalidate('tag'))
    await write(cache, 'new', 2, await loaded(cache, ['tag']))
    valueOf(await cache.set('old', 1, before))
    assert.deepEqual(await readAll(cache, 'new', 'old'), [2, null])
  }
}, {
  name: 'set: a value that was loaded too early does not stay in place of an earlier one',
  async check (cache) {
    await write(cache, 'key', 'first', { tags: ['tag'] })
    const options = await loaded(cache, ['tag'])
    valueOf(await cache.tags.invalidate('tag'))
    valueOf(await cache.set('key', 'second', options))
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'set: invalidating another tag in the meantime does no harm',
  async check (cache) {
    const options = await loaded(cache, ['mine'])
    valueOf(await cache.tags.invalidate('other'))
    await write(cache, 'key', 1, options)
    assert.equal(await read(cache, 'key'), 1)
  }
}, {
  name: 'set: tags that the snapshot lacks are captured as the value is stored',
  async check (cache) {
    const { snapshot } = await loaded(cache, ['one'])
    valueOf(await cache.tags.invalidate('two'))
    await write(cache, 'key', 1, { tags: ['one', 'two'], snapshot: snapshot! })
    assert.equal(await read(cache, 'key'), 1)
    valueOf(await cache.tags.invalidate('two'))
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'set: one snapshot may serve several entries, each with tags of its own',
  async check (cache) {
    const { snapshot } = await loaded(cache, ['one', 'two'])
    await write(cache, 'a', 1, { tags: ['one'], snapshot: snapshot! })
    await write(cache, 'b', 2, { tags: ['two'], snapshot: snapshot! })
    valueOf(await cache.tags.invalidate('two'))
    assert.deepEqual(await readAll(cache, 'a', 'b'), [1, null])
  }
}, {
  name: 'set: without tags the entry has those of the snapshot',
  async check (cache) {
    const { snapshot } = await loaded(cache, ['one', 'two'])
    await write(cache, 'key', 1, { snapshot: snapshot! })
    assert.equal(await read(cache, 'key'), 1)
    valueOf(await cache.tags.invalidate('two'))
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'set: a snapshot of another cache proves nothing, so the entry is not served',
  async check (cache) {
    const foreign = Object.freeze({})
    valueOf(await cache.set('key', 1, { tags: ['tag'], snapshot: foreign }))
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'tags.isCurrent: until one of the tags is invalidated, softly or not, or all is cleared',
  needs: ['clear'],
  async check (cache) {
    if (cache.tags.isCurrent === undefined) return
    const changes = [() => cache.tags.invalidate('two'), () => cache.tags.invalidate('one', { soft: true }), () => cache.clear()]
    for (const change of changes) {
      const { snapshot } = await loaded(cache, ['one', 'two'])
      const before = await cache.tags.isCurrent(snapshot!)
      if (!before.ok && before.error.code === 'CACHE_ERR_UNSUPPORTED') return
      valueOf(await cache.tags.invalidate('other'))
      valueOf(await cache.del('key'))
      assert.equal(valueOf(await cache.tags.isCurrent(snapshot!)), true)
      valueOf(await change())
      assert.equal(valueOf(await cache.tags.isCurrent(snapshot!)), false)
    }
    assert.equal(valueOf(await cache.tags.isCurrent(Object.freeze({}))), false)
  }
}, {
  name: 'set: a store that crosses the invalidation is not served after it',
  async check (cache) {
    for (let times = 0; times < 20; times++) {
      const options = await loaded(cache, ['tag'])
      const [invalidated] = await Promise.all([cache.tags.invalidate('tag'), cache.set('key', times, options)])
      valueOf(invalidated)
      assert.equal(await read(cache, 'key'), null)
    }
  }
}, {
  name: 'set: a value that was loaded before a soft invalidation is not fresh',
  async check (cache) {
    const options = await loaded(cache, ['tag'])
    valueOf(await cache.tags.invalidate('tag', { soft: true }))
    valueOf(await cache.set('key', 1, { ...options, staleIfError: 60 }))
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'clear: what was loaded before is not served, tagged or not',
  needs: ['clear'],
  async check (cache) {
    const options = await loaded(cache, ['tag'])
    await write(cache, 'tagged', 1, { tags: ['tag'] })
    valueOf(await cache.clear())
    valueOf(await cache.set('key', 1, options))
    assert.deepEqual(await readAll(cache, 'tagged', 'key'), [null, null])
    await write(cache, 'key', 2, await loaded(cache, ['tag']))
    assert.equal(await read(cache, 'key'), 2)
  }
}])

/** Returns the options for storing a value whose load begins now. */
async function loaded (cache: FullCache, tags: string[]): Promise<SetOptions> {
  return { tags, snapshot: valueOf(await cache.tags.capture(tags)) }
}
