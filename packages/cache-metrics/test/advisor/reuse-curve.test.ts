import fc from 'fast-check'
import t from 'tap'
import { hashKey } from '../../src/advisor/hash.js'
import { ReuseCurve } from '../../src/advisor/curve/reuse-curve.js'
import { exactMissRate, exactMissRates, type KeyRequest } from '../fixtures/exact-cache.js'

const ttls = fc.uniqueArray(fc.constantFrom(0.5, 1, 2, 5, 30, 3600), { minLength: 1 })
const entries = fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })
const requests = fc.array(fc.tuple(fc.nat(50), fc.constantFrom(0, 1, 100, 499, 1000, 2500)), { maxLength: 400 }).map((steps) => {
  let now = 0
  return steps.map(([key, wait]): KeyRequest => {
    now += wait
    return { key, now }
  })
})

function noteAll (curve: ReuseCurve, requests: readonly KeyRequest[]): ReuseCurve {
  for (const { key, now } of requests) curve.note(hashKey(`key:${key}`), now)
  return curve
}

t.test('points: are exact to the digit while every size is simulated in full', async () => {
  fc.assert(fc.property(requests, ttls, entries, (requests, ttls, entries) => {
    const curve = noteAll(new ReuseCurve({ ttls, entries, sampleEntries: 40 }), requests)
    return curve.points().every((point) => requests.length === 0
      ? point.hitRate === 0 && point.margin === 1 && point.sampled === 0
      : point.hitRate === 1 - exactMissRate(requests, point.ttl, point.entries) && point.margin === 0 && point.sampled === requests.length)
  }), { numRuns: 300 })
})

t.test('points: are rates, never NaN, and never fall with the ttl or the size, however small the sample', async () => {
  fc.assert(fc.property(requests, ttls, entries, fc.integer({ min: 1, max: 12 }), (requests, ttls, entries, sampleEntries) => {
    const curve = noteAll(new ReuseCurve({ ttls, entries, sampleEntries }), requests)
    const points = curve.points()
    if (points.length !== ttls.length * entries.length) return false
    return points.every(({ hitRate, margin }, at) => {
      if (!(hitRate >= 0 && hitRate <= 1 && margin >= 0 && margin <= 1)) return false
      const shorter = at % ttls.length === 0 ? 0 : points[at - 1]!.hitRate
      const smaller = at < ttls.length ? 0 : points[at - ttls.length]!.hitRate
      return hitRate >= shorter && hitRate >= smaller
    })
  }), { numRuns: 300 })
})

t.test('exactMissRates: the accuracy of large samples is measured by what one plain map says', async () => {
  fc.assert(fc.property(requests.filter(({ length }) => length > 0), ttls, entries, (requests, ttls, entries) => {
    const missRate = exactMissRates(requests)
    return ttls.every((ttl) => entries.every((size) => missRate(ttl, size) === exactMissRate(requests, ttl, size)))
  }), { numRuns: 300 })
})

t.test('points: come by size and ttl, upwards and once each', async (t) => {
  const curve = new ReuseCurve({ ttls: [60, 1, 60], entries: [20, 10, 10] })
  t.same(curve.points().map(({ entries, ttl }) => [entries, ttl]), [[10, 1], [10, 60], [20, 1], [20, 60]])
})

t.test('points: a size that holds every key gains nothing over a smaller one that does, with no margin', async (t) => {
  const curve = new ReuseCurve({ entries: [100, 5000, 100_000] })
  for (let at = 0; at < 5000; at++) curve.note(hashKey(`${at % 90}`), at)
  t.ok(curve.points().every(({ margin }) => margin === 0))
  t.same(new Set(curve.points().filter(({ ttl }) => ttl === 60).map(({ hitRate }) => hitRate)), new Set([1 - 90 / 5000]))
})

t.test('points: a sample of a few keys says that it knows little', async (t) => {
  const curve = new ReuseCurve({ entries: [100, 100_000], sampleEntries: 100 })
  // Of the 2000 keys about two are in the sample of the larger size.
  for (let at = 0; at < 20_000; at++) curve.note(hashKey(`${at % 2000}`), at)
  const larger = curve.points().filter(({ ttl, entries }) => ttl === 3600 && entries === 100_000)[0]!
  t.ok(larger.margin > 0.3, `${larger.margin}`)
})

t.test('requests, distinctKeys, oneHitShare: count what was noted', async (t) => {
  const curve = new ReuseCurve()
  t.same([curve.requests, curve.distinctKeys, curve.oneHitShare], [0, 0, 0])
  for (const key of ['a', 'b', 'c', 'a', 'd', 'a']) curve.note(hashKey(key), 0)
  t.same([curve.requests, curve.distinctKeys, curve.oneHitShare], [6, 4, 0.75])
})

t.test('bytes: little for a few keys, and bounded for a million', async (t) => {
  const curve = new ReuseCurve()
  for (let id = 0; id < 10; id++) curve.note(hashKey(`${id}`), id)
  t.ok(curve.bytes < 10_000, `${curve.bytes} after 10 keys`)
  for (let id = 0; id < 100_000; id++) curve.note(hashKey(`${id}`), id)
  const { bytes } = curve
  for (let id = 0; id < 1_000_000; id++) curve.note(hashKey(`${id}`), id)
  t.ok(curve.bytes <= 60_000, `${curve.bytes} after a million keys`)
  t.ok(curve.bytes < bytes * 1.1)
  t.ok(Math.abs(curve.distinctKeys / 1_000_000 - 1) < 0.12)
})

t.test('note: any number is a time', async (t) => {
  const curve = new ReuseCurve({ ttls: [1], entries: [10] })
  for (const now of [Date.now(), Date.now() + 0.4, 0, -5, NaN, Infinity]) curve.note(1, now)
  const { hitRate } = curve.points()[0]!
  t.ok(hitRate >= 0 && hitRate < 1)
})

t.test('constructor: refuses what cannot be simulated', async (t) => {
  for (const options of [
    { ttls: [] }, { ttls: [0] }, { ttls: [NaN] }, { ttls: [2_592_001] }, { ttls: Array.from({ length: 33 }, (_, at) => at + 1) },
    { entries: [] }, { entries: [0] }, { entries: [1.5] }, { entries: [Infinity] },
    { sampleEntries: 0 }, { sampleEntries: 2.5 }, { sampleEntries: 2 ** 24 + 1 }
  ]) {
    t.throws(() => new ReuseCurve(options), { code: 'CACHE_ERR_OPTION_INVALID' }, JSON.stringify(options))
  }
})
