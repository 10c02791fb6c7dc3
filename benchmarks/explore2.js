import '../.config/typescript-loader.js'
const { simulateWeek } = await import('../packages/cache-core/test/rollout/fixtures/simulated-week.ts')
const { GroupDifference } = await import('../packages/cache-core/src/rollout/group-difference.ts')
const original = GroupDifference.prototype.estimates
let log = []
let call = 0
GroupDifference.prototype.estimates = function () {
  const e = original.call(this)
  log.push(e); return e
}
const q = (a, p) => a.length ? a.sort((x, y) => x - y)[Math.min(a.length - 1, Math.floor(p * a.length))].toFixed(3) : '-'
const [seed0, n, from, ...rates] = process.argv.slice(2).map(Number)
for (const rate of rates) {
  log = []
  for (let i = 0; i < n; i++) simulateWeek({ seed: seed0 + i, requestsPerSecond: rate, lookEvery: 10, regression: 'none', from, stages: from, lastHours: 48 })
  for (let w = 0; w < 4; w++) for (let ch = 0; ch < 4; ch++) {
    const es = log.filter((_, i) => i % 4 === ch).map((e) => e[w]).filter((e) => e && e.weight > (ch < 3 ? 25 : 0) && e.variance > 0)
    const est = es.map((e) => e.estimate), se = es.map((e) => Math.sqrt(e.variance)), df = es.map((e) => e.degrees), z = es.map((e) => e.estimate / Math.sqrt(e.variance))
    const sd = Math.sqrt(est.reduce((s, x) => s + x * x, 0) / est.length)
    console.log(`rate ${rate} window ${w} ch ${ch} n=${es.length} est sd ${sd.toFixed(3)} q99.9 ${q(est, .999)} max ${q(est, 1)} | se q1 ${q(se, .01)} q50 ${q(se, .5)} q90 ${q(se, .9)} | df q1 ${q(df, .01)} q50 ${q(df, .5)} | t q1% ${q(z, .01)} q99.9 ${q(z, .999)} max ${q(z, 1)}`)
  }
}
