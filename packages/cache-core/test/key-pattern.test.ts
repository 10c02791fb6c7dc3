import { defaultKeyPattern } from '@x/cache-core'
import { KeyPatterns, OTHER } from '@x/cache-core/suite'
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { anyCharacter } from '@x/test-kit/texts'

t.test('defaultKeyPattern: the text before the first colon, and never the whole key', async (t) => {
  t.equal(defaultKeyPattern('user:1'), 'user')
  t.equal(defaultKeyPattern('user:1:orders'), 'user')
  for (const key of ['user', '', ':', ':user', '::']) t.equal(defaultKeyPattern(key), OTHER)
})

t.test('of: a million distinct keys make at most max labels, and one for the rest', async (t) => {
  const patterns = new KeyPatterns()
  const labels = new Set<string>()
  for (let id = 0; id < 1_000_000; id++) labels.add(patterns.of(`p${id % 50_000}:${id}`))
  t.equal(labels.size, 101)
  t.ok(labels.has(OTHER))
  t.ok([...labels].every((label) => label.length < 10))
})

t.test('of: what came before changes nothing but who has a label', async () => {
  const key = fc.tuple(fc.constantFrom('', 'a', 'ab', 'b', 'other', '1'), fc.constantFrom('', ':', ':a', '::', ':a:b')).map((parts) => parts.join(''))
  fc.assert(fc.property(fc.array(key), (keys) => {
    const patterns = new KeyPatterns()
    const alone = keys.map((each) => new KeyPatterns().of(each))
    return keys.every((each, at) => patterns.of(each) === alone[at])
  }))
})

t.test('of: another pattern function holds from the next key on', async (t) => {
  const patterns = new KeyPatterns()
  t.equal(patterns.of('user:1'), 'user')
  patterns.patternOf = () => 'same'
  t.equal(patterns.of('user:1'), 'same')
  patterns.patternOf = defaultKeyPattern
  t.equal(patterns.of('user:1'), 'user')
})

t.test('of: first come, first served, and a label stays', async (t) => {
  const patterns = new KeyPatterns()
  patterns.max = 2
  t.same(['a:1', 'b:1', 'c:1', 'a:2', 'c:2'].map((key) => patterns.of(key)), ['a', 'b', OTHER, 'a', OTHER])
  patterns.max = 1
  t.equal(patterns.of('b:3'), 'b')
})

t.test('of: a key without a colon is never a label', async () => {
  fc.assert(fc.property(fc.string({ unit: anyCharacter }), (text) => {
    const key = text.replaceAll(':', '')
    return new KeyPatterns().of(key) === OTHER
  }))
})

t.test('of: ids before the colon are no labels', async (t) => {
  const patterns = new KeyPatterns()
  const ids = [
    '12345:profile', '1:x', '-1:x', '550e8400-e29b-41d4-a716-446655440000:profile', 'abcdefab-cdef-4abc-abcd-abcdefabcdef:x',
    'deadbeefdeadbeef:x', 'DEADBEEFDEADBEEFDEADBEEFDEADBEEF:x', 'user12345:x', 'u-2026110100:x', 'a1b2c3d4e5f6a7b8c9d0:x'
  ]
  for (const key of ids) t.equal(patterns.of(key), OTHER, key)
})

t.test('of: a prefix does not make a label of an id', async (t) => {
  const patterns = new KeyPatterns()
  const ids = Array.from({ length: 500 }, () => randomUUID())
  const keys = ids.flatMap((id) => [`user-${id}:x`, `user_${id.replaceAll('-', '')}:x`, `${id}-user:x`])
  t.same(keys.filter((key) => patterns.of(key) !== OTHER), [])
})

t.test('of: what names a kind of thing is a label', async (t) => {
  const patterns = new KeyPatterns()
  for (const label of ['user', 'User', 'table-rows', 'api/v2', 'a.b', 'x', 'k8s', 'feed', 'facade', 'decade', 'page_2026', 'x'.repeat(64)]) {
    t.equal(patterns.of(`${label}:1`), label)
  }
})

t.test('of: odd text is no label', async (t) => {
  const patterns = new KeyPatterns()
  for (const label of ['a b', 'a\nb', 'user\n', 'ä', 'a"b', 'a{b}', 'a@b.example', '', ' user', '__proto__', 'x'.repeat(65)]) {
    t.equal(patterns.of(`${label}:1`), OTHER, JSON.stringify(label))
  }
})

t.test('of: with a function of one\'s own', async (t) => {
  const patterns = new KeyPatterns()
  patterns.patternOf = (key) => key.split('/')[1]!
  t.same(['/users/1', '/tables/2', 'x'].map((key) => patterns.of(key)), ['users', 'tables', OTHER])
})

t.test('of: a function that throws, or returns no usable label, makes it other', async (t) => {
  const patterns = new KeyPatterns()
  for (const returned of [undefined, null, 5, {}, '', '12345', 'x'.repeat(65)]) {
    patterns.patternOf = () => returned as string
    t.equal(patterns.of('user:1'), OTHER)
  }
  patterns.patternOf = () => { throw new Error('broken') }
  t.equal(patterns.of('user:1'), OTHER)
})

t.test('reserve: gives patterns a label before traffic takes the places', async (t) => {
  const patterns = new KeyPatterns()
  patterns.max = 2
  patterns.reserve(['late', '*', OTHER])
  t.same(['a:1', 'b:1', 'late:1'].map((key) => patterns.of(key)), ['a', OTHER, 'late'])
})
