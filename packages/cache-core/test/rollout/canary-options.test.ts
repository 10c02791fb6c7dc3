import t from 'tap'
import { planOf } from '../../src/rollout/canary-options.js'
import { buildApp } from '@x/test-kit/build-app'

t.test('planOf: the stages of the rollout plan, with their criteria', async (t) => {
  const plan = planOf({ canary: true })!
  const seen = plan.stages.map(({ percent, criteria }) => [percent, criteria.holdHours, criteria.minSample])
  t.same(seen, [[10, 48, 10_000], [50, 48, 10_000], [100, 168, 10_000]])
  t.match(plan.stages[0]!.criteria, { go: { errorPercent: 0.1 }, back: { errorPercent: 1 } })
  t.match(plan.stages[1]!.criteria, { go: { hitPercent: 40, p99Ms: 50 }, back: { hitPointsFallen: 10 } })
  t.match(plan, { holdOut: 1, baselineHours: 24, advance: 'auto', rampMs: 60_000, minuteMs: 60_000 })
  t.equal(planOf({}), undefined)
  t.equal(planOf({ canary: false }), undefined)
})

t.test('planOf: the hash is the same for the same plan, and another for other stages, criteria, subjects or hold-out', async (t) => {
  const hash = (rollout: Parameters<typeof planOf>[0]): string => planOf(rollout)!.hash
  t.equal(hash({ canary: true }), hash({ canary: { stages: [10, 50, 100] } }))
  t.equal(hash({ canary: true }), hash({ canary: { advance: 'manual', rampSeconds: 5 } }))
  const others = [{ canary: { stages: [10, 100] } }, { canary: true, holdOut: 2 }, { canary: true, salt: 'x' }, { canary: { minSample: 5 } }, { canary: { stages: [{ percent: 10, go: {} }, 50, 100] } }]
  t.equal(new Set([hash({ canary: true }), ...others.map(hash)]).size, others.length + 1)
})

const wrong: Record<string, object> = {
  'a percent beside the canary': { canary: true, percent: 10 },
  'unsorted percents': { canary: { stages: [50, 10, 100] } },
  'one percent twice': { canary: { stages: [10, 10] } },
  'no stage': { canary: { stages: [] } },
  'a stage of 0': { canary: { stages: [0, 100] } },
  'a stage above 100': { canary: { stages: [101] } },
  'a stage that adds nobody outside of the hold-out': { canary: { stages: [60, 100] }, holdOut: 40 },
  'a stage below one bucket': { canary: { stages: [0.001, 100] } },
  'no key pattern': { canary: true, allow: [] },
  'an error rate below 0': { canary: { stages: [{ percent: 10, go: { errorPercent: 0 } }] } },
  'a hit rate above 100': { canary: { stages: [{ percent: 10, go: { hitPercent: 100 } }] } },
  'a p99 below 0.1 ms': { canary: { stages: [{ percent: 10, go: { p99Ms: 0.1 } }] } },
  'a fall by more than all hits': { canary: { stages: [{ percent: 10, back: { hitPointsFallen: 100 } }] } },
  'an error rate that is good and bad at once': { canary: { stages: [{ percent: 10, go: { errorPercent: 5 } }] } },
  'a comparison without subjects to compare with': { canary: { stages: [{ percent: 100, back: { slower: true } }] }, holdOut: 0 },
  'an unknown name': { canary: { steps: [10] } },
  'an unknown criterion': { canary: { stages: [{ percent: 10, go: { errors: 1 } }] } },
  'a text': { canary: 'yes' },
  'a hold time of 0': { canary: { stages: [{ percent: 10, holdHours: 0 }] } },
  'a hold time that never ends': { canary: { stages: [{ percent: 10, holdHours: Infinity }] } },
  'a hold time that is no number': { canary: { stages: [{ percent: 10, holdHours: NaN }] } },
  'cache errors that are good and bad at once': { canary: { stages: [{ percent: 10, go: { cacheErrorPercent: 6 } }] } },
  'half a request': { canary: { minSample: 0.5 } },
  'a sample that no app reaches': { canary: { minSample: 1e300 } },
  'a sample of a stage that no app reaches': { canary: { stages: [{ percent: 10, minSample: Number.MAX_SAFE_INTEGER }] } }
}
for (const [name, rollout] of Object.entries(wrong)) {
  t.test(`rollout.canary: ${name} is refused`, async (t) => {
    await t.rejects(buildApp(t, { rollout }), { code: 'CACHE_ERR_OPTION_INVALID', message: /^Option "rollout\./ })
  })
}

for (const [rollout, allowed] of [
  [{ canary: { stages: [{ percent: 10, holdHours: Infinity }] } }, 'a number above 0 and at most 8760'],
  [{ canary: { stages: [{ percent: 10, go: { hitPercent: NaN } }] } }, 'a number above 0 and below 100'],
  [{ canary: { stages: ['10'] } }, 'a number above 0 and at most 100 or object'],
  [{ canary: { stages: [] } }, 'at least 1 items'],
  [{ canary: { minSample: Infinity } }, 'a whole number from 1 to 1000000000000'],
  [{ percent: NaN }, 'a number from 0 to 100'],
  [{ percent: 100.5 }, 'a number from 0 to 100'],
  [{ holdOut: '1' }, 'a number from 0 to 50'],
  [{ shadow: { percent: Infinity } }, 'a number from 0 to 100']
] as const) {
  t.test(`rollout: ${JSON.stringify(rollout)} is refused with the range of the option`, async (t) => {
    const error = await buildApp(t, { rollout: rollout as object }).then(() => undefined, (reason: Error) => reason)
    t.equal(/allowed is (.*)$/.exec(error!.message)?.[1], allowed)
  })
}

t.test('holdOut: 0 leaves absolute criteria at 100, and the status says so', async (t) => {
  const app = await buildApp(t, { implementation: 'memory', rollout: { canary: true, holdOut: 0 } })
  t.match((await app.inject('/internal/cache/rollout')).json().note, /only absolute criteria hold/)
})
