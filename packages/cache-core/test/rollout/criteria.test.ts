import t from 'tap'
import { checkCriteria, defaultCriteria, type Criteria } from '../../src/rollout/criteria.js'

const PATH = 'rollout.canary.stages[1]'

function withCriteria (changes: { holdHours?: number, minSample?: number, go?: Criteria['go'], back?: Criteria['back'] }): Criteria {
  const criteria = defaultCriteria(50)
  return { ...criteria, ...changes, go: { ...criteria.go, ...changes.go }, back: { ...criteria.back, ...changes.back } }
}

t.test('checkCriteria: the defaults are allowed', async (t) => {
  for (const percent of [1, 10, 49, 50, 99, 100]) t.doesNotThrow(() => { checkCriteria(defaultCriteria(percent), PATH) })
})

t.test('defaultCriteria: are those of the plan', async (t) => {
  t.match(defaultCriteria(10), { holdHours: 48, minSample: 10_000, go: { errorPercent: 0.1 }, back: { errorPercent: 1 } })
  t.match(defaultCriteria(50), { holdHours: 48, go: { hitPercent: 40, p99Ms: 50 }, back: { hitPointsFallen: 10 } })
  t.match(defaultCriteria(100), { holdHours: 168, back: { slower: true, moreErrors: true, moreLoads: true } })
})

for (const [claim, criteria, name] of [
  ['a hit rate above 100 %', withCriteria({ go: { hitPercent: 100 } }), 'go.hitPercent'],
  ['an error rate below 0 %', withCriteria({ go: { errorPercent: 0 } }), 'go.errorPercent'],
  ['cache errors below 0 %', withCriteria({ go: { cacheErrorPercent: 0 } }), 'go.cacheErrorPercent'],
  ['a p99 below the shortest duration', withCriteria({ go: { p99Ms: 0.1 } }), 'go.p99Ms'],
  ['an error rate above 100 % to step back for', withCriteria({ back: { errorPercent: 100 } }), 'back.errorPercent'],
  ['a fall of the hit rate by more than 100 points', withCriteria({ back: { hitPointsFallen: 100 } }), 'back.hitPointsFallen'],
  ['a negative fall', withCriteria({ back: { hitPointsFallen: -1 } }), 'back.hitPointsFallen'],
  ['an error rate that goes on and steps back at once', withCriteria({ go: { errorPercent: 2 }, back: { errorPercent: 1 } }), 'go.errorPercent'],
  ['cache errors that go on and step back at once', withCriteria({ go: { cacheErrorPercent: 6 } }), 'go.cacheErrorPercent'],
  ['no hold time', withCriteria({ holdHours: 0 }), 'holdHours'],
  ['a hold time that never ends', withCriteria({ holdHours: Infinity }), 'holdHours'],
  ['a hold time that is no number', withCriteria({ holdHours: NaN }), 'holdHours'],
  ['half a request', withCriteria({ minSample: 0.5 }), 'minSample'],
  ['a sample that no app reaches', withCriteria({ minSample: Infinity }), 'minSample']
] as const) {
  t.test(`checkCriteria: refuses ${claim}`, async (t) => {
    t.throws(() => { checkCriteria(criteria, PATH) }, { code: 'CACHE_ERR_OPTION_INVALID', message: new RegExp(`"rollout\\.canary\\.stages\\[1\\]\\.${name}"`) })
  })
}
