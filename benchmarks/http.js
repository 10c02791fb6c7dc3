// Measures what a response from the response cache costs, and what a 304 costs. Rivals: a route that sends a constant Buffer, and one that
// sends a constant 304, both with the same headers. Wanted: at least 0.8 and 0.9 of their requests/s. For comparison also a route that
// makes 50 rows of JSON: without the edge, with ETag and Cache-Control, and with stored responses.
import { median, rateOf, report, serve } from './measure.js'

const PAIRS = Number(process.env.PAIRS ?? 15)
/** The number of requests in one measured turn, which takes about half a second. */
const AMOUNT = 8000

async function serveRows (kind) {
  const { url, child } = await serve('http', kind)
  const { headers } = await fetch(`${url}/rows`)
  return { url: `${url}/rows`, child, etag: headers.get('etag') }
}

const apps = {}
for (const kind of ['constant', 'constant304', 'cached', 'plain', 'edge']) apps[kind] = await serveRows(kind)
const rivals = {
  'constant Buffer': [apps.constant, {}],
  'response-cache hit': [apps.cached, {}],
  'constant 304': [apps.constant304, { 'if-none-match': apps.cached.etag }],
  '304 of a hit': [apps.cached, { 'if-none-match': apps.cached.etag }],
  '50 rows': [apps.plain, {}],
  '50 rows, ETag and Cache-Control': [apps.edge, {}],
  '50 rows, 304': [apps.edge, { 'if-none-match': apps.edge.etag }]
}
const ratios = [
  ['hit / constant Buffer', 'response-cache hit', 'constant Buffer', 'at least 0.8'],
  ['304 / constant 304', '304 of a hit', 'constant 304', 'at least 0.9'],
  ['hit / 50 rows made anew', 'response-cache hit', '50 rows']
]
const rates = Object.fromEntries(Object.keys(rivals).map((name) => [name, []]))
const rate = (name, amount = AMOUNT) => {
  const [{ url }, headers] = rivals[name]
  return rateOf(amount, { url, headers })
}

// Each server gets requests before measuring, so that its code is compiled.
for (const name of Object.keys(rivals)) await rate(name, 2 * AMOUNT)
const compared = []
for (const [title, one, other, wanted] of ratios) {
  const turns = []
  // The two rivals are measured right after one another, in alternating order, since the speed of the machine changes within seconds.
  for (let turn = 0; turn < PAIRS; turn++) {
    const order = turn % 2 === 0 ? [one, other] : [other, one]
    const pair = {}
    for (const name of order) rates[name].push(pair[name] = await rate(name))
    turns.push(pair[one] / pair[other])
  }
  compared.push([title, median(turns).toFixed(2), wanted])
}
for (const name of ['50 rows, ETag and Cache-Control', '50 rows, 304']) for (let turn = 0; turn < PAIRS; turn++) rates[name].push(await rate(name))
for (const { child } of Object.values(apps)) child.kill()

report('requests/s, 32 connections', [...Object.keys(rivals).map((name) => [name, `${Math.round(median(rates[name]))} requests/s`]), ...compared])
