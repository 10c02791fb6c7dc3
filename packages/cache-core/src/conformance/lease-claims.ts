import assert from 'node:assert/strict'
import type { Lease } from '../contract/cache.js'
import { about, read, readAll, valueOf, write, type Claim, type FullCache } from './claim.js'

/** The ttl, in seconds, of the leases in the claims: more than the duration of any claim. */
const TTL = 60

/** Claims about leases: a value whose load began before a removal, in any process, is not stored after it. */
export const leaseClaims: Claim[] = about('leases', [{
  name: 'leases: what was loaded with a lease is stored and served',
  async check (cache, _time, peer) {
    await load(cache, 'key', 1, { tags: ['tag'] })
    assert.deepEqual([await read(cache, 'key'), await read(peer, 'key')], [1, 1])
    valueOf(await peer.del('key'))
    assert.deepEqual([await read(cache, 'key'), await read(peer, 'key')], [null, null])
  }
}, {
  name: 'leases: a value that was loaded before its key was removed is not stored',
  needs: ['delMany'],
  async check (cache, _time, peer) {
    for (const tags of [[], ['tag']]) {
      for (const remove of [() => peer.del('key'), () => peer.delMany(['other', 'key']), () => peer.set('key', 0, 0)]) {
        const lease = await take(cache, 'key', tags)
        valueOf(await remove())
        await store(cache, 'key', 'old', lease, tags)
        assert.equal(await read(peer, 'key'), null)
      }
    }
  }
}, {
  name: 'leases: a value that was loaded before another was set does not replace it',
  async check (cache, _time, peer) {
    for (const value of ['text', 7, null, Buffer.from('bytes')]) {
      const lease = await take(cache, 'key')
      await write(peer, 'key', value)
      await store(cache, 'key', 'old', lease)
      assert.deepEqual(await read(cache, 'key'), value)
      valueOf(await peer.del('key'))
    }
  }
}, {
  name: 'leases: a value that replaces an entry is stored unless the entry was removed or replaced meanwhile',
  async check (cache, _time, peer) {
    for (const options of [{ ttl: 60 }, { ttl: 60, staleIfError: 60 }, { ttl: 60, tags: ['tag'] }]) {
      await write(cache, 'key', 'first', options)
      await load(cache, 'key', 'second')
      assert.equal(await read(peer, 'key'), 'second')

      await write(cache, 'key', 'third', options)
      const overDel = await take(cache, 'key')
      valueOf(await peer.del('key'))
      await write(peer, 'key', 'third', options)
      await store(cache, 'key', 'old', overDel)
      assert.equal(await read(cache, 'key'), 'third', 'the same value, stored anew, is another entry')
      valueOf(await cache.del('key'))
    }
  }
}, {
  name: 'leases: loads that overlap with nothing removed in between are stored, the first of them at least',
  async check (cache, _time, peer) {
    const [one, other] = [await take(cache, 'key'), await take(peer, 'key')]
    await store(peer, 'key', 'first', other)
    assert.equal(await read(cache, 'key'), 'first')
    await store(cache, 'key', 'second', one)
    assert.ok(['first', 'second'].includes(await read(cache, 'key') as string))
  }
}, {
  name: 'leases: one that was taken after the removal is not hit by it',
  async check (cache, _time, peer) {
    const old = await take(cache, 'key')
    valueOf(await peer.del('key'))
    const fresh = await take(peer, 'key')
    await store(cache, 'key', 'old', old)
    assert.equal(await read(cache, 'key'), null)
    await store(peer, 'key', 'new', fresh)
    assert.equal(await read(cache, 'key'), 'new')
  }
}, {
  name: 'leases: a removal of another key does no harm',
  async check (cache, _time, peer) {
    const lease = await take(cache, 'key')
    valueOf(await peer.del('other'))
    await write(peer, 'key2', 1)
    await store(cache, 'key', 1, lease)
    assert.deepEqual(await readAll(peer, 'key', 'key2'), [1, 1])
  }
}, {
  name: 'leases: a key that is being loaded is a miss, in every kind of read',
  needs: ['getEntry', 'getMany'],
  async check (cache, _time, peer) {
    await take(cache, 'key')
    assert.equal(await read(peer, 'key'), null)
    assert.equal(valueOf(await peer.getEntry('key', { stale: true })), null)
    assert.deepEqual(valueOf(await peer.getMany(['key', 'other'])), [null, null])
  }
}, {
  name: 'leases: a stale entry stays readable while it is being replaced, and after a load that stored nothing',
  needs: ['getEntry'],
  async check (cache, { unit, pass }, peer) {
    await write(cache, 'key', 1, { ttl: unit, staleIfError: 60 })
    await pass(1.5)
    const lease = await take(cache, 'key')
    assert.equal(valueOf(await peer.getEntry('key', { stale: true }))?.value, 1)
    valueOf(await cache.leases.release(lease))
    assert.equal(valueOf(await peer.getEntry('key', { stale: true }))?.value, 1)
  }
}, {
  name: 'leases: with tags one is a snapshot of them, too',
  async check (cache, _time, peer) {
    const lease = await take(cache, 'key', ['tag'])
    valueOf(await peer.tags.invalidate('tag'))
    await store(cache, 'key', 'old', lease, ['tag'])
    assert.equal(await read(peer, 'key'), null)
  }
}, {
  name: 'leases.isCurrent: until the key is removed or set, or a tag is invalidated, softly or not',
  async check (cache, _time, peer) {
    const changes = [
      () => peer.del('key'), () => peer.set('key', 1), () => cache.tags.invalidate('tag'), () => cache.tags.invalidate('tag', { soft: true })
    ]
    for (const change of changes) {
      const lease = await take(cache, 'key', ['tag'])
      valueOf(await peer.del('other'))
      valueOf(await peer.tags.invalidate('other'))
      assert.equal(valueOf(await cache.leases.isCurrent(lease)), true)
      valueOf(await change())
      assert.equal(valueOf(await cache.leases.isCurrent(lease)), false)
    }
  }
}, {
  name: 'leases.isCurrent: another cache\'s lease is none',
  async check (cache) {
    assert.equal(valueOf(await cache.leases.isCurrent(Object.freeze({}))), false)
    valueOf(await cache.leases.release(Object.freeze({})))
  }
}, {
  name: 'leases.release: the key can be loaded and stored afterwards, and what is there stays',
  async check (cache, _time, peer) {
    valueOf(await cache.leases.release(await take(cache, 'key')))
    assert.equal(await read(cache, 'key'), null)
    const lease = await take(cache, 'key')
    await write(peer, 'key', 'new')
    valueOf(await cache.leases.release(lease))
    assert.equal(await read(peer, 'key'), 'new')
    await load(cache, 'key', 'newer')
    assert.equal(await read(peer, 'key'), 'newer')
  }
}, {
  name: 'leases: clear ends them, too',
  needs: ['clear'],
  async check (cache) {
    const lease = await take(cache, 'key')
    valueOf(await cache.clear())
    assert.equal(valueOf(await cache.leases.isCurrent(lease)), false)
    await store(cache, 'key', 'old', lease)
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'leases: after its end nothing is stored',
  async check (cache, { unit, pass }, peer) {
    const lease = valueOf(await cache.leases.take('key', { ttl: unit }))
    await pass(1.5)
    await store(cache, 'key', 'late', lease)
    assert.equal(await read(peer, 'key'), null)
  }
}])

async function take (cache: FullCache, key: string, tags: string[] = []): Promise<Lease> {
  return valueOf(await cache.leases.take(key, { tags, ttl: TTL }))
}

async function store (cache: FullCache, key: string, value: unknown, snapshot: Lease, tags: string[] = []): Promise<void> {
  valueOf(await cache.set(key, value, { ttl: TTL, tags, snapshot }))
}

async function load (cache: FullCache, key: string, value: unknown, { tags = [] }: { tags?: string[] } = {}): Promise<void> {
  await store(cache, key, value, await take(cache, key, tags), tags)
}
