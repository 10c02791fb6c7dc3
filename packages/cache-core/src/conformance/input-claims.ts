import assert from 'node:assert/strict'
import type { Result } from '../contract/result.js'
import { assertResult, codeOf, read, valueOf, type Claim, type FullCache } from './claim.js'
import { BAD_KEYS, BAD_SECONDS, BAD_TAGS, BAD_VALUES, GOOD_KEYS, GOOD_VALUES } from './inputs.js'
import { seeded, type Random } from './random.js'

/** Claims about the arguments of any cache, whether it stores or not: no argument makes a call throw or reject. */
export const inputClaims: Claim[] = [{
  name: 'every call: answers a Result, whatever the key',
  async check (cache) {
    for (const key of BAD_KEYS as string[]) for (const call of callsWith(cache, key)) assertResult(await call())
  }
}, {
  name: 'set: answers a Result, whatever the value',
  async check (cache) {
    for (const value of BAD_VALUES) {
      assertResult(await cache.set('key', value))
      assertResult(await cache.get('key'))
    }
  }
}, {
  name: 'set: answers a Result, whatever the lifetime',
  async check (cache) {
    for (const seconds of [...BAD_SECONDS, null, {}] as number[]) {
      assertResult(await cache.set('key', 1, seconds))
      assertResult(await cache.set('key', 1, { ttl: seconds }))
      assertResult(await cache.get('key'))
    }
  }
}, {
  name: 'every call: answers a Result, whatever it is given and however many are under way (200 calls)',
  async check (cache, { unit }) {
    const random = seeded(1)
    for (let batch = 0; batch < 10; batch++) {
      const calls = Array.from({ length: 20 }, () => random(callsOf(cache, random, unit))())
      for (const result of await Promise.all(calls)) assertResult(result)
    }
    assertResult(await cache.set('key', 'still works'))
    assertResult(await cache.get('key'))
  }
}]

