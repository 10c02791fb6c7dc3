import '../.config/typescript-loader.js'
const { simulateWeek } = await import('../packages/cache-core/test/rollout/fixtures/simulated-week.ts')
const [what, seed0, n, ...rates] = process.argv.slice(2)
const HARMS = {
  double: { regression: 'double' }, errors: { regression: 'none', harm: { failures: 0.05 } }, hits: { regression: 'none', harm: { hits: 0.3 } },
  loads: { regression: 'none', harm: { hits: 0.5, loads: 2 } }, all: { regression: 'all' }, tail: { regression: 'tail' }
}
for (const rate of rates.map(Number)) {
  const t0 = process.cpuUsage().user
  const delays = []
  const reasons = new Map()
  for (let i = 0; i < Number(n); i++) {
    const at = 1440 * 2 + 37 * i % 1440
    const r = simulateWeek({ seed: Number(seed0) + i, requestsPerSecond: rate, lookEvery: process.env.LOOK ? Number(process.env.LOOK) : 5, ...HARMS[what], begins: { stage: 3, minute: at }, from: 3, lastHours: 120 })
    delays.push(r.outcome === 'back' ? r.minutes - at : r.outcome === 'done' ? 1e6 : 1e5)
    const why = r.verdict.reason.replace(/[\d.]+/g, '#').slice(0, 90)
    reasons.set(why, (reasons.get(why) ?? 0) + 1)
    if (i === 0) console.log(r.verdict.reason.slice(0, 250))
  }
  delays.sort((a, b) => a - b)
  console.log(what, rate, 'delays', delays.join(' '), ((process.cpuUsage().user - t0) / 1e6).toFixed(1), 's')
  for (const [k, v] of reasons) console.log('  ', v, k)
}
