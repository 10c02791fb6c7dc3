import { crc32 } from 'node:zlib'
import t from 'tap'
import fc from 'fast-check'
import { Cohorts } from '../../src/rollout/cohorts.js'
import { LatencySketch, sketchBucket } from '../../src/rollout/latency-sketch.js'
import { ARM_COUNTS, MinuteCounts } from '../../src/rollout/minute-counts.js'
import { SEED } from './fixtures/seed.js'

const cohorts = new Cohorts([10, 50, 100])
const request = fc.tuple(fc.nat(cohorts.groups - 1), fc.double({ min: 0, max: 200_000, noNaN: true }), fc.boolean())
const counted = fc.record({
  limit: fc.option(fc.nat(10_000), { nil: undefined }),
  requests: fc.array(request, { maxLength: 60 }),
  cached: fc.tuple(...ARM_COUNTS.map(() => fc.nat(1e6))),
  control: fc.tuple(...ARM_COUNTS.map(() => fc.nat(1e6)))
}).map(({ limit, requests, cached, control }) => {
  const counts = new MinuteCounts(cohorts, limit)
  for (const [group, ms, failed] of requests) counts.addRequest(group, ms, failed)
  for (const [at, name] of ARM_COUNTS.entries()) {
    counts.cached[name] = cached[at]!
    counts.control[name] = control[at]!
  }
  return counts
})

function plain (counts: MinuteCounts): unknown {
  const sketches = Array.from({ length: cohorts.groups }, (_, group) => {
    const sketch = new LatencySketch()
    counts.addDurations(group, sketch)
    return [...sketch.counts]
  })
  const { layout, limit, requests, failures, cached, control } = counts
  return { layout, limit, requests: [...requests], failures: [...failures], cached, control, sketches }
}

t.test('decode: gives the counts that were encoded', async (t) => {
  t.comment(`SEED=${SEED}`)
  fc.assert(fc.property(counted, (counts) => {
    const read = MinuteCounts.decode(counts.encode(), cohorts)
    t.ok(read.ok)
    if (read.ok) t.same(plain(read.value), plain(counts))
  }), { seed: SEED, numRuns: 50 })
})

t.test('decode: damaged, cut and foreign bytes are CACHE_ERR_CORRUPT, never a throw', async (t) => {
  t.comment(`SEED=${SEED}`)
  const isRefused = (bytes: Uint8Array): boolean => {
    const read = MinuteCounts.decode(bytes, cohorts)
    return !read.ok && read.error.code === 'CACHE_ERR_CORRUPT'
  }
  fc.assert(fc.property(counted, fc.nat(), fc.integer({ min: 1, max: 255 }), (counts, at, flip) => {
    const bytes = counts.encode()
    const damaged = bytes.slice()
    damaged[at % bytes.length]! ^= flip
    return isRefused(damaged) && isRefused(bytes.subarray(0, at % bytes.length)) && isRefused(Uint8Array.of(...bytes, 0))
  }), { seed: SEED, numRuns: 200 })
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), isRefused), { seed: SEED, numRuns: 500 })
})

t.test('decode: counts of another version and of other stages are refused with the reason', async (t) => {
  const counts = new MinuteCounts(cohorts, 1000)
  const other = MinuteCounts.decode(counts.encode(), new Cohorts([20, 100]))
  t.match(other, { ok: false, error: { code: 'CACHE_ERR_CORRUPT', message: /for other stages/ } })
  const newer = new Uint8Array(counts.encode())
  newer[1] = 3
  t.match(MinuteCounts.decode(withChecksum(newer), cohorts), { ok: false, error: { code: 'CACHE_ERR_CORRUPT', message: /another version/ } })
})

/** Returns the bytes with the right checksum. */
function withChecksum (bytes: Uint8Array): Uint8Array {
  new DataView(bytes.buffer).setUint32(bytes.length - 4, crc32(bytes.subarray(0, -4)), true)
  return bytes
}

t.test('decode: bytes with a right checksum and wrong contents are refused, too', async (t) => {
  t.comment(`SEED=${SEED}`)
  fc.assert(fc.property(counted, fc.nat(), fc.integer({ min: 1, max: 255 }), (counts, at, flip) => {
    const bytes = new Uint8Array(counts.encode())
    bytes[2 + at % (bytes.length - 6)]! ^= flip
    const read = MinuteCounts.decode(withChecksum(bytes), cohorts)
    // Changed bytes may be valid counts by chance, which can then be read; otherwise the error is `CACHE_ERR_CORRUPT`.
    return read.ok ? plain(read.value) !== undefined : read.error.code === 'CACHE_ERR_CORRUPT'
  }), { seed: SEED, numRuns: 300 })
})

t.test('merge: adds the counts of processes; different limits give none', async (t) => {
  const one = new MinuteCounts(cohorts, 1000)
  const other = new MinuteCounts(cohorts, 1000)
  one.addRequest(3, 30, false)
  other.addRequest(3, 40, true)
  other.addRequest(70, 50, false)
  other.cached.hits = 4
  one.merge(other)
  t.equal(one.requests[3], 2)
  t.equal(one.failures[3], 1)
  t.equal(one.above(3, sketchBucket(30)), 1)
  t.equal(one.above(70, 0), 1)
  t.equal(one.above(5, 0), 0)
  t.equal(one.cached.hits, 4)
  t.equal(one.limit, 1000)
  one.merge(new MinuteCounts(cohorts, 0))
  t.equal(one.limit, undefined)
})

t.test('encode: a minute with 300 requests is below 4 KB', async (t) => {
  const counts = new MinuteCounts(cohorts, 1000)
  for (let at = 0; at < 300; at++) counts.addRequest(at % cohorts.groups, 5 + (at * 37 % 100), false)
  t.ok(counts.encode().length < 4096, `${counts.encode().length} bytes`)
})
