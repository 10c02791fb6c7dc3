import t from 'tap'
import { withSpan } from '../../src/advisor/accesses/advice-state.js'
import { parseState, stateText } from '../../src/advisor/accesses/state-text.js'
import { foreign, packState, unpackState } from '../../src/advisor/keeping/packed-state.js'
import { Processes } from '../fixtures/processes.js'
import { atRate, zipf } from '../fixtures/streams.js'
import { withWrites } from '../fixtures/writes.js'

const OPTIONS = { ttls: [60], entries: [100, 1000] }
const processes = new Processes(1, OPTIONS)
for (const step of withWrites(atRate(20, zipf(1, 0.9, 500, 3000)), 0.1, 'tag')) processes.note(0, step)
const [state] = processes.states() as [ReturnType<Processes['states']>[0]]
const own = { saltName: state.saltName, entries: OPTIONS.entries }

t.test('parseState: a text is read as the state that it was made of', async (t) => {
  // Members that are `undefined` do not exist in JSON, so they are removed before the comparison.
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
  const read = parseState(stateText(state))
  t.same(plain(read), { ...plain(state) as object, form: 'cache-advice', version: 1 })
  t.same(await unpackState(await packState(state), own), read)
})

t.test('stateText: no key and no tag is in it', async (t) => {
  const text = stateText(state)
  t.notMatch(text, /item:\d|tag:\d|group:\d/)
  t.match(text, /"name":"item"/)
})

const good = JSON.parse(stateText(state))
const { subjects: [subject] } = good
const ring = subject.accesses.strata[0]
const broken: Record<string, [unknown, RegExp]> = {
  'no JSON': ['{', /no state/],
  'JSON of something else': ['{"form":"other","version":1}', /no state/],
  'a later version': [{ ...good, version: 2 }, /version 2, and this release reads version 1/],
  'a missing member': [{ ...good, gates: undefined }, /damaged/],
  'spans that are texts': [{ ...good, spans: [['a', 'b']] }, /damaged/],
  'a share above 1': [{ ...good, subjects: [{ ...subject, numbers: { ...subject.numbers, cookieShare: 2 } }] }, /damaged/],
  'tables of different lengths': [{ ...good, subjects: [{ ...subject, accesses: { ...subject.accesses, strata: [{ ...ring, words: 'AAAA' }] } }] }, /damaged/],
  'a table that is no base64': [{ ...good, subjects: [{ ...subject, accesses: { ...subject.accesses, strata: [{ ...ring, words: '<>' }] } }] }, /damaged/],
  'an access of an unknown kind': [
    { ...good, subjects: [{ ...subject, accesses: { ...subject.accesses, invalidations: { isWhole: true, kinds: '/w==', hashes: 'AAAAAA==', words: 'AAAAAA==' } } }] }, /damaged/
  ],
  'a span that ends before it begins': [{ ...good, spans: [[2, 1]] }, /damaged/],
  'a span beyond the time of any clock': [{ ...good, spans: [[1, 1e300]] }, /damaged/],
  'a ttl that no curve has': [{ ...good, ttls: [1e308] }, /damaged/],
  'a size that no curve has': [{ ...good, entries: [100, 0.5] }, /damaged/],
  'more tables than the sizes need, whose accesses would count again': [{ ...good, subjects: [{ ...subject, accesses: { ...subject.accesses, strata: [ring, ring] } }] }, /damaged/],
  'a key pattern that is there twice': [{ ...good, subjects: [subject, subject] }, /damaged/],
  'more key patterns than there are': [{ ...good, subjects: Array.from({ length: 65 }, () => subject) }, /damaged/]
}
for (const [what, [from, reason]] of Object.entries(broken)) {
  t.test(`parseState: ${what} is refused with a reason`, async (t) => {
    const read = parseState(from)
    t.type(read, 'string')
    t.match(read, reason)
  })
}

t.test('unpackState: bytes that were cut, and bytes of another program, are damaged', async (t) => {
  const bytes = await packState(state)
  t.equal(await unpackState(bytes.subarray(0, bytes.length - 20), own), 'it is damaged')
  t.equal(await unpackState(Buffer.from('something else'), own), 'it is damaged')
})

t.test('foreign: a state with another salt or other sizes cannot be merged', async (t) => {
  t.equal(foreign(state, own), undefined)
  t.equal(foreign(state, { ...own, entries: [1000, 100] }), undefined)
  t.match(foreign(state, { ...own, saltName: 'ffffffffffffffff' }), /another salt/)
  t.match(foreign(state, { ...own, entries: [100] }), /other cache sizes/)
})

t.test('withSpan: of more than 32 spans the oldest become seconds', async (t) => {
  let all: Parameters<typeof withSpan>[0] = { spans: [], secondsBefore: 0 }
  for (let at = 0; at < 40; at++) all = withSpan(all, [at * 10_000, at * 10_000 + 1000])
  t.equal(all.spans.length, 32)
  t.same(all.spans[0], [80_000, 81_000])
  t.equal(all.secondsBefore, 8)
})
