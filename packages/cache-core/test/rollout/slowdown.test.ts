import t from 'tap'
import { LatencySketch } from '../../src/rollout/latency-sketch.js'
import { oddsOfRegression } from '../../src/rollout/slowdown.js'
import { Draw } from './fixtures/draw.js'
import { SEED } from './fixtures/seed.js'

t.test('oddsOfRegression: is about the odds ratio of durations that last a fifth longer', async (t) => {
  t.comment(`SEED=${SEED}`)
  const draw = new Draw(SEED)
  const durations = Array.from({ length: 50_000 }, () => 10 * Math.exp(0.7 * draw.normal()))
  const sketch = new LatencySketch()
  for (const ms of durations) sketch.add(ms)
  for (const quantile of [0.5, 0.95]) {
    const threshold = sketch.quantile(quantile)!
    const odds = (factor: number): number => {
      const slow = durations.filter((ms) => ms * factor > threshold).length
      return slow / (durations.length - slow)
    }
    const expected = Math.log(odds(1.2) / odds(1))
    const found = oddsOfRegression(sketch, quantile)
    t.ok(Math.abs(found - expected) < 0.1, `${quantile}: ${found}, expected ${expected}`)
  }
})

t.test('oddsOfRegression: is large where all durations are alike, at both ends of the sketch, and 0 without durations', async (t) => {
  for (const ms of [0.01, 0.1, 30, 1e9]) {
    const sketch = new LatencySketch()
    sketch.add(ms, 1000)
    const odds = oddsOfRegression(sketch, 0.5)
    t.ok(odds > 10 && Number.isFinite(odds), `${ms} ms: ${odds}`)
  }
  t.equal(oddsOfRegression(new LatencySketch(), 0.5), 0)
})
