import t from 'tap'
import { countsBetween, parseCounts, readCounts, totalOf } from '../../src/replay/counters.js'

const TEXT = `# HELP cache_hits_total Hits.
# TYPE cache_hits_total counter
cache_hits_total{impl="memory",key_pattern="record"} 5
cache_hits_total{impl="null",key_pattern="record"} 1
cache_miss_total{key_pattern="record",impl="memory"} 7
cache_set_total{impl="memory",key_pattern="record"} 6
cache_miss_total{impl="memory",key_pattern="odd \\"}, name"} 2
cache_candidate_requests{route="/api/records/:id",method="GET"} 12
cache_candidate_requests{route="/api/records/:id",method="HEAD"} 3
cache_enabled{impl="memory"} 1
process_cpu_seconds_total 0.5
cache_rollout_percent 50
`

t.test('parseCounts: sums over implementations, GET candidates by route', async (t) => {
  t.same(parseCounts(TEXT), {
    patterns: { record: { hits: 6, misses: 7, sets: 6 }, 'odd \\"}, name': { hits: 0, misses: 2, sets: 0 } },
    candidates: { '/api/records/:id': 12 },
    arms: { cached: { hits: 5, misses: 9, sets: 6 }, control: { hits: 1, misses: 0, sets: 0 } },
    percent: 50
  })
})

t.test('countsBetween: what did not move is left out, what is new starts at 0', async (t) => {
  const before = parseCounts(TEXT)
  t.match(countsBetween(before, before), { arms: { cached: { hits: 0, misses: 0 } } })
  t.same(countsBetween(before, before).patterns, {})
  const after = parseCounts(TEXT.replace('"record"} 5', '"record"} 9') + 'cache_miss_total{impl="memory",key_pattern="user"} 1\n')
  const between = countsBetween(before, after)
  t.same(between, {
    patterns: { record: { hits: 4, misses: 0, sets: 0 }, user: { hits: 0, misses: 1, sets: 0 } },
    candidates: {},
    arms: { cached: { hits: 4, misses: 1, sets: 0 }, control: { hits: 0, misses: 0, sets: 0 } },
    percent: 50
  })
  t.same(totalOf(between.patterns), { hits: 4, misses: 1, sets: 0 })
})

t.test('readCounts: a server that is not there is named', async (t) => {
  await t.rejects(readCounts('http://127.0.0.1:1'), { message: /No server answers at http:\/\/127\.0\.0\.1:1/ })
})
