import calculateSlot from 'cluster-key-slot'
import fc from 'fast-check'
import t from 'tap'
import { GENERATION, Keys, newToken } from '../src/entries/keys.js'
import { anyCharacter } from '@x/test-kit/texts'

const keys = new Keys('p:')
const text = fc.string({ unit: anyCharacter, minLength: 1 })

t.test('keys: are named as documented', async (t) => {
  t.equal(keys.generation, 'p:g')
  t.equal(keys.token('tag'), 'p:t:tag')
  t.equal(keys.token(GENERATION), 'p:g')
  t.equal(keys.entry('generation', 'user:1'), 'p:e:generation:user:1')
  t.equal(keys.channel, 'p:n')
  const name = `{${Buffer.from('user:1').toString('base64url')}}`
  t.strictSame(keys.lock('user:1'), { lock: `p:l:${name}`, fencingCounter: `p:f:${name}`, dismissed: `p:d:${name}`, channel: `p:u:${name}` })
})

t.test('keys: tagOf finds the tag of any token back, whatever its characters', async (t) => {
  fc.assert(fc.property(text, (tag) => keys.tagOf(keys.token(tag)) === tag))
  for (const tag of ['a,b', '{a}', '*', ' ', '\n', '\u0000', 'g', 't:', 'p:g', 'p:t:a', '😀', '__proto__']) {
    t.equal(keys.tagOf(keys.token(tag)), tag)
  }
  t.equal(keys.tagOf(keys.generation), GENERATION)
})

t.test('keys: tagOf knows nothing else for a token', async (t) => {
  for (const key of ['', 'p:', 'p:e:x:t:tag', 'p:t', 'p:gg', 'p:n', 'other:t:tag', keys.lock('tag').lock]) t.equal(keys.tagOf(key), undefined, key)
})

t.test('keys: no two things share a key', async () => {
  fc.assert(fc.property(text, text, (a, b) => {
    const all = [a, b].flatMap((name) => [keys.token(name), keys.entry('generation', name), ...Object.values(keys.lock(name))])
    return new Set(all).size === (a === b ? all.length / 2 : all.length) && !all.includes(keys.generation)
  }))
})

t.test('keys: those of one lock lie in one slot, whatever the key and the prefix', async () => {
  fc.assert(fc.property(fc.constantFrom('p:', '{p}:', 'a}'), text, (prefix, key) => {
    const { lock, fencingCounter, dismissed } = new Keys(prefix).lock(key)
    return calculateSlot(lock) === calculateSlot(fencingCounter) && calculateSlot(lock) === calculateSlot(dismissed)
  }))
})

t.test('keys: locks of many keys are spread over the slots', async (t) => {
  const slots = new Set(Array.from({ length: 1000 }, (_, at) => calculateSlot(keys.lock(`key ${at}`).lock)))
  t.ok(slots.size > 900)
})

t.test('newToken: never the same twice, and no dot in it, which parts the soft half', async (t) => {
  const tokens = Array.from({ length: 10_000 }, newToken)
  t.equal(new Set(tokens).size, tokens.length)
  t.ok(tokens.every((token) => /^[\w-]{12}$/.test(token)))
})
