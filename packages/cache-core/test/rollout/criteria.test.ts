import t from 'tap'
import { defaultCriteria } from '../../src/rollout/criteria.js'

t.test('defaultCriteria: are those of the plan', async (t) => {
  t.match(defaultCriteria(10), { holdHours: 48, minSample: 10_000, go: { errorPercent: 0.1 }, back: { errorPercent: 1 } })
  t.match(defaultCriteria(50), { holdHours: 48, go: { hitPercent: 40, p99Ms: 50 }, back: { hitPointsFallen: 10 } })
  t.match(defaultCriteria(100), { holdHours: 168, back: { slower: true, moreErrors: true, moreLoads: true } })
})
