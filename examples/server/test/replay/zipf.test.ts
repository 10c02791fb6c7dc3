import { readFileSync } from 'node:fs'
import t from 'tap'
import { DEFAULT_ZIPF, SMALL_ZIPF, zipfTrace } from '../../src/replay/zipf.js'

t.test('zipfTrace: the same seed gives the same trace, another seed another one', async (t) => {
  const of = (seed: number) => [...zipfTrace({ ...DEFAULT_ZIPF, length: 100, seed })]
  t.same(of(1), of(1))
  t.notSame(of(1), of(2))
})

t.test('zipfTrace: popularity falls with the rank as the skew says', async (t) => {
  const counts = new Map<string, number>()
  for (const id of zipfTrace({ length: 100_000, ids: 50, skew: 1, seed: 3 })) counts.set(id, (counts.get(id) ?? 0) + 1)
  t.equal(counts.size, 50)
  const of = (rank: number) => counts.get(String(rank - 1))!
  for (const rank of [2, 5, 10]) t.ok(Math.abs(of(1) / of(rank) / rank - 1) < 0.15, `rank ${rank}: ${of(1)} to ${of(rank)}`)
})

t.test('zipfTrace: every id names a record of the seed', async (t) => {
  for (const id of zipfTrace({ ...DEFAULT_ZIPF, length: 10_000 })) if (!(Number(id) >= 0 && Number(id) < 25_000)) t.fail(id)
})

t.test('traces/zipf.ids: is what the generator makes', async (t) => {
  const text = readFileSync(new URL('../../traces/zipf.ids', import.meta.url), 'utf8')
  t.equal(text, [...zipfTrace(SMALL_ZIPF), ''].join('\n'))
})
