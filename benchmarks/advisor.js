// Measures what the advisor costs an observed operation: a request with one getOrSet on NullCache, with metrics. Rival: the same app with
// `advisor: false`. Wanted: at least 0.95 of the rival's requests/s. The source of the values is once a map, which costs almost nothing,
// and once a query by primary key to PostgreSQL in the same process; 10 000 ids follow Zipf's law.
import { median, rateOf, report, serve } from './measure.js'

const PAIRS = Number(process.env.PAIRS ?? 15)
/** The number of requests in one measured turn. */
const AMOUNT = 6000

const IDS = 10_000
const paths = Array.from({ length: 4096 }, () => ({ path: `/users/${Math.floor(IDS ** Math.random())}` }))

const rate = ({ url }, amount = AMOUNT) => rateOf(amount, { url, requests: paths })

for (const source of ['map', 'PostgreSQL']) {
  const apps = { without: await serve('observed', 'with', source), with: await serve('observed', 'advised', source) }
  for (const app of Object.values(apps)) await rate(app, 2 * AMOUNT)
  const rates = { without: [], with: [] }
  for (let pair = 0; pair < PAIRS; pair++) {
    for (const name of pair % 2 === 0 ? ['without', 'with'] : ['with', 'without']) rates[name].push(await rate(apps[name]))
  }
  const advice = await (await fetch(`${apps.with.url}/internal/cache/advice`)).json()
  for (const { child } of Object.values(apps)) child.kill()
  report(`requests/s with the advisor on NullCache, one getOrSet per request (${source}), against the same app without`, [
    ['without', `${Math.round(median(rates.without))} requests/s`],
    ['with', `${Math.round(median(rates.with))} requests/s, ${advice.requests} observed`],
    ['ratio', median(rates.with.map((figure, pair) => figure / rates.without[pair])).toFixed(3), 'at least 0.95']
  ])
}
