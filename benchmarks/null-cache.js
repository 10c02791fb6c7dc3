// How many requests/s does an app keep with core + metrics on NullCache and one getOrSet per request?
// Rival: the same app without the suite. Wanted: at least 0.95.
import { once } from 'node:events'
import { fork } from 'node:child_process'
import autocannon from 'autocannon'
import { median, report } from './measure.js'

const ROUNDS = Number(process.env.ROUNDS ?? 7)
const SECONDS = Number(process.env.SECONDS ?? 4)

async function serve (kind) {
  const child = fork(new URL('./apps/observed.js', import.meta.url), [kind])
  const [port] = await once(child, 'message')
  return { url: `http://127.0.0.1:${port}/users/1`, child }
}

async function rate ({ url }, duration = SECONDS) {
  const { requests, non2xx, errors } = await autocannon({ url, connections: 32, duration })
  if (non2xx + errors > 0) throw new Error(`${non2xx + errors} requests failed`)
  return requests.average
}

const apps = { without: await serve('without'), with: await serve('with') }
const rates = { without: [], with: [] }
for (const app of Object.values(apps)) await rate(app, 2)
// In turns and in changing order, so that what the machine does besides falls on both.
for (let round = 0; round < ROUNDS; round++) {
  const order = round % 2 === 0 ? ['without', 'with'] : ['with', 'without']
  for (const name of order) rates[name].push(await rate(apps[name]))
}
for (const { child } of Object.values(apps)) child.kill()

const ratios = rates.with.map((each, round) => each / rates.without[round])
report('requests/s with core + metrics on NullCache, one getOrSet per request, against the same app without', [
  ['without', `${Math.round(median(rates.without))} requests/s`],
  ['with', `${Math.round(median(rates.with))} requests/s`],
  ['ratio (median of rounds)', median(ratios).toFixed(3), 'at least 0.95']
])
