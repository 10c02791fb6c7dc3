// Measures how long a scrape of the metrics blocks the event loop if every limit on the number of label values is reached.
import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import Fastify from 'fastify'
import { cacheCore } from '@x/cache-core'
import { cacheMetrics } from '@x/cache-metrics'
import { median, report } from './measure.js'

const LIMIT_MS = 10
const SCRAPES = 30
// The numbers are above the default limits of routes and key patterns, so that all limits are reached.
const ROUTES = 210
const PATTERNS = 110
const ERRORS = 13
const OPERATIONS = ['get', 'getEntry', 'getMany', 'set', 'setMany', 'del', 'delMany', 'tags.capture', 'tags.invalidate', 'clear']

const app = Fastify()
await app.register(cacheCore, { implementation: 'memory' })
await app.register(cacheMetrics, { otel: true })
for (let at = 0; at < ROUTES; at++) {
  app.get(`/api/some/resource-${at}/:id/records`, async (request) => {
    return request.query.arm === 'none' ? 'plain' : request.cache.getOrSet(`pattern-${at}:1`, () => 'loaded')
  })
}
app.get('/by-prom-client', async () => app.cacheMetrics.registry.metrics())
const base = await app.listen({ port: 0 })

/** Adds new counts to every series that can exist. */
async function fill () {
  const { stats, events, rollout } = app.cache.registry
  for (const label of ['null', 'memory', 'redis']) {
    const impl = stats.for(label)
    for (let at = 0; at < PATTERNS; at++) {
      const counters = impl.of(`pattern-${at}:1`)
      for (const count of ['hits', 'misses', 'sets', 'dels']) counters[count] += 1000 + at
      impl.countInvalidation(`pattern-${at}:1`)
      stats.loadsOf(counters.keyPattern).record(at / PATTERNS, false)
      events.emit('loaded', `pattern-${at}:1`, counters.keyPattern, at / PATTERNS, null, undefined, false)
    }
    for (let at = 0; at < ERRORS; at++) impl.errors.set(`error_${at}`, (impl.errors.get(`error_${at}`) ?? 0) + 1)
    for (const operation of OPERATIONS) {
      impl.observe(operation, 0.0001)
      events.emit('operated', label, operation, 0.0001)
    }
  }
  for (const [percent, arm] of [[0, 'control'], [100, 'cached'], [100, 'none']]) {
    rollout.percent = percent
    for (let at = 0; at < ROUTES; at++) {
      for (const method of ['GET', 'HEAD']) await app.inject({ method, url: `/api/some/resource-${at}/1/records?arm=${arm}` })
    }
  }
}

// The scraper runs in a thread of its own, so that its work on a page does not block the measured event loop.
const scraper = new Worker(`
  const { parentPort } = require('node:worker_threads')
  const { Agent, get } = require('node:http')
  const agent = new Agent({ keepAlive: true })
  parentPort.on('message', (url) => get(url, { agent }, async (response) => {
    const chunks = await response.toArray()
    const page = Buffer.concat(chunks)
    parentPort.postMessage({ bytes: page.length, lines: page.toString('latin1').split('\\n').length - 1 })
  }))
`, { eval: true })

async function get (path) {
  scraper.postMessage(base + path)
  const [page] = await once(scraper, 'message')
  return page
}

/** Returns the longest time, in milliseconds, for which a request for a page blocked the event loop. */
async function hold (path) {
  let longest = 0
  let last = performance.now()
  const look = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    timer = setImmediate(look)
  }
  let timer = setImmediate(look)
  await get(path)
  clearImmediate(timer)
  return longest
}

// Garbage is collected before each scrape, since the garbage of earlier scrapes is no cost of this scrape.
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')

async function change () {
  await fill()
  collectGarbage()
}

async function scrape (path, before = async () => {}) {
  const active = []
  const longest = []
  for (let at = 0; at < SCRAPES; at++) {
    await before()
    const start = performance.eventLoopUtilization()
    await get(path)
    active.push(performance.eventLoopUtilization(start).active)
    await before()
    longest.push(await hold(path))
  }
  const ms = (number) => `${number.toFixed(1)} ms`
  const { lines, bytes } = await get(path)
  // Only the second half of the scrapes counts, since code is compiled during the first.
  return `${ms(median(active.slice(SCRAPES / 2)))} of event loop (${ms(Math.min(...active))} at best), ` +
    `${ms(median(longest.slice(SCRAPES / 2)))} at a time; ${lines} lines, ${bytes} bytes`
}

await fill()
report('A scrape with every label budget full, over HTTP', [
  ['/metrics/prom, every series has changed', await scrape('/metrics/prom', change), `< ${LIMIT_MS} ms`],
  ['/metrics/prom, nothing has happened', await scrape('/metrics/prom')],
  ['/metrics/otel', await scrape('/metrics/otel')],
  ['/metrics', await scrape('/metrics')],
  ['the registry, written by prom-client', await scrape('/by-prom-client')]
])
await scraper.terminate()
await app.close()
