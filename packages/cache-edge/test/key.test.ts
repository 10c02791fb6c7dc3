import fc from 'fast-check'
import t from 'tap'
import { Names, responseKey, uriTag, uriTags, variantKey } from '../src/store/cache-key.js'
import { anyCharacter } from '@x/test-kit/texts'

const target = { scheme: 'https', host: 'example.com', url: '/item/1?a=1' }

t.test('responseKey: is short and plain, whatever the URL', async (t) => {
  for (const url of ['/', '/item/1?a=1', `/${'é🦊\ud800\n:'.repeat(5000)}`]) t.match(responseKey({ ...target, url }), /^edge:[\w-]{43}$/)
})

t.test('responseKey: scheme and host are the same in any case, path and query are not', async (t) => {
  t.equal(responseKey({ ...target, scheme: 'HTTPS', host: 'Example.COM' }), responseKey(target))
  for (const url of ['/Item/1?a=1', '/item/%31?a=1', '/item/1?a=1&', '/item/1', '/item/1?', '/item/1/?a=1', '/item/1;x?a=1', '/item/1?a=1?']) {
    t.not(responseKey({ ...target, url }), responseKey(target), url)
  }
})

t.test('responseKey: the order of parameters matters, and so does a fragment, of which the router makes a query', async (t) => {
  t.not(responseKey({ ...target, url: '/?a=1&a=2' }), responseKey({ ...target, url: '/?a=2&a=1' }))
  for (const url of ['/item/1?a=1#top', '/item/1#a=1', '/item/1?a=1#']) t.not(responseKey({ ...target, url }), responseKey(target), url)
})

t.test('responseKey: a rewritten target has the key of both of its spellings, and the tags of each', async (t) => {
  const rewritten = { ...target, originalUrl: '/v1/item/1?a=1' }
  t.not(responseKey(rewritten), responseKey(target))
  t.not(responseKey(rewritten), responseKey({ ...rewritten, originalUrl: '/v2/item/1?a=1' }))
  t.same(uriTags(rewritten), [uriTag(target), uriTag({ ...target, url: rewritten.originalUrl })])
  t.same(uriTags(target), [uriTag(target)])
})

t.test('responseKey: two sites and two schemes have different keys', async (t) => {
  t.not(responseKey({ ...target, host: 'example.org' }), responseKey(target))
  t.not(responseKey({ ...target, scheme: 'http' }), responseKey(target))
})

const part = fc.oneof(fc.string({ unit: anyCharacter, maxLength: 4 }), fc.string({ unit: fc.constantFrom('a', ':', '/', '"', ',', '\\', '\ud800', '\udc00'), maxLength: 4 }))

t.test('responseKey: two targets have one key only if their parts are equal one by one', async () => {
  const targets = fc.record({ scheme: part, host: part, url: part }, { noNullPrototype: true })
  const canonical = ({ scheme, host, url }: { scheme: string; host: string; url: string }) =>
    [scheme.toLowerCase(), host.toLowerCase(), url]
  fc.assert(fc.property(targets, targets, (one, other) => {
    const isSame = canonical(one).every((text, index) => text === canonical(other)[index])
    return (responseKey(one) === responseKey(other)) === isSame && (uriTag(one) === uriTag(other)) === isSame
  }), { numRuns: 500 })
})

t.test('responseKey: no separator within a part is taken for the end of it', async (t) => {
  for (const separator of [',', ':', '/', '"', '","', '\\', '\0', ' ']) {
    const one = { scheme: 'https', host: `a${separator}b`, url: 'c' }
    const other = { scheme: 'https', host: 'a', url: `b${separator}c` }
    t.not(responseKey(one), responseKey(other), JSON.stringify(separator))
    t.not(uriTag(one), uriTag(other), JSON.stringify(separator))
  }
})

t.test('responseKey: no text moves from one part into the next', async () => {
  fc.assert(fc.property(part, part, part, fc.string({ minLength: 1 }), (scheme, host, url, text) =>
    responseKey({ scheme, host: host + text, url }) !== responseKey({ scheme, host, url: text + url }) &&
    responseKey({ scheme: scheme + text, host, url }) !== responseKey({ scheme, host: text + host, url })))
})

t.test('variantKey: differs by key and by variant, and never equals the key of a response', async () => {
  fc.assert(fc.property(part, part, (one, other) => {
    const key = responseKey(target)
    return (variantKey(key, one) === variantKey(key, other)) === (one === other) &&
      variantKey(key, one) !== key && variantKey(key, one) !== variantKey(responseKey({ ...target, url: '/' }), one)
  }))
})

t.test('uriTag: is the same for all variants and fits the length of a tag', async (t) => {
  t.match(uriTag({ ...target, url: `/${'x'.repeat(10_000)}` }), /^edge-uri:[\w-]{43}$/)
  t.equal(uriTag({ ...target, host: 'EXAMPLE.com' }), uriTag(target))
})

t.test('Names: long targets are not remembered, and have the same names', async (t) => {
  const names = new Names()
  const target = { scheme: 'http', host: 'a.example', url: `/${'x'.repeat(15_000)}` }
  t.same(names.of(target), { key: responseKey(target), tags: uriTags(target) })
  t.not(names.of(target), names.of(target))
  const short = { ...target, url: '/a' }
  t.equal(names.of(short), names.of(short))
})

t.test('Names: a full table loses the oldest targets, of one origin after the other', async (t) => {
  const names = new Names()
  const at = (host: string, url: number) => ({ scheme: 'http', host, url: `/${url}` })
  const known = Array.from({ length: Names.MAX - 1 }, (_, url) => names.of(at('a.example', url)))
  const other = names.of(at('b.example', 0))
  names.of(at('c.example', 0))
  t.equal(names.of(at('b.example', 0)), other)
  t.equal(names.of(at('a.example', 1)), known[1])
  names.of(at('c.example', 1))
  t.not(names.of(at('b.example', 0)), other)
  t.same(names.of(at('a.example', 0)), known[0])
  t.not(names.of(at('a.example', 0)), known[0])
})
