import { MAX_KEY_LENGTH, MAX_TAG_LENGTH, MAX_TAGS } from '../contract/arguments.js'

/** Examples of keys that every cache must accept. */
export const GOOD_KEYS: readonly string[] = [
  'a', 'A', ' a', 'a ', 'a b', 'a:b', 'a:b:', ':a', '::', 'a\nb', 'a\r\nb', '\t', '\u0000', 'a\u0000', '__proto__', 'constructor',
  'hasOwnProperty', 'null', '0', '-1', '*', 'a*', '{a}b', '[a]', '%61', '../a', '/', '\\', '.', '"', "'", '😀', 'ä', 'a\u0308',
  '\ufeff', '\ufffd', 'user:1'.repeat(100), 'k'.repeat(MAX_KEY_LENGTH), '€'.repeat(MAX_KEY_LENGTH)
]

/** Examples of invalid keys, which a cache that checks its arguments refuses. */
export const BAD_KEYS: readonly unknown[] = [
  '', 'k'.repeat(MAX_KEY_LENGTH + 1), 'k'.repeat(10_240), '\ud800', 'a\udc00b', '\udc00\ud800',
  undefined, null, 0, 1, NaN, true, 1n, Symbol('key'), {}, [], ['a'], () => 'a', new Date(0), Object.create(null)
]

function circular (): object {
  const value: { self?: object } = {}
  return Object.assign(value, { self: value })
}

/** Examples of values that JSON cannot represent; a cache stores none of them, or some if its serializer is `rich`. */
export const BAD_VALUES: readonly unknown[] = [
  undefined, () => {}, Symbol('value'), 1n, NaN, Infinity, -Infinity, circular(), [circular()], { amount: 1n },
  { toJSON () { throw new Error('broken toJSON') } }, { get broken () { throw new Error('broken getter') } }
]

/** Examples of invalid lifetimes in seconds, which a cache that checks its arguments refuses. */
export const BAD_SECONDS: readonly unknown[] = [-1, -0.001, -Infinity, NaN, '60', '', true, 1n, Symbol('ttl'), () => 60]

/** Examples of invalid lists of tags, which a cache that checks its arguments refuses. */
export const BAD_TAGS: readonly unknown[] = [
  [''], ['a', ''], ['t'.repeat(MAX_TAG_LENGTH + 1)], ['\ud800'], [1], [null], [undefined], [['a']], {}, 1,
  Array.from({ length: MAX_TAGS + 1 }, (_, at) => `tag ${at}`)
]

/** Examples of values that every cache must store. */
export const GOOD_VALUES: readonly unknown[] = [null, 0, '', false, 'text', 1.5, [], {}, { a: [{ b: null }] }, Buffer.from([0, 255])]
