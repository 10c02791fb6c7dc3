// Measures how often a canary steps back in a healthy week, and how often it detects a slowdown of 20 % before the next stage. Wanted:
// below 1 % of 10 000 healthy weeks; above 95 % of 1000 weeks in which all requests, or the slowest tenth, are slower; at 5, 20 and 100
// requests/s. It also measures the time until harm is detected that begins on the third day of the last stage. The simulated traffic is
// that of packages/cache-core/test/rollout/fixtures.
import '../.config/typescript-loader.js'
import { parseArgs } from 'node:util'

const { simulateWeek } = await import('../packages/cache-core/test/rollout/fixtures/simulated-week.ts')
const { values } = parseArgs({
  options: {
    healthy: { type: 'string', default: '10000' },
    regressed: { type: 'string', default: '1000' },
    late: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    rates: { type: 'string', default: '5,20,100' },
    'look-every': { type: 'string', default: '10' }
  }
})
const rates = values.rates.split(',').map(Number)
const lookEvery = Number(values['look-every'])
const MINUTES_PER_DAY = 1440
/** Kinds of harm that begin late in the last stage, when only the hold-out of 1 % is in the control arm. */
const LATE = {
  'all requests 20 % slower': { regression: 'all' },
  'all requests twice as long': { regression: 'double' },
  '5 % failures': { regression: 'none', harm: { failures: 0.05 } },
  '30 points less hits': { regression: 'none', harm: { hits: 0.3 } },
  'twice the loads, few hits': { regression: 'none', harm: { hits: 0.5, loads: 2 } }
}

/** Returns Wilson's 95 % interval of a share. */
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

function count (counts, name) {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

function listed (counts) {
  return [...counts].map(([name, times]) => `${name}: ${times}`).join(', ')
}

/** Returns the name of the criterion that decided a verdict. */
function gateOf (stage, { kind, gates }) {
  return `stage ${stage} ${gates.find(({ verdict }) => verdict === kind).name}`
}

function quantile (numbers, share) {
  return numbers.sort((one, other) => one - other)[Math.min(numbers.length - 1, Math.floor(share * numbers.length))]
}

/** Simulates harm that begins at a random minute of the third day of the last stage; prints the minutes until the stage steps back. */
function simulateLate (name, weeks, requestsPerSecond, settings) {
  const minutes = []
  let unseen = 0
  for (let week = 0; week < weeks; week++) {
    const begins = { stage: 3, minute: 2 * MINUTES_PER_DAY + 300 + 37 * week % MINUTES_PER_DAY }
    const end = simulateWeek({ seed: Number(values.seed) + week, requestsPerSecond, lookEvery: 1, from: 3, lastHours: 168, begins, ...settings })
    if (end.outcome === 'back' && end.minutes >= begins.minute) minutes.push(end.minutes - begins.minute)
    else unseen++
  }
  const times = minutes.length === 0 ? '' : [0.1, 0.5, 0.9].map((share) => quantile(minutes, share)).join(', ')
  console.log(`late: ${name}, ${requestsPerSecond} requests/s: back after ${times} minutes (10, 50 and 90 % of those seen), not until the end of the stage: ${unseen} of ${weeks}`)
}

/** Simulates weeks; prints and returns the number of weeks in which the canary stepped back. */
function simulate (name, weeks, requestsPerSecond, settings) {
  const ends = { done: 0, back: 0, waits: 0 }
  const gates = new Map()
  const waits = new Map()
  const hours = []
  let delayed = 0
  for (let week = 0; week < weeks; week++) {
    const { outcome, stage, minutes, verdict, delay } = simulateWeek({ seed: Number(values.seed) + week, requestsPerSecond, lookEvery, ...settings })
    ends[outcome]++
    if (outcome === 'back') {
      hours.push(minutes / 60)
      count(gates, gateOf(stage, verdict))
    }
    if (outcome === 'waits') count(waits, gateOf(stage, verdict))
    if (delay > 60) delayed++
  }
  console.log(`${name}, ${requestsPerSecond} requests/s: stepped back ${rateText(ends.back, weeks)}`)
  console.log(`  went through: ${ends.done}, ${delayed} of them more than an hour late; waits two days after a hold time: ${ends.waits} (${listed(waits)})`)
  if (hours.length > 0) console.log(`  median hours in the stage: ${quantile(hours, 0.5).toFixed(1)}; by ${listed(gates)}`)
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
if (Number(values.late) > 0) {
  for (const [name, settings] of Object.entries(LATE)) for (const rate of rates) simulateLate(name, Number(values.late), rate, settings)
}
const { user, system } = process.cpuUsage(began)
console.log(`${((user + system) / 1e6).toFixed(0)} s of CPU time`)
