// How often does a canary step back in a healthy week, and how often does it catch a regression of 20 % before the next stage?
// Wanted: below 1 % of 10 000 healthy weeks, above 95 % of 1000 weeks with all requests slower, and with the slowest tenth slower, at 5, 20
// and 100 requests/s. The simulated traffic is that of packages/cache-core/test/rollout/fixtures.
import '../.config/typescript-loader.js'
import { parseArgs } from 'node:util'

const { simulateWeek } = await import('../packages/cache-core/test/rollout/fixtures/simulated-week.ts')
const { values } = parseArgs({
  options: {
    healthy: { type: 'string', default: '10000' },
    regressed: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    rates: { type: 'string', default: '5,20,100' },
    'look-every': { type: 'string', default: '10' }
  }
})
const rates = values.rates.split(',').map(Number)
const lookEvery = Number(values['look-every'])

/** The interval of Wilson that holds with 95 %, for a share. */
function wilson (count, total) {
  const z = 1.96
  const share = count / total
  const middle = share + z * z / (2 * total)
  const radius = z * Math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
  return [middle - radius, middle + radius].map((bound) => bound / (1 + z * z / total))
}

function rateText (count, total) {
  const [low, high] = wilson(count, total).map((bound) => (100 * bound).toFixed(2))
  return `${count} of ${total}: ${(100 * count / total).toFixed(2)} % (${low} to ${high})`
}

/** Simulates weeks; returns how many stepped back, and prints them with the others. */
function simulate (name, weeks, requestsPerSecond, settings) {
  const ends = { done: 0, back: 0, waits: 0 }
  const gates = new Map()
  const hours = []
  let delayed = 0
  for (let week = 0; week < weeks; week++) {
    const { outcome, stage, minutes, verdict, delay } = simulateWeek({ seed: Number(values.seed) + week, requestsPerSecond, lookEvery, ...settings })
    ends[outcome]++
    if (outcome === 'back') {
      hours.push(minutes / 60)
      const gate = `stage ${stage} ${verdict.gates.find((row) => row.verdict === 'back').name}`
      gates.set(gate, (gates.get(gate) ?? 0) + 1)
    }
    if (delay > 60) delayed++
  }
  const median = hours.sort((one, other) => one - other)[hours.length >> 1]
  console.log(`${name}, ${requestsPerSecond} requests/s: stepped back ${rateText(ends.back, weeks)}`)
  console.log(`  went through: ${ends.done}, ${delayed} of them more than an hour late; waits after four days in a stage: ${ends.waits}`)
  if (hours.length > 0) console.log(`  median hours in the stage: ${median.toFixed(1)}; by ${[...gates].map(([gate, count]) => `${gate}: ${count}`).join(', ')}`)
  return ends.back
}

console.log(`seeds from ${values.seed}, a look every ${lookEvery} minutes`)
const began = process.cpuUsage()
const perRate = Math.ceil(Number(values.healthy) / rates.length)
if (perRate > 0) {
  const healthy = rates.reduce((sum, rate) => sum + simulate('healthy', perRate, rate, { regression: 'none' }), 0)
  console.log(`healthy, all rates: stepped back ${rateText(healthy, perRate * rates.length)}, wanted below 1 %\n`)
}
if (Number(values.regressed) > 0) {
  for (const regression of ['all', 'tail']) {
    for (const rate of rates) simulate(`20 % slower (${regression})`, Number(values.regressed), rate, { regression, stages: 1 })
  }
}
const { user, system } = process.cpuUsage(began)
console.log(`${((user + system) / 1e6).toFixed(0)} s of CPU time`)
