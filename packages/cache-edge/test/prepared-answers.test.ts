import t from 'tap'
import { PreparedAnswers } from '../src/fastify/early/prepared-answers.js'
import { PreparedAnswer } from '../src/fastify/early/prepared-answer.js'
import { PreparedIndex } from '../src/fastify/early/prepared-index.js'
import type { StoredHead } from '../src/store/stored-response.js'

const MIB = 1024 * 1024

/** Makes a prepared answer whose stored head has this number of bytes. */
function answerOf (headBytes: number): PreparedAnswer {
  const head = { status: 200, headers: { 'x-large': 'x'.repeat(headBytes) } } as unknown as StoredHead
  const fields = { status: 200, headers: { 'x-large': 'x'.repeat(headBytes) } }
  return new PreparedAnswer({ policy: {} as never, tags: [] }, head, headBytes, Buffer.alloc(0), { full: fields, notModified: fields })
}

/** Adds answers for these stored bytes, and returns those that the table still has, from the last one on. */
function addAll (table: PreparedAnswers, stored: readonly object[], make: () => PreparedAnswer | PreparedIndex): number {
  for (const bytes of stored) table.add(bytes, make())
  let count = 0
  while (count < stored.length && table.of(stored[stored.length - 1 - count]!) !== undefined) count++
  return count
}

const manyBuffers = (count: number): Buffer[] => Array.from({ length: count }, () => Buffer.alloc(1))

t.test('PreparedAnswers: holds at most 8 MiB, while the stored bytes live', (t) => {
  for (const [count, headBytes] of [[40_000, 0], [20_000, 500], [2000, 20_000]] as const) {
    const { bytes } = answerOf(headBytes)
    t.ok(bytes >= 1000 + 3 * headBytes, `${bytes} for a head of ${headBytes}`)
    const known = addAll(new PreparedAnswers(), manyBuffers(count), () => answerOf(headBytes))
    t.ok(known * bytes > 3.9 * MIB && known * bytes <= 8 * MIB, `${known} of ${count} with ${bytes} bytes each`)
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
    if (table.of(used) !== answer) missing++
  }
  t.equal(missing, 0)
  t.end()
})

t.test('PreparedAnswers: an answer that alone is larger than the bound is held, until the next one', (t) => {
  const [table, large] = [new PreparedAnswers(), Buffer.alloc(1)]
  table.add(large, answerOf(2 * MIB))
  t.ok(table.of(large))
  for (const bytes of manyBuffers(10_000)) table.add(bytes, answerOf(0))
  t.equal(table.of(large), undefined)
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
  for (let turn = 0; turn < 200; turn++) table.grow(64 * 1024)
  t.equal(table.of(stored), undefined)
  t.end()
})
