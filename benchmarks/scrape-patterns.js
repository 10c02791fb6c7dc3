// How much CPU time a scrape of /metrics/prom takes with 10, 100 and 1000 key patterns, and how large its page is. Rival: prom-client
// with as many series. Wanted: from 100 key patterns on at most 0.5 times the rival's CPU time if every series has changed.
import Fastify from 'fastify'
import { createRequire } from 'node:module'
import { cacheCore } from '@x/cache-core'
import { cacheMetrics } from '@x/cache-metrics'
import { cpuOf, median, report } from './measure.js'

// prom-client is a dependency of @x/cache-metrics.
const { Gauge, Registry } = createRequire(import.meta.resolve('@x/cache-metrics'))('prom-client')

const ROUNDS = 15
/** The rounds that are not counted, since code is compiled during them. */
const WARM_UPS = 20
const AT_MOST = 0.5

/** Starts an app whose key patterns all have counts; `change` adds to the counts of each. */
async function startApp (patterns) {
  const app = Fastify()
  await app.register(cacheCore, { implementation: 'memory', maxKeyPatterns: patterns })
  await app.register(cacheMetrics, { advisor: false })
  await app.ready()
  const { stats } = app.cache.registry
  const impl = stats.for('memory')
  function change () {
    for (let at = 0; at < patterns; at++) {
      const counters = impl.of(`pattern-${at}:1`)
      for (const count of ['hits', 'misses', 'sets', 'dels', 'loaded']) counters[count] += 1 + at
      stats.loadsOf(counters.keyPattern).record(at / patterns, false)
    }
  }
  change()
  return { app, change }
}

/** Returns a registry of prom-client with a gauge value for each series of a page; `change` adds 1 to each. */
function copyOf (page) {
  const registry = new Registry()
  const series = []
  for (const [, name, labelText = '', value] of page.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)) {
    const labels = Object.fromEntries(Array.from(labelText.matchAll(/(\w+)="([^"]*)"/g), ([, label, text]) => [label, text]))
    const gauge = registry.getSingleMetric(name) ?? new Gauge({ name, help: name, labelNames: Object.keys(labels), registers: [registry] })
    gauge.set(labels, Number(value))
    series.push({ gauge, labels })
  }
  return { registry, series: series.length, change: () => { for (const { gauge, labels } of series) gauge.inc(labels) } }
}

/** Measures the scrape and its rival in turns, since the speed of a machine changes during a run. Both pages are requested by `inject`. */
async function measure (patterns) {
  const { app, change } = await startApp(patterns)
  const rivalApp = Fastify()
  const page = (await app.inject('/metrics/prom')).body
  const rival = copyOf(page)
  rivalApp.get('/metrics', () => rival.registry.metrics())
  const bytes = Buffer.from(page)
  rivalApp.get('/constant', async () => bytes)
  const own = () => app.inject('/metrics/prom')
  const times = { changed: [], unchanged: [], rival: [], constant: [] }
  for (let round = -WARM_UPS; round < ROUNDS; round++) {
    change()
    rival.change()
    const changed = await cpuOf(own)
    const ofRival = await cpuOf(() => rivalApp.inject('/metrics'))
    const unchanged = await cpuOf(own)
    const constant = await cpuOf(() => rivalApp.inject('/constant'))
    if (round < 0) continue
    times.changed.push(changed)
    times.unchanged.push(unchanged)
    times.rival.push(ofRival)
    times.constant.push(constant)
  }
  await Promise.all([app.close(), rivalApp.close()])
  return { series: rival.series, bytes: bytes.length, times }
}

const rows = []
for (const patterns of [10, 100, 1000]) {
  const { series, bytes, times } = await measure(patterns)
  const ms = (all) => `${(median(all) / 1e6).toFixed(2)} ms`
  const ratio = median(times.changed.map((time, round) => time / times.rival[round]))
  rows.push(
    [`${patterns} patterns`, `${series} series, ${bytes} bytes (${Math.round(bytes / patterns)} per pattern)`],
    ['  every series has changed', `${ms(times.changed)}, ${ratio.toFixed(2)} of prom-client`, patterns < 100 ? undefined : `≤ ${AT_MOST}`],
    ['  nothing has changed', ms(times.unchanged)],
    ['  prom-client, as many series', ms(times.rival)],
    ['  a constant page of as many bytes', ms(times.constant)]
  )
}
report('CPU time of a scrape, by key patterns', rows)
