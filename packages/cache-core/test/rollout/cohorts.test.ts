import t from 'tap'
import { Cohorts, GROUPS_PER_COHORT } from '../../src/rollout/cohorts.js'
import { bucketOf } from '../../src/suite.js'

const BUCKETS = Array.from({ length: 10_000 }, (_, bucket) => bucket)

function cachedBuckets (cohorts: Cohorts, stage: number): number {
  return BUCKETS.filter((bucket) => cohorts.isCached(cohorts.groupOf(bucket), stage)).length
}

t.test('isCached: a stage caches its percent, at 100 all but the hold-out', async (t) => {
  const cohorts = new Cohorts([10, 50, 100])
  t.same([0, 1, 2, 3].map((stage) => cachedBuckets(cohorts, stage)), [0, 1000, 5000, 9900])
  t.same([0, 1, 2, 3].map((stage) => cohorts.limitOf(stage)), [0, 1000, 5000, 9900])
  t.same([0, 1, 2, 3].map((stage) => cohorts.hasControl(stage)), [true, true, true, true])
})

t.test('hasControl: no hold-out leaves none at 100', async (t) => {
  const cohorts = new Cohorts([10, 100], 0)
  t.equal(cohorts.hasControl(1), true)
  t.equal(cohorts.hasControl(2), false)
  t.equal(cachedBuckets(cohorts, 2), 10_000)
})

t.test('isCached: a later stage only adds subjects, and a bucket keeps its group', async (t) => {
  const cohorts = new Cohorts([1, 5, 20, 99.5])
  for (const bucket of BUCKETS) {
    const group = cohorts.groupOf(bucket)
    const cached = [0, 1, 2, 3, 4].map((stage) => cohorts.isCached(group, stage))
    if (cached.some((is, stage) => stage > 0 && cached[stage - 1] && !is)) t.fail(`bucket ${bucket} leaves the cached arm`)
  }
  t.equal(cohorts.limitOf(4), 9900, 'the hold-out stays outside')
})

t.test('groupOf: the groups of a cohort have equal numbers of buckets', async (t) => {
  const cohorts = new Cohorts([10, 50, 100])
  const sizes = new Array<number>(cohorts.groups).fill(0)
  for (const bucket of BUCKETS) sizes[cohorts.groupOf(bucket)]!++
  t.same([...new Set(sizes)], [50, 200, 245, 5])
  t.equal(cohorts.groups, 4 * GROUPS_PER_COHORT)
})

t.test('layout: differs for other stages and another hold-out, and is the same in each process', async (t) => {
  const divisions = [new Cohorts([10, 50, 100]), new Cohorts([10, 60, 100]), new Cohorts([10, 50])]
  for (const holdOut of [0, 2]) divisions.push(new Cohorts([10, 50, 100], holdOut))
  t.equal(new Set(divisions.map(({ layout }) => layout)).size, divisions.length)
  t.equal(new Cohorts([10, 50, 100]).layout, new Cohorts([10, 50, 100], 1).layout)
})

t.test('bucketOf: a million ids fill the groups evenly', async (t) => {
  const cohorts = new Cohorts([10, 50, 100])
  const ids = 1_000_000
  const counts = new Array<number>(cohorts.groups).fill(0)
  const buckets = new Array<number>(10_000).fill(0)
  for (let id = 0; id < ids; id++) {
    const bucket = bucketOf(`user-${id}`)
    buckets[bucket]!++
    counts[cohorts.groupOf(bucket)]!++
  }
  const expected = [50, 200, 245, 5].flatMap((size) => new Array<number>(GROUPS_PER_COHORT).fill(size * ids / 10_000))
  const worst = Math.max(...counts.map((count, group) => Math.abs(count - expected[group]!) / Math.sqrt(expected[group]!)))
  t.ok(worst < 5, `the worst group is ${worst.toFixed(1)} standard errors off`)
  t.ok(Math.min(...buckets) > 0, 'no bucket is empty')
  const squares = buckets.reduce((sum, count) => sum + (count - 100) ** 2 / 100, 0)
  t.ok(squares < 9999 + 5 * Math.sqrt(2 * 9999), `chi-square ${squares.toFixed(0)} of 9999`)
})
