// What does an answer from the response cache cost, and what a 304?
// Rivals: a route that sends a constant Buffer, and one that sends a constant 304, each with the same headers. Wanted: 0.8 and 0.9 of
// their requests/s. Beside them a route that makes 50 rows of JSON: plain, with ETag and Cache-Control, and kept.
import { once } from 'node:events'
import { fork } from 'node:child_process'
import autocannon from 'autocannon'
import { median, report } from './measure.js'

const ROUNDS = Number(process.env.ROUNDS ?? 7)

async function serve (kind) {
  const child = fork(new URL('./apps/http.js', import.meta.url), [kind])
  const [port] = await once(child, 'message')
  const url = `http://127.0.0.1:${port}/rows`
  const { headers } = await fetch(url)
  return { url, child, etag: headers.get('etag') }
}

async function rate ({ url }, headers, duration) {
  const { requests, errors, statusCodeStats } = await autocannon({ url, headers, connections: 32, duration })
  const wrong = Object.keys(statusCodeStats).filter((status) => status !== '200' && status !== '304')
  if (errors > 0 || wrong.length > 0) throw new Error(`${errors} requests failed; statuses ${wrong}`)
  return requests.average
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
const rates = Object.fromEntries(Object.keys(rivals).map((name) => [name, []]))
for (let round = -1; round < ROUNDS; round++) {
  const names = Object.keys(rivals)
  if (round % 2 !== 0) names.reverse()
  for (const name of names) {
    const figure = await rate(...rivals[name], round < 0 ? 2 : 1)
    // The first round is for the compiler.
    if (round >= 0) rates[name].push(figure)
  }
}
for (const { child } of Object.values(apps)) child.kill()

const ratio = (one, other) => median(rates[one].map((figure, round) => figure / rates[other][round])).toFixed(2)
report('requests/s, 32 connections', [
  ...Object.keys(rivals).map((name) => [name, `${Math.round(median(rates[name]))} requests/s`]),
  ['hit / constant Buffer', ratio('response-cache hit', 'constant Buffer'), 'at least 0.8'],
  ['304 / constant 304', ratio('304 of a hit', 'constant 304'), 'at least 0.9'],
  ['hit / 50 rows made anew', ratio('response-cache hit', '50 rows')]
])
