import { DURATION_BUCKETS, DurationHistogram } from '@x/cache-core/suite'
import t from 'tap'

t.test('DURATION_BUCKETS: are seconds in ascending order', async (t) => {
  t.same([...DURATION_BUCKETS], [...DURATION_BUCKETS].sort((a, b) => a - b))
  t.ok(DURATION_BUCKETS[0]! > 0)
})

t.test('observe: counts each duration once, in the first bucket that holds it', async (t) => {
  const histogram = new DurationHistogram()
  for (const [at, bound] of DURATION_BUCKETS.entries()) {
    histogram.observe(bound)
    t.equal(histogram.counts[at], 1, `${bound} is its own upper bound`)
  }
  t.equal(histogram.counts.at(-1), 0)
})

t.test('observe: what is above all bounds has a bucket, and so has 0', async (t) => {
  const histogram = new DurationHistogram()
  for (const seconds of [10.1, 3600, 0]) histogram.observe(seconds)
  t.equal(histogram.counts.at(-1), 2)
  t.equal(histogram.counts[0], 1)
})

t.test('observe: count and sum are those of all durations', async (t) => {
  const histogram = new DurationHistogram()
  t.same([histogram.count, histogram.sum], [0, 0])
  for (const seconds of [0.5, 0.25, 20]) histogram.observe(seconds)
  t.same([histogram.count, histogram.sum], [3, 20.75])
  t.equal(histogram.counts.reduce((sum, count) => sum + count), 3)
})
