// Measures the cost of the advisor's reuse curve: nanoseconds per request, and bytes. For comparison it measures the operation that the
// curve slows down: a getOrSet on NullCache with metrics and without the advisor, whose loader returns at once.
import Fastify from 'fastify'
import { cacheCore } from '@x/cache-core'
import { cacheMetrics } from '@x/cache-metrics'
import { median, report, time } from './measure.js'

// The module is imported by its path in `dist`, since the package does not export it.
const advisor = new URL('dist/advisor/', import.meta.resolve('@x/cache-metrics/package.json'))
const { hashKey } = await import(new URL('hash.js', advisor))
const { ReuseCurve } = await import(new URL('curve/reuse-curve.js', advisor))

const KEYS = 20_000
const REQUESTS = 200_000
const ROUNDS = 9
const MS_BETWEEN_REQUESTS = 1

/** Returns hashes of keys whose popularity follows Zipf's law with exponent 0.9. */
function requests () {
  const upTo = []
  let sum = 0
  for (let key = 0; key < KEYS; key++) {
    sum += (key + 1) ** -0.9
    upTo.push(sum)
  }
  return Array.from({ length: REQUESTS }, () => {
    const wanted = Math.random() * sum
    let low = 0
    for (let high = KEYS - 1; low < high;) {
      const middle = (low + high) >> 1
      if (upTo[middle] < wanted) low = middle + 1
      else high = middle
    }
    return low
  })
}

/** Measures the time of one synchronous call in nanoseconds. */
function timeNow (call) {
  const times = []
  for (let round = -1; round < ROUNDS; round++) {
    const began = process.hrtime.bigint()
    for (let at = 0; at < REQUESTS; at++) call(at)
    if (round >= 0) times.push(Number(process.hrtime.bigint() - began) / REQUESTS)
  }
  return median(times)
}

function bytesAfter (distinct, sampleEntries) {
  const curve = new ReuseCurve({ sampleEntries })
  for (let id = 0; id < distinct; id++) curve.note(hashKey(`user:${id}`), id * MS_BETWEEN_REQUESTS)
  return curve.bytes
}

const names = Array.from({ length: KEYS }, (_, id) => `user:${id}`)
const keys = requests().map((id) => names[id])
const hashes = keys.map(hashKey)

const app = Fastify()
await app.register(cacheCore)
await app.register(cacheMetrics, { advisor: false })
await app.ready()
const { observed } = await time({ observed: (at) => app.cache.getOrSet(keys[at], () => at, { ttl: 60 }) }, { calls: REQUESTS })
await app.close()

let sum = 0
const hashing = timeNow((at) => { sum += hashKey(keys[at]) })
const share = (ns) => `${ns.toFixed(0)} ns, ${(ns / observed).toFixed(2)} of it`
const rows = [512, 1000, 4096, 16_384].map((sampleEntries) => {
  const curve = new ReuseCurve({ sampleEntries })
  let now = 0
  const ns = timeNow((at) => {
    now += MS_BETWEEN_REQUESTS
    curve.note(hashes[at], now)
  })
  return [`note(), sampleEntries ${sampleEntries}`, `${share(ns)}; ${bytesAfter(1e4, sampleEntries)} bytes after 1e4 keys, ${bytesAfter(1e6, sampleEntries)} after 1e6`]
})
report(`one request noted in a hit-rate curve of 7 ttls and 5 sizes, ${KEYS} keys`, [
  ['a getOrSet on NullCache with metrics', `${observed.toFixed(0)} ns`],
  [`hashKey(), keys such as ${names.at(-1)}`, share(hashing)],
  ...rows
])
if (Number.isNaN(sum)) console.log(sum)