/** Claims about the error codes of an implementation that checks its arguments. */
export const checkedInputClaims: Claim[] = [{
  name: 'every call: a bad key is CACHE_ERR_KEY_INVALID',
  async check (cache) {
    for (const key of BAD_KEYS as string[]) {
      for (const call of callsWith(cache, key)) assert.equal(codeOf(await call()), 'CACHE_ERR_KEY_INVALID')
    }
  }
}, {
  name: 'set: a value without a stored form is CACHE_ERR_VALUE_INVALID',
  async check (cache) {
    for (const value of BAD_VALUES) assert.equal(codeOf(await cache.set('key', value)), 'CACHE_ERR_VALUE_INVALID')
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'set: a bad lifetime is CACHE_ERR_TTL_INVALID',
  async check (cache) {
    for (const seconds of BAD_SECONDS as number[]) {
      for (const ttl of [seconds, { ttl: seconds }, { staleWhileRevalidate: seconds }, { staleIfError: seconds }]) {
        assert.equal(codeOf(await cache.set('key', 1, ttl)), 'CACHE_ERR_TTL_INVALID')
      }
    }
    for (const ttl of [null, { ttl: null }] as unknown as number[]) {
      assert.equal(codeOf(await cache.set('key', 1, ttl)), 'CACHE_ERR_TTL_INVALID')
    }
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'tags: bad tags are CACHE_ERR_TAG_INVALID',
  needs: ['tags'],
  async check (cache) {
    for (const tags of BAD_TAGS as string[][]) {
      assert.equal(codeOf(await cache.set('key', 1, { tags })), 'CACHE_ERR_TAG_INVALID')
      assert.equal(codeOf(await cache.tags.capture(tags)), 'CACHE_ERR_TAG_INVALID')
      assert.equal(codeOf(await cache.tags.invalidate(tags)), 'CACHE_ERR_TAG_INVALID')
    }
    for (const tags of [undefined, null] as unknown as string[][]) {
      assert.equal(codeOf(await cache.tags.capture(tags)), 'CACHE_ERR_TAG_INVALID')
      assert.equal(codeOf(await cache.tags.invalidate(tags)), 'CACHE_ERR_TAG_INVALID')
    }
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'many-calls: what is no list is a coded error',
  needs: ['getMany', 'setMany', 'delMany'],
  async check (cache) {
    for (const list of [undefined, null, 'ab', 5, {}] as unknown as []) {
      for (const result of [await cache.getMany(list), await cache.delMany(list), await cache.setMany(list)]) codeOf(result)
    }
    for (const item of [undefined, null, 5, {}]) codeOf(await cache.setMany([item as never]))
  }
}, {
  name: 'lock: bad options are CACHE_ERR_TTL_INVALID',
  needs: ['lock'],
  async check (cache) {
    const bad: unknown[] = [
      undefined, null, {}, { ttl: 0 }, { ttl: -1 }, { ttl: NaN }, { ttl: '5' }, { ttl: 5, waitMs: -1 }, { ttl: 5, waitMs: NaN }, { ttl: 5, waitMs: '5' }
    ]
    for (const options of bad) assert.equal(codeOf(await cache.lock('key', options as never)), 'CACHE_ERR_TTL_INVALID')
    const lock = valueOf(await cache.lock('key', { ttl: 5 }))
    assert.ok(lock !== null, 'a refused call holds no lock')
    for (const ttl of [0, -1, NaN, '5', undefined]) assert.equal(codeOf(await lock.extend(ttl as number)), 'CACHE_ERR_TTL_INVALID')
    valueOf(await lock.release())
  }
}]

/** Returns a call with the given key for each member of the cache that accepts a key, except `touch` and `leases`. */
function callsWith (cache: FullCache, key: string): (() => Promise<Result<unknown>>)[] {
  const calls: (() => Promise<Result<unknown>>)[] = [
    () => cache.get(key),
    () => cache.set(key, 1),
    () => cache.del(key)
  ]
  if (cache.getEntry !== undefined) calls.push(() => cache.getEntry(key))
  if (cache.getMany !== undefined) calls.push(() => cache.getMany(['good', key]))
  if (cache.setMany !== undefined) calls.push(() => cache.setMany([{ key, value: 1 }]))
  if (cache.delMany !== undefined) calls.push(() => cache.delMany(['good', key]))
  if (cache.lock !== undefined) calls.push(() => cache.lock(key, { ttl: 1 }))
  return calls
}

/** Returns calls of the methods of the cache, except `touch` and `leases`, with random arguments, valid or invalid. */
function callsOf (cache: FullCache, random: Random, unit: number): (() => Promise<unknown>)[] {
  const key = (): string => random([...GOOD_KEYS, ...BAD_KEYS]) as string
  const keys = (): string[] => random([[], [key()], [key(), key(), 'a']])
  const value = (): unknown => random([...GOOD_VALUES, ...BAD_VALUES])
  const seconds = (): number => random([unit, 60 * unit, 0, Infinity, ...BAD_SECONDS]) as number
  const tags = (): string[] => random([[], ['a'], ['a', 'b'], ...BAD_TAGS]) as string[]
  const options = (): {} => random([
    { ttl: seconds() }, { staleWhileRevalidate: seconds(), staleIfError: seconds() }, { tags: tags() }, { snapshot: {}, tags: ['a'] }, {}
  ])
  const calls: (() => Promise<unknown>)[] = [
    () => cache.get(key()),
    () => cache.set(key(), value()),
    () => cache.set(key(), value(), seconds()),
    () => cache.set(key(), value(), options()),
    () => cache.del(key())
  ]
  if (cache.getEntry !== undefined) calls.push(() => cache.getEntry(key()), () => cache.getEntry(key(), { tags: ['a'], stale: true }))
  if (cache.getMany !== undefined) calls.push(() => cache.getMany(keys()))
  if (cache.setMany !== undefined) {
    calls.push(() => cache.setMany([{ key: key(), value: value() }, { key: key(), value: value(), options: options() }]))
  }
  if (cache.delMany !== undefined) calls.push(() => cache.delMany(keys()))
  if (cache.lock !== undefined) calls.push(() => cache.lock(key(), { ttl: unit, waitMs: 0 }))
  if (cache.clear !== undefined) calls.push(() => cache.clear())
  if (cache.health !== undefined) calls.push(() => cache.health())
  if (cache.tags !== undefined) {
    calls.push(() => cache.tags.capture(tags()), () => cache.tags.invalidate(tags(), { soft: random([true, false]) }))
  }
  return calls
}
