import t from 'tap'
import { PreparedAnswers } from '../src/fastify/early/prepared-answers.js'
import { PreparedAnswer } from '../src/fastify/early/prepared-answer.js'
import { PreparedIndex } from '../src/fastify/early/prepared-index.js'
import type { EarlyRequest } from '../src/fastify/early/early-request.js'
import type { StoredHead } from '../src/store/stored-response.js'

const MIB = 1024 * 1024
const AUDIENCE = { policy: {} as never, tags: [] }
/** Makes a request of a client to the route of a policy. */
const requestTo = (policy: object) => ({ target: { place: { route: { policy } } }, tags: [] }) as unknown as EarlyRequest
const REQUEST = requestTo(AUDIENCE.policy)

/** Makes a prepared answer whose stored head has this number of bytes. */
function answerOf (headBytes: number): PreparedAnswer {
  const head = { status: 200, headers: { 'x-large': 'x'.repeat(headBytes) } } as unknown as StoredHead
  const fields = { status: 200, headers: { 'x-large': 'x'.repeat(headBytes) } }
  return new PreparedAnswer(AUDIENCE, head, headBytes, Buffer.alloc(0), { full: fields, notModified: fields })
}

/** Adds answers for these stored bytes, and returns those that the table still has, from the last one on. */
function addAll (table: PreparedAnswers, stored: readonly object[], make: () => PreparedAnswer | PreparedIndex): number {
  for (const bytes of stored) table.add(bytes, make())
  let count = 0
  while (count < stored.length && table.of(stored[stored.length - 1 - count]!, REQUEST) !== undefined) count++
  return count
}

const manyBuffers = (count: number): Buffer[] => Array.from({ length: count }, () => Buffer.alloc(1))

t.test('PreparedAnswers: holds 8 to 16 MiB, while the stored bytes live', (t) => {
  for (const [count, headBytes] of [[40_000, 0], [20_000, 500], [3000, 20_000]] as const) {
    const { bytes } = answerOf(headBytes)
    t.ok(bytes >= 1000 + 3 * headBytes, `${bytes} for a head of ${headBytes}`)
    const known = addAll(new PreparedAnswers(), manyBuffers(count), () => answerOf(headBytes))
    t.ok(known * bytes > 7.9 * MIB && known * bytes <= 16 * MIB, `${known} of ${count} with ${bytes} bytes each`)
  }
  t.end()
})

t.test('PreparedAnswers: an answer in use stays, whatever else is answered', (t) => {
  const [table, used] = [new PreparedAnswers(), Buffer.alloc(1)]
  const answer = answerOf(0)
  table.add(used, answer)
  let missing = 0
  for (const bytes of manyBuffers(40_000)) {
    table.add(bytes, answerOf(0))
    if (table.of(used, REQUEST) !== answer) missing++
  }
  t.equal(missing, 0)
  t.end()
})

t.test('PreparedAnswers: the heads of 3000 usual responses are held', (t) => {
  // The head of a small JSON response is stored in about 450 bytes.
  // The number of added answers is a little above two generations, so that the table has hardly more than one.
  const { bytes } = answerOf(410)
  const count = 2 * Math.floor(8 * MIB / bytes) + 50
  const known = addAll(new PreparedAnswers(), manyBuffers(count), () => answerOf(410))
  t.ok(known >= 3000, `${known} of ${count} with ${bytes} bytes each`)
  t.end()
})

t.test('PreparedAnswers: an old answer for other requests is replaced, and its bytes do not count twice', (t) => {
  const table = new PreparedAnswers()
  const stored = manyBuffers(2000)
  const { bytes } = answerOf(0)
  const perGeneration = Math.floor(8 * MIB / bytes)
  const first = manyBuffers(perGeneration)
  for (const each of first) table.add(each, answerOf(0))
  // The first of these answers makes the generation above the old one.
  for (const each of stored) table.add(each, answerOf(0))
  const other = requestTo({})
  let found = 0
  for (const each of first.slice(0, perGeneration - 2000)) {
    if (table.of(each, other) !== undefined) found++
    table.add(each, answerOf(0))
  }
  t.equal(found, 0)
  // The new generation is now full and has not become the old one, so that answers of the old one are still there.
  t.ok(table.of(first.at(-1)!, REQUEST))
  t.ok(table.of(stored[0]!, REQUEST))
  t.end()
})

t.test('PreparedAnswers: an answer that alone is larger than the bound is held, until the next one', (t) => {
  const [table, large] = [new PreparedAnswers(), Buffer.alloc(1)]
  table.add(large, answerOf(2 * MIB))
  t.ok(table.of(large, REQUEST))
  for (const bytes of manyBuffers(20_000)) table.add(bytes, answerOf(0))
  t.equal(table.of(large, REQUEST), undefined)
  t.end()
})

t.test('PreparedIndex: remembers 200 variants at most, and 64 KiB of long ones, which count in the table', (t) => {
  for (const [length, least, most] of [[10, 200, 200], [1000, 50, 64]] as const) {
    const index = new PreparedIndex(['accept'])
    const before = index.bytes
    let grown = 0
    for (let at = 0; at < 500; at++) grown += index.remember(String(at).padEnd(length, 'v'), `key ${at}`)
    t.equal(index.bytes, before + grown)
    const known = Array.from({ length: 500 }, (_, at) => index.keyOf(String(at).padEnd(length, 'v'), { key: 'of' } as never)).filter((key) => key.startsWith('key')).length
    t.ok(known >= least && known <= most, `${known} of 500 variants of ${length} characters`)
    t.equal(index.remember('0'.padEnd(length, 'v'), 'key 0'), 0, 'a known variant adds nothing')
  }
  const [table, stored] = [new PreparedAnswers(), Buffer.alloc(1)]
  table.add(stored, new PreparedIndex(['accept']))
  for (let turn = 0; turn < 400; turn++) table.grow(64 * 1024)
  t.equal(table.of(stored, REQUEST), undefined)
  t.end()
})
