import assert from 'node:assert/strict'
import { MAX_TAG_LENGTH, MAX_TAGS } from '../contract/arguments.js'
import { about, read, readAll, valueOf, write, type Claim } from './claim.js'

/** Claims about tags: an invalidation affects every entry with the tag, and no other entry. */
export const tagClaims: Claim[] = about('tags', [{
  name: 'tags.invalidate: entries with the tag are gone, all others stay',
  async check (cache) {
    await write(cache, 'a', 1, { tags: ['red'] })
    await write(cache, 'b', 2, { tags: ['red'] })
    await write(cache, 'c', 3, { tags: ['blue'] })
    await write(cache, 'red', 4)
    valueOf(await cache.tags.invalidate('red'))
    assert.deepEqual(await readAll(cache, 'a', 'b', 'c', 'red'), [null, null, 3, 4])
  }
}, {
  name: 'tags.invalidate: any of its tags makes an entry gone',
  async check (cache) {
    for (const tag of ['one', 'two', 'three']) {
      await write(cache, 'key', tag, { tags: ['one', 'two', 'three'] })
      assert.equal(await read(cache, 'key'), tag)
      valueOf(await cache.tags.invalidate([tag]))
      assert.equal(await read(cache, 'key'), null)
    }
  }
}, {
  name: 'tags.invalidate: several tags at once',
  async check (cache) {
    for (const tag of ['one', 'two', 'three']) await write(cache, tag, tag, { tags: [tag] })
    valueOf(await cache.tags.invalidate(['three', 'one']))
    assert.deepEqual(await readAll(cache, 'one', 'two', 'three'), [null, 'two', null])
  }
}, {
  name: 'tags.invalidate: unknown tags, and none at all, are ok',
  async check (cache) {
    await write(cache, 'key', 1, { tags: ['known'] })
    valueOf(await cache.tags.invalidate('unknown'))
    valueOf(await cache.tags.invalidate(['unknown', 'unknown']))
    valueOf(await cache.tags.invalidate([]))
    assert.equal(await read(cache, 'key'), 1)
  }
}, {
  name: 'tags.invalidate: what is stored later is not affected, also twice over',
  async check (cache) {
    for (let times = 1; times <= 3; times++) {
      valueOf(await cache.tags.invalidate('tag'))
      await write(cache, 'key', times, { tags: ['tag'] })
      assert.equal(await read(cache, 'key'), times)
    }
    valueOf(await cache.tags.invalidate('tag'))
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'tags.invalidate: the tags of the value that was overwritten do not count any more',
  async check (cache) {
    await write(cache, 'key', 1, { tags: ['old'] })
    await write(cache, 'key', 2, { tags: ['new'] })
    valueOf(await cache.tags.invalidate('old'))
    assert.equal(await read(cache, 'key'), 2)
    await write(cache, 'key', 3)
    valueOf(await cache.tags.invalidate('new'))
    assert.equal(await read(cache, 'key'), 3)
  }
}, {
  name: 'set: takes any tag of 1 to 256 characters, 64 of them, and one twice',
  async check (cache) {
    const odd = ['a', 'A', 'a b', 'a:b', ':', 'a\nb', '__proto__', '{a}', '*', '😀', 'ä', 't'.repeat(MAX_TAG_LENGTH)]
    for (const tag of odd) await write(cache, tag, tag, { tags: [tag, tag] })
    for (const [at, tag] of odd.entries()) {
      assert.deepEqual(await readAll(cache, ...odd), odd.map((each, index) => index < at ? null : each))
      valueOf(await cache.tags.invalidate(tag))
    }
    const many = Array.from({ length: MAX_TAGS }, (_, at) => `tag ${at}`)
    await write(cache, 'many', 1, { tags: many })
    assert.equal(await read(cache, 'many'), 1)
    valueOf(await cache.tags.invalidate(many.at(-1)!))
    assert.equal(await read(cache, 'many'), null)
  }
}, {
  name: 'set: keeps the tags as they are when the call is made',
  async check (cache) {
    const tags = ['kept']
    const call = cache.set('key', 1, { tags })
    tags[0] = 'changed'
    valueOf(await call)
    valueOf(await cache.tags.invalidate('changed'))
    assert.equal(await read(cache, 'key'), 1)
    valueOf(await cache.tags.invalidate('kept'))
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'getEntry: names the tags',
  needs: ['getEntry'],
  async check (cache) {
    await write(cache, 'key', 1, { tags: ['one', 'two'] })
    assert.deepEqual(valueOf(await cache.getEntry('key', { tags: ['one', 'two'] }))!.tags.toSorted(), ['one', 'two'])
    assert.deepEqual(valueOf(await cache.getEntry('key'))!.tags.toSorted(), ['one', 'two'])
    valueOf(await cache.tags.invalidate('two'))
    assert.equal(valueOf(await cache.getEntry('key', { tags: ['one'] })), null)
  }
}, {
  name: 'tags.invalidate: soft leaves the entry as stale, to its stale end',
  needs: ['getEntry'],
  async check (cache, { unit, pass }) {
    await write(cache, 'key', 1, { ttl: 2 * unit, staleIfError: 2 * unit, tags: ['tag'] })
    await write(cache, 'other', 2, { ttl: 60 * unit, tags: ['other'] })
    valueOf(await cache.tags.invalidate('tag', { soft: true }))
    assert.deepEqual(await readAll(cache, 'key', 'other'), [null, 2])
    const entry = valueOf(await cache.getEntry('key'))
    assert.ok(entry !== null, 'it is stale, not gone')
    assert.deepEqual([entry.value, entry.fresh], [1, false])
    assert.ok(entry.ttlLeft <= 0 && entry.staleLeft > 0)
    await pass(4.5)
    assert.equal(valueOf(await cache.getEntry('key')), null)
  }
}, {
  name: 'tags.invalidate: after a soft one the next value is fresh, and a hard one is hard',
  needs: ['getEntry'],
  async check (cache) {
    await write(cache, 'a', 1, { staleIfError: 60, tags: ['tag'] })
    valueOf(await cache.tags.invalidate('tag', { soft: true }))
    await write(cache, 'b', 2, { staleIfError: 60, tags: ['tag'] })
    assert.deepEqual(await readAll(cache, 'a', 'b'), [null, 2])
    valueOf(await cache.tags.invalidate('tag'))
    assert.equal(valueOf(await cache.getEntry('a')), null)
    assert.equal(valueOf(await cache.getEntry('b')), null)
    valueOf(await cache.tags.invalidate('tag', { soft: true }))
    assert.equal(valueOf(await cache.getEntry('a')), null)
  }
}, {
  name: 'del: removes a tagged entry, and its tags stay usable',
  async check (cache) {
    await write(cache, 'a', 1, { tags: ['tag'] })
    await write(cache, 'b', 2, { tags: ['tag'] })
    valueOf(await cache.del('a'))
    assert.deepEqual(await readAll(cache, 'a', 'b'), [null, 2])
  }
}, {
  name: 'getMany: gives no invalidated value',
  needs: ['getMany', 'setMany'],
  async check (cache) {
    valueOf(await cache.setMany([
      { key: 'a', value: 1, options: { tags: ['red'] } },
      { key: 'b', value: 2, options: { tags: ['blue'] } },
      { key: 'c', value: 3 }
    ]))
    valueOf(await cache.tags.invalidate('red'))
    assert.deepEqual(valueOf(await cache.getMany(['c', 'a', 'b'])), [3, null, 2])
  }
}])
