import t from 'tap'
import { LatencySketch } from '../../src/rollout/latency-sketch.js'
import { armSentence, quantileRatio, type ArmMeasurement } from '../../src/rollout/sentence.js'
import { Draw } from './fixtures/draw.js'
import { SEED } from './fixtures/seed.js'

type Shape = Partial<Record<'scale' | 'requests' | 'failures' | 'loads' | 'groups', number>>

/** Makes an arm whose latency is lognormal, with groups that differ by a tenth. */
function arm (draw: Draw, { scale = 1, requests = 40_000, failures = 8, loads = requests, groups = 20 }: Shape): ArmMeasurement {
  const sketches = Array.from({ length: groups }, () => {
    const sketch = new LatencySketch()
    const own = scale * Math.exp(0.1 * draw.normal())
    for (let at = 0; at < requests / groups; at++) sketch.add(10 * own * Math.exp(0.5 * draw.normal()))
    return sketch
  })
  return { sketches, requests, failures, reads: requests, loads }
}

t.test('armSentence: names p99 with its interval, errors and loads', async (t) => {
  t.comment(`SEED=${SEED}`)
  const draw = new Draw(SEED)
  const sentence = armSentence(arm(draw, { scale: 0.5, loads: 24_800 }), arm(draw, {}))
  t.match(sentence, /^cached arm: p99 (?:4[0-9]|5[0-9]) % lower \(±\d+\), errors unchanged, 38 % fewer loads$/)
})

t.test('armSentence: says so where nothing differs, or more happens', async (t) => {
  t.comment(`SEED=${SEED}`)
  const draw = new Draw(SEED)
  t.match(armSentence(arm(draw, { requests: 2000 }), arm(draw, { requests: 2000, scale: 1.01 })), /^cached arm: p99 (?:does not differ measurably \(±\d+ %\)|\d+ % \w+ \(±\d+\)), errors unchanged, loads unchanged$/)
  t.match(armSentence(arm(draw, { failures: 400, loads: 44_000, scale: 2 }), arm(draw, {})), /p99 \d+ % higher \(±\d+\), errors 1 % instead of 0.02 %, 10 % more loads$/)
})

t.test('armSentence: too few requests, or subjects in too few groups, give no number', async (t) => {
  const draw = new Draw(1)
  t.match(armSentence(arm(draw, { requests: 500 }), arm(draw, {})), /p99 not known yet/)
  t.match(armSentence(arm(draw, { groups: 4 }), arm(draw, {})), /p99 not known yet/)
  const none = { sketches: [], requests: 0, failures: 0, reads: 0, loads: 0 }
  t.equal(armSentence(none, none), 'cached arm: p99 not known yet (too few requests), errors not known yet, loads not known yet')
})

t.test('armSentence: a difference above 1000 % is named as such, not printed', async (t) => {
  t.comment(`SEED=${SEED}`)
  const draw = new Draw(SEED)
  const sentence = armSentence(arm(draw, { scale: 1000, loads: 40_000 }), arm(draw, { loads: 2 }))
  t.match(sentence, /^cached arm: p99 more than 1000 % higher \(±more than 1000\), errors unchanged, more than 1000 % more loads$/)
})

t.test('quantileRatio: the interval covers the true ratio about as often as it says', async (t) => {
  t.comment(`SEED=${SEED}`)
  const draw = new Draw(SEED)
  const trials = 100
  let covered = 0
  for (let trial = 0; trial < trials; trial++) {
    const { low, high } = quantileRatio(arm(draw, { scale: 0.8, requests: 4000 }), arm(draw, { requests: 4000 }), 0.95)!
    if (low <= 0.8 && high >= 0.8) covered++
  }
  t.ok(covered >= 85, `${covered} of ${trials}`)
})
