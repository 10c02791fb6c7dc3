import t from 'tap'
import { hashKey } from '../../src/advisor/hash.js'
import { TraceStudy, type StudyOptions } from '../../src/cli/trace-study.js'
import { exactMissRates } from '../fixtures/exact-cache.js'
import { atRate, web07, zipf } from '../fixtures/streams.js'

const PLAIN: StudyOptions = {
  ttls: [1, 10, 60, 300, 900, 3600], entries: [100, 1000, 5000, 20_000], loadSeconds: undefined, valueBytes: undefined
}

function studyOf (requests: ReadonlyArray<{ key: number, now: number }>, options: StudyOptions): TraceStudy {
  const study = new TraceStudy(options)
  for (const { key, now } of requests) study.note({ name: 'all', keyLength: 1, hash: hashKey(String(key)), now, bytes: undefined })
  return study
}

t.test('points: are those of an exact simulation, in the order asked for', async (t) => {
  const requests = web07() ?? atRate(20, zipf(7, 0.9, 20_000, 76_000))
  // The sizes and ttls are only some of the usual ones, to save time; the tests of the reuse curve cover all.
  const options = { ...PLAIN, ttls: [3600, 10, 300], entries: [20_000, 100] }
  const points = studyOf(requests, options).points()
  const missRate = exactMissRates(requests)
  t.same(
    points.map(({ ttl, entries }) => [ttl, entries]), [[3600, 20_000], [3600, 100], [10, 20_000], [10, 100], [300, 20_000], [300, 100]]
  )
  for (const { ttl, entries, hitRate } of points) t.ok(Math.abs(hitRate - (1 - missRate(ttl, entries))) < 1e-9, `${ttl} s, ${entries} entries`)
})

t.test('points: sizes beyond the tables are estimated', async (t) => {
  const requests = atRate(1000, zipf(3, 0.7, 300_000, 400_000))
  const options = { ...PLAIN, ttls: [60, 3600], entries: [1000, 100_000, 150_000] }
  const study = studyOf(requests, options)
  t.ok(study.bytes < 8e6, `${study.bytes} bytes`)
  const missRate = exactMissRates(requests)
  for (const { ttl, entries, hitRate } of study.points()) t.ok(Math.abs(hitRate - (1 - missRate(ttl, entries))) < 0.03, `${ttl} s, ${entries} entries`)
})

t.test('bytes: stay below 8 MB with the most ttls, sizes and patterns', async (t) => {
  const ttls = Array.from({ length: 12 }, (_, at) => at + 1)
  const entries = Array.from({ length: 12 }, (_, at) => 10 ** 6 + at)
  const study = new TraceStudy({ ...PLAIN, ttls, entries })
  for (let at = 0; at < 500_000; at++) study.note({ name: `p${at % 101}`, keyLength: 1, hash: hashKey(`${at}`), now: at, bytes: undefined })
  t.ok(study.bytes < 8e6, `${study.bytes} bytes`)
  t.equal(study.patterns.length, 101)
})

t.test('observations: are of each pattern from its first request on', async (t) => {
  const study = new TraceStudy(PLAIN)
  const note = (name: string, key: string, now: number, bytes?: number) => study.note(
    { name, keyLength: key.length, hash: hashKey(key), now, bytes }
  )
  note('a', 'a:1', 0, 100)
  note('a', 'a:22', 1000, 300)
  note('b', 'b:1', 5000)
  note('b', 'b:1', 5500)
  const [a, b] = study.observations('pattern', 10)
  t.match(a, { kind: 'pattern', name: 'a', seconds: 10, requests: 2, meanBytes: 200, meanKeyLength: 3.5, distinct: 2, oneHitShare: 1, meanSeconds: undefined })
  t.match(b, { name: 'b', seconds: 10, requests: 2, meanBytes: undefined, distinct: 1, oneHitShare: 0 })
  t.equal(b!.points.find(({ ttl, entries }) => ttl === 1 && entries === 100)!.hitRate, 0.5)
})

t.test('observations: prices that are given count for all', async (t) => {
  const study = new TraceStudy({ ...PLAIN, loadSeconds: 0.02, valueBytes: 7 })
  study.note({ name: 'a', keyLength: 1, hash: 1, now: 0, bytes: 100 })
  t.match(study.observations('route', 1), [{ kind: 'route', meanSeconds: 0.02, meanBytes: 7 }])
})
