import { checkKey, checkTags, MAX_KEY_LENGTH, MAX_TAG_LENGTH, MAX_TAGS, MAX_TTL } from '@x/cache-core/implementing'
import fc from 'fast-check'
import t from 'tap'
import { checkKeys, checkLockOptions, checkLockTtl, checkSetOptions, checkTime, checkValue } from '../src/contract/arguments.js'
import { anyCharacter } from '@x/test-kit/texts'

const wellFormed = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 })
const anyText = fc.string({ unit: anyCharacter })

t.test('checkKey: takes every text of 1 to 1024 characters, newlines and all', async () => {
  fc.assert(fc.property(wellFormed, (key) => checkKey(key) === undefined))
  fc.assert(fc.property(fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: MAX_KEY_LENGTH }), (key) => checkKey(key) === undefined))
})

t.test('checkKey: refuses whatever UTF-8 could not give back', async () => {
  fc.assert(fc.property(fc.array(fc.nat(0xffff), { minLength: 1, maxLength: 20 }), (units) => {
    const key = String.fromCharCode(...units)
    return (checkKey(key) === undefined) === (Buffer.from(key).toString() === key)
  }))
})

t.test('checkKey: the bounds are exact, and counted in UTF-16 units', async (t) => {
  t.equal(checkKey('k'.repeat(MAX_KEY_LENGTH)), undefined)
  t.equal(checkKey('😀'.repeat(MAX_KEY_LENGTH / 2)), undefined)
  for (const key of ['', 'k'.repeat(MAX_KEY_LENGTH + 1), '😀'.repeat(MAX_KEY_LENGTH / 2) + 'k', 'k'.repeat(10_240)]) {
    t.match(checkKey(key), { code: 'CACHE_ERR_KEY_INVALID' })
  }
})

t.test('checkKey: refuses all that is no text', async () => {
  fc.assert(fc.property(fc.anything().filter((key) => typeof key !== 'string'), (key) => checkKey(key)?.code === 'CACHE_ERR_KEY_INVALID'))
})

t.test('checkKey: what it says holds nothing of the key', async (t) => {
  t.notMatch(checkKey(`secret${'k'.repeat(2000)}`)!.message, /secret|kkk/)
  t.notMatch(checkKey('secret\ud800')!.message, /secret/)
  t.match(checkKey('k'.repeat(2000))!.message, /2000 characters/)
  t.match(checkKey('\ud800')!.message, /an unpaired surrogate/)
  t.match(checkKey('')!.message, /an empty string/)
  t.match(checkKey(null)!.message, /null/)
})

t.test('checkKeys: the first bad one, or what is no list', async (t) => {
  t.equal(checkKeys([]), undefined)
  t.equal(checkKeys(['a', 'b']), undefined)
  t.match(checkKeys(['a', '', 5])!.message, /an empty string/)
  for (const keys of [undefined, null, 'abc', { 0: 'a', length: 1 }, new Set(['a'])]) t.match(checkKeys(keys), { code: 'CACHE_ERR_KEY_INVALID' })
  const sparse = ['a']
  sparse[2] = 'c'
  t.match(checkKeys(sparse), { code: 'CACHE_ERR_KEY_INVALID' })
})

t.test('checkTags: the bounds are exact', async (t) => {
  t.equal(checkTags([]), undefined)
  t.equal(checkTags(['t'.repeat(MAX_TAG_LENGTH), 'a\nb:ä😀']), undefined)
  t.equal(checkTags(new Array(MAX_TAGS).fill('t')), undefined)
  const bad = [new Array(MAX_TAGS + 1).fill('t'), ['t'.repeat(MAX_TAG_LENGTH + 1)], [''], ['a', '\udc00'], [null], 'abc', null, undefined, {}]
  for (const tags of bad) t.match(checkTags(tags), { code: 'CACHE_ERR_TAG_INVALID' })
})

t.test('checkValue: takes what JSON or bytes may be, refuses what neither is', async (t) => {
  for (const value of [null, 0, -0, '', false, {}, [], Buffer.alloc(0), new Date()]) t.equal(checkValue(value), undefined)
  for (const value of [undefined, () => {}, Symbol('x'), 1n, NaN, Infinity, -Infinity]) {
    t.match(checkValue(value), { code: 'CACHE_ERR_VALUE_INVALID' })
  }
})

t.test('checkTime: any number from 0 on, Infinity, or none', async () => {
  fc.assert(fc.property(fc.anything(), (time) => {
    const isGood = time === undefined || (typeof time === 'number' && time >= 0)
    return (checkTime('ttl', time)?.code ?? 'good') === (isGood ? 'good' : 'CACHE_ERR_TTL_INVALID')
  }))
})

t.test('checkTime: names what is wrong', async (t) => {
  t.match(checkTime('staleIfError', -1)!.message, /staleIfError.*-1/)
  t.match(checkTime('ttl', NaN)!.message, /NaN/)
  t.match(checkTime('ttl', '60')!.message, /string/)
  t.match(checkTime('ttl', null)!.message, /null/)
})

t.test('checkSetOptions: the first bad one of its lifetimes and tags', async (t) => {
  t.equal(checkSetOptions({}), undefined)
  t.equal(checkSetOptions({ ttl: Infinity, staleWhileRevalidate: 0, staleIfError: 0.5, tags: ['a'] }), undefined)
  t.match(checkSetOptions({ ttl: -1, staleIfError: -1 })!.message, /^ttl/)
  t.match(checkSetOptions({ staleWhileRevalidate: NaN }), { code: 'CACHE_ERR_TTL_INVALID' })
  t.match(checkSetOptions({ staleIfError: '5' as never }), { code: 'CACHE_ERR_TTL_INVALID' })
  t.match(checkSetOptions({ tags: 'a' as never }), { code: 'CACHE_ERR_TAG_INVALID' })
  t.match(checkSetOptions({ tags: null as never }), { code: 'CACHE_ERR_TAG_INVALID' })
  for (const options of [null, undefined, 5, 'x']) t.match(checkSetOptions(options as never), { code: 'CACHE_ERR_TTL_INVALID' })
})

t.test('checkSetOptions: never throws, whatever it is given', async () => {
  fc.assert(fc.property(fc.anything(), anyText, (options, text) => {
    checkSetOptions(options as never)
    checkSetOptions({ ttl: options, tags: [text, options] } as never)
    return true
  }))
})

t.test('checkLockOptions: a lock has an end above 0, and may be waited for without one', async (t) => {
  for (const options of [{ ttl: 0.001 }, { ttl: Infinity }, { ttl: 5, waitMs: 0 }, { ttl: 5, waitMs: Infinity }]) {
    t.equal(checkLockOptions(options), undefined)
  }
  for (const options of [undefined, null, {}, { ttl: 0 }, { ttl: -1 }, { ttl: '5' }, { ttl: 5, waitMs: -1 }, { ttl: 5, waitMs: '5' }, { ttl: 5, waitMs: null }]) {
    t.match(checkLockOptions(options as never), { code: 'CACHE_ERR_TTL_INVALID' })
  }
  fc.assert(fc.property(fc.anything(), (ttl) => (checkLockTtl(ttl) === undefined) === (typeof ttl === 'number' && ttl > 0)))
})

t.test('MAX_TTL: 30 days in seconds', async (t) => {
  t.equal(MAX_TTL, 2_592_000)
})
