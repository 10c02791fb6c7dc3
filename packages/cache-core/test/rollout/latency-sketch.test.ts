import t from 'tap'
import fc from 'fast-check'
import { ByteReader, ByteWriter } from '../../src/rollout/bytes.js'
import { LatencySketch, SKETCH_BUCKETS, sketchBucket, upperBound } from '../../src/rollout/latency-sketch.js'
import { SEED } from './fixtures/seed.js'

const duration = fc.double({ min: Math.log(0.1), max: Math.log(100_000), noNaN: true }).map((log) => Math.exp(log))
const durations = fc.array(duration, { minLength: 1, maxLength: 300 })

function sketchOf (values: readonly number[]): LatencySketch {
  const sketch = new LatencySketch()
  for (const value of values) sketch.add(value)
  return sketch
}

t.test('buckets: none is wider than 5 % from 0.1 ms to 100 s, and each duration lies between its bounds', async (t) => {
  t.comment(`SEED=${SEED}`)
  for (let bucket = 1; bucket < SKETCH_BUCKETS - 1; bucket++) t.ok(upperBound(bucket) / upperBound(bucket - 1) < 1.0500001, `bucket ${bucket}`)
  fc.assert(fc.property(duration, (ms) => {
    const bucket = sketchBucket(ms)
    return bucket > 0 && ms <= upperBound(bucket) * 1.000001 && ms >= upperBound(bucket - 1) * 0.999999
  }), { seed: SEED, numRuns: 2000 })
})

t.test('buckets: 30 ms and 36 ms have different ones; 0, negative numbers and NaN have the first, hours the last', async (t) => {
  t.ok(sketchBucket(36) - sketchBucket(30) >= 3)
  t.same([0, -1, NaN, 0.09].map(sketchBucket), [0, 0, 0, 0])
  t.same([3_600_000, Infinity].map(sketchBucket), [SKETCH_BUCKETS - 1, SKETCH_BUCKETS - 1])
  t.equal(upperBound(SKETCH_BUCKETS - 1), Infinity)
})

t.test('quantile: is at most 5 % from the exact one', async (t) => {
  t.comment(`SEED=${SEED}`)
  fc.assert(fc.property(durations, fc.constantFrom(0, 0.5, 0.95, 0.99, 1), (values, quantile) => {
    const sorted = [...values].sort((one, other) => one - other)
    const exact = sorted[Math.max(0, Math.ceil(quantile * values.length - 1e-6) - 1)]!
    const sketch = sketchOf(values)
    return [sketch.quantile(quantile)!, sketch.interpolated(quantile)!].every((found) => Math.abs(found / exact - 1) <= 0.05 + 1e-9)
  }), { seed: SEED, numRuns: 1000 })
  t.equal(new LatencySketch().quantile(0.5), undefined)
  t.equal(new LatencySketch().interpolated(0.5), undefined)
})

t.test('merge: gives the sketch of all durations, and is undone by a subtraction', async (t) => {
  t.comment(`SEED=${SEED}`)
  fc.assert(fc.property(durations, durations, (some, others) => {
    const merged = sketchOf(some)
    merged.merge(sketchOf(others))
    t.same(merged.counts, sketchOf([...some, ...others]).counts)
    merged.merge(sketchOf(others), -1)
    t.same(merged.counts, sketchOf(some).counts)
  }), { seed: SEED, numRuns: 50 })
})

t.test('above: counts the durations in higher buckets', async (t) => {
  const sketch = sketchOf([1, 10, 10, 100, 1e9])
  t.equal(sketch.above(sketchBucket(10)), 2)
  t.equal(sketch.above(-1), 5)
  t.equal(sketch.above(SKETCH_BUCKETS - 1), 0)
  t.equal(sketch.total, 5)
})

t.test('write: is read back as it was, also counts above 2^32', async (t) => {
  t.comment(`SEED=${SEED}`)
  fc.assert(fc.property(durations, fc.integer({ min: 1, max: 2 ** 40 }), (values, times) => {
    const sketch = sketchOf(values)
    sketch.add(values[0]!, times)
    const writer = new ByteWriter()
    sketch.write(writer)
    const reader = new ByteReader(writer.end())
    const read = LatencySketch.read(reader)
    reader.end()
    t.same(read.counts, sketch.counts)
  }), { seed: SEED, numRuns: 100 })
})
