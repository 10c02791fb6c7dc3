import t from 'tap'
import { gates, MIN_OBSERVED_SECONDS, verdictOf, type GateNumbers } from '../../src/advisor/report/go-no-go-gates.js'

const WEEK = MIN_OBSERVED_SECONDS
const numbers = (changed: Partial<GateNumbers> = {}): GateNumbers => ({
  seconds: WEEK,
  source: 'a test',
  candidates: 200 * WEEK,
  edgeCandidates: 200 * WEEK,
  etagMatches: 80 * WEEK,
  requests: 300 * WEEK,
  routes: ['/a', '/b', '/c', '/d', '/e'].map((name) => ({ name, requests: 40 * WEEK, p95Seconds: 0.6 })),
  patterns: [{ name: 'item', requests: 50 * WEEK }],
  ...changed
})
const row = (name: string, changed: Partial<GateNumbers> = {}) => gates(numbers(changed)).find((gate) => gate.name === name)!

t.test('gates: every row has its formula, source, threshold, value and verdict', async (t) => {
  for (const gate of gates(numbers())) {
    t.equal(gate.source, 'a test')
    t.equal(gate.verdict, 'go', gate.name)
    t.ok(gate.formula.length > 0 && gate.threshold.length > 0 && gate.value! > 0)
  }
})

for (const [name, changed, value, verdict] of [
  ['Edge hit rate', { etagMatches: 60.1 * WEEK }, 0.3005, 'go'],
  ['Edge hit rate', { etagMatches: 60 * WEEK }, 0.3, 'inconclusive'],
  ['Edge hit rate', { etagMatches: 20 * WEEK }, 0.1, 'inconclusive'],
  ['Edge hit rate', { etagMatches: 19 * WEEK }, 0.095, 'no-go'],
  ['Edge hit rate', { etagMatches: 0, edgeCandidates: 0 }, undefined, 'not enough data'],
  ['Edge hit rate', { candidates: 0 }, undefined, 'not enough data'],
  ['Candidate volume', { candidates: 100 * WEEK }, 100, 'no-go'],
  ['Candidate volume', { candidates: 101 * WEEK }, 101, 'go'],
  ['304 rate', { etagMatches: 60 * WEEK }, 0.2, 'no-go'],
  ['Candidate routes', { routes: numbers().routes.slice(1) }, 4, 'no-go'],
  ['Busiest route, per minute', { routes: [{ name: '/a', requests: WEEK, p95Seconds: 0.1 }] }, 60, 'no-go'],
  ['Busiest route, per hour', { routes: [{ name: '/a', requests: WEEK, p95Seconds: 0.1 }] }, 3600, 'go'],
  ['Busiest key pattern, per minute', { patterns: [] }, 0, 'no-go'],
  ['Slow endpoints', { routes: [{ name: '/a', requests: 1, p95Seconds: 0.5 }] }, 0.5, 'no-go'],
  ['Slow endpoints', { routes: [{ name: '/a', requests: 1, p95Seconds: undefined }] }, undefined, 'not enough data']
] as const) {
  t.test(`gates: ${name} of ${value}: ${verdict}`, async (t) => {
    const gate = row(name, changed)
    t.equal(gate.verdict, verdict)
    if (value === undefined) t.equal(gate.value, undefined)
    else t.ok(Math.abs(gate.value! - value) < 1e-9)
  })
}

t.test('gates: before a week is over nothing is decided, and the values are shown', async (t) => {
  for (const gate of gates({ ...numbers(), seconds: WEEK - 1 })) t.match(gate, { verdict: 'not enough data', value: Number })
  t.match(gates({ ...numbers(), seconds: 10 }, 10)[1], { verdict: 'go' })
  t.match(gates({ ...numbers(), seconds: 0 }, 0)[1], { value: undefined, verdict: 'not enough data' })
})

for (const [what, changed, verdict] of [
  ['demand and hits', {}, 'go'],
  ['demand, and no edge', { edgeCandidates: 0, etagMatches: 0 }, 'go'],
  ['demand, and too few hits', { etagMatches: 0 }, 'no-go'],
  ['demand, and hits between the thresholds', { etagMatches: 40 * WEEK }, 'inconclusive'],
  ['no demand', { candidates: 1, routes: [{ name: '/a', requests: 1, p95Seconds: 0.01 }], patterns: [], etagMatches: 1 }, 'no-go'],
  ['too little time', { seconds: 60 }, 'not enough data']
] as const) {
  t.test(`verdictOf: ${what}: ${verdict}`, async (t) => t.equal(verdictOf(gates(numbers(changed))), verdict))
}
