// Measures how many requests/s an app keeps with core and metrics on NullCache, and one getOrSet per request. Rival: the same app without
// the suite. Wanted: at least 0.95 of its requests/s, and at most 1.03 times the server's CPU time per request. The source of the values is
// once a map, which costs almost nothing, so that the cost of the suite shows; and once a query by primary key to PostgreSQL in the same
// process.
import autocannon from 'autocannon'
import { compareKinds } from './compare/kinds.js'
import { report, serve } from './measure.js'

// Other work of the machine, and the memory layout of a process, change the rate of a single turn by up to a fifth. Therefore many short
// turns are measured, in changing order and in fresh processes. The result is the rate that an undisturbed app reaches: the ninth decile of
// its turns.
const PAIRS = Number(process.env.PAIRS ?? 6)
const ROUNDS = Number(process.env.ROUNDS ?? 8)

async function rate ({ url }, duration) {
  const { requests, non2xx, errors } = await autocannon({ url: `${url}/users/1`, connections: 32, duration })
  if (non2xx + errors > 0) throw new Error(`${non2xx + errors} requests failed`)
  return requests.average
}

const quantile = (numbers, q) => numbers.toSorted((a, b) => a - b)[Math.floor((numbers.length - 1) * q)]

for (const source of ['map', 'PostgreSQL']) {
  const rates = { without: [], with: [] }
  for (let pair = 0; pair < PAIRS; pair++) {
    const apps = { without: await serve('observed', 'without', source), with: await serve('observed', 'with', source) }
    for (const app of Object.values(apps)) await rate(app, 2)
    for (let round = 0; round < ROUNDS; round++) {
      const order = (pair + round) % 2 === 0 ? ['without', 'with'] : ['with', 'without']
      for (const name of order) rates[name].push(await rate(apps[name], 1))
    }
    for (const { child } of Object.values(apps)) child.kill()
  }

  const figures = (name) => `${Math.round(quantile(rates[name], 0.9))} requests/s (median ${Math.round(quantile(rates[name], 0.5))})`
  report(`requests/s with core + metrics on NullCache, one getOrSet per request (${source}), against the same app without`, [
    ['without', figures('without')],
    ['with', figures('with')],
    ['ratio', (quantile(rates.with, 0.9) / quantile(rates.without, 0.9)).toFixed(3), 'at least 0.95'],
    ['ratio of the medians', (quantile(rates.with, 0.5) / quantile(rates.without, 0.5)).toFixed(3)]
  ])
}

const observed = (kind) => ({ app: 'observed', args: [kind, 'map'], path: '/users/1', isMixed: true })
await compareKinds('app-kind', 'CPU time of the server per request, against the same app without the suite (map)', [
  { title: 'core + metrics on NullCache', one: observed('with'), other: observed('without'), atMost: 1.03 },
  { title: 'and the advisor', one: observed('advised'), other: observed('without'), atMost: 1.05 }
])
