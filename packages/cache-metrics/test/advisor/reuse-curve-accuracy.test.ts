import t from 'tap'
import { hashKey } from '../../src/advisor/hash.js'
import { ReuseCurve, type ReusePoint } from '../../src/advisor/curve/reuse-curve.js'
import { exactMissRates, numbered, type KeyRequest, type NumberedRequests } from '../fixtures/exact-cache.js'
import { atRate, loop, web07, withOneHits, zipf } from '../fixtures/streams.js'

const MAX_BYTES = 8 * 2 ** 20
/** The prefixes of the keys: each prefix gives another sample, since it is a matter of chance which keys are sampled. */
const PREFIXES = ['product:', 'a:', 'b:', 'c:', 'd:']
const SETTINGS = [['default', undefined, 5], ['offline', 4096, 2]] as const

type Bounds = readonly [mean: number, worst: number]
interface Stream {
  name: string
  requests: KeyRequest[]
  ttls: number[]
  entries: number[]
  /** The maximum absolute errors of the hit rates: of the mean over all points, and of the worst point. */
  bounds: Record<typeof SETTINGS[number][0], Bounds>
}

const TTLS = [10, 60, 900]
const ENTRIES = [1000, 5000, 20_000]
const generated = (name: string, keys: number[], entries: number[], byDefault: Bounds, offline: Bounds): Stream => {
  return { name, requests: atRate(100, keys), ttls: TTLS, entries, bounds: { default: byDefault, offline } }
}

const trace = web07()
if (trace === undefined) t.comment('no ../shared/traces/web07.ids.gz beside the repository: a made-up trace is simulated instead')

const streams: Stream[] = [
  {
    name: trace === undefined ? 'zipf 0.9 in place of web07, seed 9' : 'web07',
    requests: trace ?? atRate(20, zipf(9, 0.9, 20_000, 76_000)),
    ttls: [1, 10, 60, 300, 900, 3600],
    entries: [100, 1000, 5000, 20_000],
    bounds: { default: [0.01, 0.03], offline: [0.01, 0.03] }
  },
  generated('zipf 0.6, seed 1', zipf(1, 0.6, 100_000, 200_000), ENTRIES, [0.01, 0.03], [0.002, 0.01]),
  generated('zipf 0.8, seed 2', zipf(2, 0.8, 100_000, 200_000), ENTRIES, [0.01, 0.03], [0.002, 0.01]),
  generated('zipf 1.0, seed 3', zipf(3, 1, 100_000, 200_000), ENTRIES, [0.01, 0.03], [0.002, 0.01]),
  generated('zipf 1.2, seed 4', zipf(4, 1.2, 100_000, 200_000), ENTRIES, [0.01, 0.03], [0.002, 0.01]),
  generated('zipf 0.9 and as many one-hit keys, seed 5', withOneHits(5, zipf(5, 0.9, 20_000, 200_000)), ENTRIES, [0.01, 0.03], [0.002, 0.01]),
  generated('scan', loop(Infinity, 100_000), ENTRIES, [0, 0], [0, 0]),
  // The number of keys is a fifth above one size and below the next.
  generated('loop over 6000 keys', loop(6000, 200_000), ENTRIES, [0.001, 0.005], [0.001, 0.005]),
  // The size of 5000 entries is left out: no sample can distinguish 5100 keys from 5000, so all of them may hit, or none.
  generated('loop over 5100 keys, but for 5000 entries', loop(5100, 200_000), [1000, 20_000], [0.001, 0.005], [0.001, 0.005])
]

/** Makes the curve of a stream with the hashes of its distinct keys. */
function curveOf (
  { ttls, entries }: Stream, { keys, times }: NumberedRequests, hashes: Uint32Array, sampleEntries: number | undefined
): ReuseCurve {
  const curve = new ReuseCurve({ ttls, entries, ...(sampleEntries !== undefined && { sampleEntries }) })
  for (let at = 0; at < keys.length; at++) curve.note(hashes[keys[at]!]!, times[at]!)
  return curve
}

const sampled: { error: number; margin: number }[] = []

for (const stream of streams) {
  t.test(`points: within bounds of an exact simulation: ${stream.name}`, async (t) => {
    const exact = new Map<string, number>()
    const tables = numbered(stream.requests)
    const missRate = exactMissRates(stream.requests, tables)
    for (const entries of stream.entries) {
      for (const ttl of stream.ttls) exact.set(`${entries} ${ttl}`, 1 - missRate(ttl, entries))
    }
    const hashes = PREFIXES.map((prefix) => Uint32Array.from(tables.distinct, (key) => hashKey(`${prefix}${key}`)))
    const errorOf = ({ entries, ttl, hitRate }: ReusePoint): number => Math.abs(hitRate - exact.get(`${entries} ${ttl}`)!)
    for (const [setting, sampleEntries, samples] of SETTINGS) {
      const [mean, worst] = stream.bounds[setting]
      let highestMean = 0
      let highest = 0
      let bytes = 0
      for (const sample of hashes.slice(0, samples)) {
        const curve = curveOf(stream, tables, sample, sampleEntries)
        const points = curve.points()
        const errors = points.map(errorOf)
        highestMean = Math.max(highestMean, errors.reduce((sum, error) => sum + error, 0) / errors.length)
        highest = Math.max(highest, ...errors)
        bytes = Math.max(bytes, curve.bytes)
        for (const [at, { margin }] of points.entries()) {
          const error = errors[at]!
          if (margin > 0) sampled.push({ error, margin })
          else if (error > 1e-9) t.fail(`no margin, and an error of ${error}: ${JSON.stringify(points[at])}`)
        }
      }
      const figures = `${setting}: mean error ${highestMean.toFixed(4)}, worst ${highest.toFixed(4)} of ${samples} samples, ${bytes} bytes`
      t.comment(figures)
      t.ok(highestMean <= mean && highest <= worst, `${figures}; bounds ${mean} and ${worst}`)
      t.ok(bytes <= MAX_BYTES, figures)
    }
  })
}

t.test('margin: 95 of 100 hit rates are within theirs', async (t) => {
  const within = sampled.filter(({ error, margin }) => error <= margin).length / sampled.length
  t.comment(`${within.toFixed(3)} of ${sampled.length}`)
  t.ok(within >= 0.95, `${within} of ${sampled.length}`)
})
