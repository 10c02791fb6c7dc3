import fc from 'fast-check'
import t from 'tap'
import { mergeVary, parseVary, variantOf } from '../src/http/vary.js'
import { anyCharacter } from '@x/test-kit/texts'

t.test('parseVary: RFC 9110 §12.5.5: names are in lower case, unique and sorted', async (t) => {
  t.strictSame(parseVary(undefined), [])
  t.strictSame(parseVary(''), [])
  t.strictSame(parseVary('Origin, ACCEPT-Encoding,,origin , accept'), ['accept', 'accept-encoding', 'origin'])
  t.strictSame(parseVary(['Origin', 'Accept, origin']), ['accept', 'origin'])
})

t.test('parseVary: an asterisk anywhere, and what is no name, is any', async (t) => {
  for (const field of ['*', ' * ', '*, foo', 'foo, *', ['accept', '*'], 'accept encoding', 'é', '"accept"', 'accept;q=1', 'a="b, c"', '\x00', '*foo bar']) {
    t.equal(parseVary(field), '*', String(field))
  }
})

t.test('mergeVary: keeps the first spelling and the order', async (t) => {
  t.equal(mergeVary('Origin, accept', ['Accept', 'Accept-Encoding', 'ORIGIN']), 'Origin, accept, Accept-Encoding')
  t.equal(mergeVary(undefined, ['Accept-Encoding']), 'Accept-Encoding')
  t.equal(mergeVary(['Origin', 'Accept'], []), 'Origin, Accept')
  t.equal(mergeVary(undefined, []), '')
})

t.test('mergeVary: an asterisk wins on either side, and so does what is no name', async (t) => {
  t.equal(mergeVary('*', ['Accept']), '*')
  t.equal(mergeVary('Accept', ['*']), '*')
  t.equal(mergeVary('Accept, a b', []), '*')
})

const name = fc.constantFrom('Accept', 'accept', 'Accept-Encoding', 'ACCEPT-ENCODING', 'Origin', 'origin', '*', 'x y')
const names = fc.array(name, { maxLength: 4 })

t.test('mergeVary: merging again changes nothing, and the names are those of both sides', async () => {
  fc.assert(fc.property(names, names, (current, added) => {
    const merged = mergeVary(current.join(', '), added)
    t.equal(mergeVary(merged, added), merged)
    t.equal(mergeVary(merged, current), merged)
    t.strictSame(parseVary(merged), parseVary([...current, ...added]))
  }), { numRuns: 100 })
})

t.test('parseVary: any text is names or any', async () => {
  fc.assert(fc.property(fc.string({ unit: anyCharacter }), (text) => {
    const names = parseVary(text)
    return names === '*' || names.every((name) => /^[^\s,*"]+$|^[^\s,"]+\*/.test(name) && name === name.toLowerCase())
  }))
})

t.test('variantOf: a value counts byte for byte, as the handler sees it, and lines as Node joins them', async (t) => {
  const one = variantOf(['accept'], { accept: 'a, b;q=1' })
  for (const accept of ['a,b;q=1', ' a, b;q=1', 'a, b; q=1', 'a,\tb;q=1']) t.not(variantOf(['Accept'], { accept }), one, accept)
  t.equal(variantOf(['accept'], { accept: ['a', 'b;q=1'] }), one)
  t.equal(variantOf(['x'], { x: true as never }), variantOf(['x'], { x: 'true' }))
})

t.test('variantOf: RFC 9111 §4.1: an absent header is not an empty one, and order, case and quoted whitespace matter', async (t) => {
  const variants = [
    {}, { accept: '' }, { accept: 'a, b' }, { accept: 'b, a' }, { accept: 'A, b' }, { accept: 'a b' }, { accept: '"a, b"' }, { accept: '"a,b"' },
    { accept: 'null' }, { accept: 'a,,b' }, { accept: '"a' }, { accept: '"a\\', other: 'x' }
  ].map((headers) => variantOf(['accept'], headers))
  t.equal(new Set(variants).size, variants.length)
})

t.test('variantOf: neither order nor case nor repetition of the names matters, nor do other headers', async (t) => {
  const headers = { accept: 'a', origin: 'b' }
  t.equal(variantOf(['Origin', 'accept', 'ORIGIN'], headers), variantOf(['accept', 'origin'], { ...headers, cookie: 'c' }))
  t.not(variantOf(['origin'], headers), variantOf(['accept'], headers))
})

t.test('variantOf: a header named like a property of every object is absent', async (t) => {
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) t.equal(variantOf([name], {}), JSON.stringify([[name.toLowerCase(), null]]))
})

t.test('variantOf: different values of two headers never run together', async () => {
  const value = fc.string({ unit: fc.constantFrom('a', ',', '"', ']', '[', ' ', '\\') })
  const squeezed = (text: string) => variantOf(['a'], { a: text })
  fc.assert(fc.property(value, value, value, value, (a, b, c, d) =>
    (variantOf(['a', 'b'], { a, b }) === variantOf(['a', 'b'], { a: c, b: d })) === (squeezed(a) === squeezed(c) && squeezed(b) === squeezed(d))
  ), { numRuns: 500 })
})

t.test('variantOf: spaces, commas and quotes by the thousand are read in linear time', async (t) => {
  const start = process.hrtime.bigint()
  for (const part of [' ', ',', '"', '\\', ' ,', '"\\', 'a ']) variantOf(['a'], { a: `@${part.repeat(60_000)}@` })
  t.ok(process.hrtime.bigint() - start < 2_000_000_000n)
})
