// What does an answer from the response cache cost, and what a 304?
// Rivals: a route that sends a constant Buffer, and one that sends a constant 304, each with the same headers. Wanted: 0.8 and 0.9 of
// their requests/s. Beside them a route that makes 50 rows of JSON: plain, with ETag and Cache-Control, and kept.
import { once } from 'node:events'
import { fork } from 'node:child_process'
import autocannon from 'autocannon'
import { median, report } from './measure.js'

const PAIRS = Number(process.env.PAIRS ?? 15)
/** Requests of one turn, about half a second. */
const AMOUNT = 8000

async function serve (kind) {
  const child = fork(new URL('./apps/http.js', import.meta.url), [kind])
  const [port] = await once(child, 'message')
  const url = `http://127.0.0.1:${port}/rows`
  const { headers } = await fetch(url)
  return { url, child, etag: headers.get('etag') }
}

/** Seconds that so many requests take. */
async function time ({ url }, headers, amount) {
  const { start, finish, errors, statusCodeStats } = await autocannon({ url, headers, connections: 32, amount, sampleInt: 10 })
  const wrong = Object.keys(statusCodeStats).filter((status) => status !== '200' && status !== '304')
  if (errors > 0 || wrong.length > 0) throw new Error(`${errors} requests failed; statuses ${wrong}`)
  return (finish - start) / 1000
}

const apps = {}
for (const kind of ['constant', 'constant304', 'cached', 'plain', 'edge']) apps[kind] = await serve(kind)
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
const rateOf = async (name, amount = AMOUNT) => amount / await time(...rivals[name], amount)

// For the compiler.
for (const name of Object.keys(rivals)) await rateOf(name, 2 * AMOUNT)
const compared = []
for (const [title, one, other, wanted] of ratios) {
  const turns = []
  // Right after one another, in turns: what else the machine does changes within seconds.
  for (let turn = 0; turn < PAIRS; turn++) {
    const order = turn % 2 === 0 ? [one, other] : [other, one]
    const pair = {}
    for (const name of order) rates[name].push(pair[name] = await rateOf(name))
    turns.push(pair[one] / pair[other])
  }
  compared.push([title, median(turns).toFixed(2), wanted])
}
for (const name of ['50 rows, ETag and Cache-Control', '50 rows, 304']) for (let turn = 0; turn < PAIRS; turn++) rates[name].push(await rateOf(name))
for (const { child } of Object.values(apps)) child.kill()

report('requests/s, 32 connections', [...Object.keys(rivals).map((name) => [name, `${Math.round(median(rates[name]))} requests/s`]), ...compared])
