import assert from 'node:assert/strict'
import { readNow, shareNow, type Immediate } from '../contract/sync-read.js'
import { STORED_NULL } from '../contract/result.js'
import { read, valueOf, write, type Claim, type FullCache } from './claim.js'
import { GOOD_KEYS } from './inputs.js'
import { seeded } from './random.js'

interface Nested { list: number[]; deep: { name: string } }

const nested = (): Nested => ({ list: [1, 2], deep: { name: 'as stored' } })

/** Claims about values: a read returns the stored value, and no caller can change the value of another caller. */
export const valueClaims: Claim[] = [{
  name: 'get: what was never stored is a miss',
  async check (cache) {
    assert.equal(await read(cache, 'unknown'), null)
  }
}, {
  name: 'get: gives what set stored, again and again',
  async check (cache) {
    await write(cache, 'a', 'first')
    await write(cache, 'b', 'second')
    assert.deepEqual([await read(cache, 'a'), await read(cache, 'b'), await read(cache, 'a')], ['first', 'second', 'first'])
  }
}, {
  name: 'set: overwrites, whatever the types',
  async check (cache) {
    for (const value of ['text', { an: 'object' }, 1, Buffer.from('bytes'), [1], false]) {
      await write(cache, 'key', value)
      assert.deepEqual(plain(await read(cache, 'key')), plain(value))
    }
  }
}, {
  name: 'del: removes the value, and is ok if there was none',
  async check (cache) {
    await write(cache, 'a', 1)
    await write(cache, 'b', 2)
    valueOf(await cache.del('a'))
    valueOf(await cache.del('a'))
    valueOf(await cache.del('unknown'))
    assert.deepEqual([await read(cache, 'a'), await read(cache, 'b')], [null, 2])
  }
}, {
  name: 'set: stores again after del',
  async check (cache) {
    await write(cache, 'key', 1)
    valueOf(await cache.del('key'))
    await write(cache, 'key', 2)
    assert.equal(await read(cache, 'key'), 2)
  }
}, {
  name: "get: 0, '' and false are values",
  async check (cache) {
    for (const value of [0, '', false]) {
      await write(cache, 'key', value)
      assert.equal(await read(cache, 'key'), value)
    }
  }
}, {
  name: 'get: numbers and texts keep their type',
  async check (cache) {
    for (const value of [1.5, -7, Number.MAX_SAFE_INTEGER, 1e300, '1', 'null', '{}', '"', 'true']) {
      await write(cache, 'key', value)
      assert.equal(await read(cache, 'key'), value)
    }
  }
}, {
  name: 'set: null can be stored, and get answers null',
  async check (cache) {
    await write(cache, 'key', 'before')
    await write(cache, 'key', null)
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'getEntry: tells a stored null from a miss',
  needs: ['getEntry'],
  async check (cache) {
    await write(cache, 'key', null)
    const entry = valueOf(await cache.getEntry('key'))
    assert.ok(entry !== null, 'a stored null is an entry')
    assert.equal(entry.value, null)
    assert.equal(entry.fresh, true)
    assert.equal(valueOf(await cache.getEntry('unknown')), null)
  }
}, {
  name: 'readNow: answers what get answers, and STORED_NULL for a stored null',
  async check (cache) {
    if (!(readNow in cache)) return
    const immediate = cache as FullCache & Immediate
    await write(cache, 'key', nested())
    assert.deepEqual(valueOf(immediate[readNow]('key')), nested())
    assert.equal(valueOf(immediate[readNow]('unknown')), null)
    await write(cache, 'key', null)
    assert.equal(immediate[readNow]('key'), STORED_NULL)
  }
}, {
  name: 'shareNow: finds what getEntry finds',
  async check (cache) {
    if (!(readNow in cache && shareNow in cache)) return
    const immediate = cache as FullCache & Immediate
    await write(cache, 'key', Buffer.from('bytes'))
    const entry = valueOf(immediate[shareNow]('key'))
    assert.equal(entry?.fresh, true)
    assert.deepEqual(Buffer.from(entry!.value as Uint8Array), Buffer.from('bytes'))
    await write(cache, 'key', nested())
    assert.deepEqual(valueOf(immediate[shareNow]('key'))?.value, nested())
    assert.equal(valueOf(immediate[shareNow]('unknown')), null)
  }
}, {
  name: 'get: nested values, and names that objects have by themselves',
  async check (cache) {
    const value = JSON.parse('{"__proto__":{"a":1},"constructor":"b","list":[[],{},[null]],"":"","ü\\n\\u0000":"\\ud83d\\ude00"}')
    await write(cache, 'key', value)
    const found = await read(cache, 'key') as object
    assert.deepEqual(JSON.stringify(found), JSON.stringify(value))
    assert.equal((found as { a?: unknown }).a, undefined)
  }
}, {
  name: 'get: large values',
  async check (cache) {
    const text = 'ä€😀 '.repeat(30_000)
    const list = Array.from({ length: 5000 }, (_, at) => ({ at, name: `row ${at}` }))
    await write(cache, 'text', text)
    await write(cache, 'list', list)
    assert.ok(await read(cache, 'text') === text)
    assert.deepEqual(await read(cache, 'list'), list)
  }
}, {
  name: 'get: bytes come back as bytes',
  async check (cache) {
    const bytes = Buffer.from([0, 255, 10, 13, 0x80, 0xc3, 0x28])
    for (const stored of [bytes, new Uint8Array(bytes), bytes.subarray(2, 5), Buffer.alloc(0)]) {
      await write(cache, 'key', stored)
      const found = await read(cache, 'key')
      assert.ok(found instanceof Uint8Array, 'bytes, not what JSON makes of them')
      assert.deepEqual([...found], [...stored])
    }
  }
}, {
  name: 'set: stores the value as it is when the call is made',
  async check (cache) {
    const value = nested()
    const bytes = Buffer.from('abc')
    const calls = [cache.set('key', value), cache.set('bytes', bytes)]
    value.list.push(3)
    value.deep.name = 'changed'
    bytes.fill(0)
    for (const call of calls) valueOf(await call)
    value.list.length = 0
    assert.deepEqual(await read(cache, 'key'), nested())
    assert.deepEqual(plain(await read(cache, 'bytes')), [97, 98, 99])
  }
}, {
  name: 'get: a reader who changes its value changes it for nobody else',
  async check (cache) {
    await write(cache, 'key', nested())
    await write(cache, 'bytes', Buffer.from('abc'))
    const held = await read(cache, 'key')
    for (let times = 0; times < 2; times++) {
      const found = await read(cache, 'key') as Nested
      tryTo(() => { found.deep.name = 'changed' })
      tryTo(() => { found.list.push(3) })
      ;(await read(cache, 'bytes') as Uint8Array).fill(0)
    }
    assert.deepEqual(held, nested())
    assert.deepEqual(await read(cache, 'key'), nested())
    assert.deepEqual(plain(await read(cache, 'bytes')), [97, 98, 99])
  }
}, {
  name: 'getEntry: what a reader changes in an entry changes it for nobody else',
  needs: ['getEntry'],
  async check (cache) {
    await write(cache, 'key', nested(), cache.tags === undefined ? {} : { tags: ['one'] })
    const entry = valueOf(await cache.getEntry<Nested>('key'))!
    const { tags } = entry
    const expected = [...tags]
    tryTo(() => { entry.value.list.push(3) })
    tryTo(() => { tags.push('two') })
    const again = valueOf(await cache.getEntry<Nested>('key'))!
    assert.deepEqual([again.value, again.tags], [nested(), expected])
  }
}, {
  name: 'set: takes any key of 1 to 1024 characters, and no two of them are one',
  async check (cache) {
    for (const key of GOOD_KEYS) await write(cache, key, { of: key })
    for (const key of GOOD_KEYS) assert.deepEqual(await read(cache, key), { of: key })
    for (const key of GOOD_KEYS.filter((_, at) => at % 2 === 0)) valueOf(await cache.del(key))
    for (const [at, key] of GOOD_KEYS.entries()) assert.deepEqual(await read(cache, key), at % 2 === 0 ? null : { of: key })
  }
}, {
  name: 'get, set, del: behave as a map does (500 calls)',
  async check (cache) {
    const random = seeded(2)
    const map = new Map<string, unknown>()
    for (let call = 0; call < 500; call++) {
      const key = random(GOOD_KEYS.slice(0, 12))
      switch (random(['get', 'get', 'set', 'set', 'del'])) {
        case 'set': {
          const value = random([null, 0, '', false, call, `text ${call}`, [call], { call }])
          await write(cache, key, value, random([undefined, 3600, { ttl: 3600 }]))
          map.set(key, value)
          break
        }
        case 'del':
          valueOf(await cache.del(key))
          map.delete(key)
          break
        default:
          assert.deepEqual(await read(cache, key), map.get(key) ?? null)
      }
    }
  }
}]

/** Runs a function that changes a value that the cache returned. The change may fail, but only with the TypeError of a frozen value. */
function tryTo (change: () => void): void {
  try {
    change()
  } catch (error) {
    assert.ok(error instanceof TypeError, `only a frozen value may refuse to be changed, got ${String(error)}`)
  }
}

/** Returns bytes as an array, so that a Buffer equals the Uint8Array that another cache returns. */
function plain (value: unknown): unknown {
  return value instanceof Uint8Array ? [...value] : value
}
