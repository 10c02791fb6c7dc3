import { simulateWeek } from './fixtures/simulated-week.js'
const [regression, rps, n, seed0, every = '10'] = process.argv.slice(2)
const cpu = process.cpuUsage()
const outcomes: Record<string, number> = {}
const gates: Record<string, number> = {}
let delays = 0
for (let i = 0; i < Number(n); i++) {
  const w = simulateWeek({ seed: Number(seed0) + i, requestsPerSecond: Number(rps), regression: regression as 'none', lookEvery: Number(every), ...(regression === 'none' ? {} : { stages: 1 }) })
  const k = `${w.outcome} ${w.stage}`
  outcomes[k] = (outcomes[k] ?? 0) + 1
  const rows = w.verdict.gates.filter((g) => g.verdict === (w.outcome === 'waits' ? 'wait' : 'back')).map((g) => g.name).join('+')
  if (w.outcome !== 'done') { const kk = `${k} ${rows}`; gates[kk] = (gates[kk] ?? 0) + 1 }
  if (w.delay > 60) delays++
  if (process.env.SHOW !== undefined && w.outcome !== 'done') console.log(Number(seed0) + i, w.outcome, w.stage, w.minutes, w.verdict.reason)
}
const used = process.cpuUsage(cpu)
console.log(regression, rps, JSON.stringify(outcomes), JSON.stringify(gates), 'delayed>1h', delays, 'ms/week', ((used.user + used.system) / 1000 / Number(n)).toFixed(0))
