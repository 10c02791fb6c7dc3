import { MemoryCache } from '@x/cache-core'
import fc from 'fast-check'
import t from 'tap'
import { hashKey } from '../../src/advisor/hash.js'
import { ReuseCurve } from '../../src/advisor/curve/reuse-curve.js'
import { atRate, zipf } from '../fixtures/streams.js'
import { exactMissRatesOf, GROUP, tagOf, withWrites, type Step } from '../fixtures/writes.js'

// The time limit only ends a test that hangs.
t.setTimeout(600_000)

const TTLS = [1, 10, 60, 300, 900, 3600]
const ENTRIES = [100, 1000, 5000, 20_000]
const MEAN = 0.01
const WORST = 0.03
/** The percentages of the requests that are writes. With a tag of 100 keys 0.3 % invalidate as many keys as 30 % with a tag of one key. */
const PERCENTS = { del: [0, 5, 20, 30], tag: [5, 20, 30], group: [0.3, 5, 30], clear: [0.01] }
// `LONG=1` simulates 400 000 requests of each stream with five samples, which takes minutes.
const isLong = process.env.LONG === '1'
const REQUESTS = isLong ? 400_000 : 60_000
const PREFIXES = isLong ? ['product:', 'a:', 'b:', 'c:', 'd:'] : ['product:', 'a:']

/** The most keys of a stream. */
const KEYS = 40_000

/** Returns the hash of each key's text; the number of a key is its place. */
function hashesOf (textOf: (key: number) => string): Uint32Array {
  return Uint32Array.from({ length: KEYS }, (_, key) => hashKey(textOf(key)))
}

const keyHashes = new Map(PREFIXES.map((prefix) => [prefix, hashesOf((key) => `${prefix}${key}`)]))
const tagHashes = hashesOf((key) => tagOf(key, 'tag'))
const groupHashes = hashesOf((key) => tagOf(key, 'group'))

function noteAll (curve: ReuseCurve, steps: readonly Step[], prefix: string, areWritesNoted: boolean): void {
  const hashes = keyHashes.get(prefix)!
  for (const { key, now, write } of steps) {
    const hash = hashes[key]!
    const tag = tagHashes[key]!
    const group = groupHashes[key]!
    if (write === undefined) {
      curve.note(hash, now)
      curve.noteTag(hash, 0, tag)
      curve.noteTag(hash, 1, group)
    } else if (areWritesNoted) {
      if (write === 'del') curve.noteRemoval(hash)
      else if (write === 'clear') curve.noteClear()
      else curve.noteInvalidation(write === 'tag' ? tag : group)
    }
  }
}

/** Returns the absolute errors over all pairs of a ttl and a size: the mean, and the worst. */
function errorsOf (
  steps: readonly Step[], exact: ReadonlyMap<string, number>, prefix: string, areWritesNoted: boolean
): [mean: number, worst: number, bytes: number] {
  const curve = new ReuseCurve({ ttls: TTLS, entries: ENTRIES })
  noteAll(curve, steps, prefix, areWritesNoted)
  const errors = curve.points().map(({ ttl, entries, hitRate }) => Math.abs(hitRate - exact.get(`${ttl} ${entries}`)!))
  return [errors.reduce((sum, error) => sum + error, 0) / errors.length, Math.max(...errors), curve.bytes]
}

t.test('exactMissRatesOf: the accuracy is measured by what MemoryCache misses', async () => {
  const kinds = fc.constantFrom(undefined, undefined, undefined, 'del' as const, 'tag' as const, 'group' as const, 'clear' as const)
  const lists = fc.array(fc.tuple(fc.integer({ min: 95, max: 105 }), fc.constantFrom(0, 1, 400, 999, 1000), kinds), { maxLength: 200 })
  await fc.assert(fc.asyncProperty(lists, fc.integer({ min: 1, max: 14 }), async (list, maxEntries) => {
    let now = 0
    const steps = list.map(([key, wait, write]): Step => {
      now += wait
      return { key, now, write }
    })
    const exact = exactMissRatesOf(steps, [1, 2.5], maxEntries)
    for (const [at, ttl] of [1, 2.5].entries()) {
      now = 0
      const cache = new MemoryCache({ maxEntries, clock: { now: () => now } })
      let reads = 0
      let misses = 0
      for (const step of steps) {
        now = step.now
        if (step.write === 'del') await cache.del(`${step.key}`)
        else if (step.write === 'clear') await cache.clear()
        else if (step.write !== undefined) await cache.tags.invalidate(tagOf(step.key, step.write))
        if (step.write !== undefined) continue
        reads++
        const result = await cache.get(`${step.key}`)
        if (!result.ok || result.value !== null) continue
        misses++
        await cache.set(`${step.key}`, 1, { ttl, tags: [tagOf(step.key, 'tag'), tagOf(step.key, 'group')] })
      }
      if (exact[at] !== (reads === 0 ? 1 : misses / reads)) return false
    }
    return true
  }), { numRuns: 100 })
})

for (const [perSecond, keys, alpha, seed] of [[20, 20_000, 0.9, 11], [2000, KEYS, 0.8, 12]] as const) {
  const requests = atRate(perSecond, zipf(seed, alpha, keys, REQUESTS))
  for (const write of ['del', 'tag', 'group', 'clear'] as const) {
    for (const percent of PERCENTS[write]) {
      t.test(`points: with writes within ${MEAN} and ${WORST} of an exact simulation: ${perSecond}/s, ${percent} % ${write}`, async (t) => {
        const steps = withWrites(requests, percent / 100 * (write === 'group' ? GROUP : 1), write)
        const exact = new Map(ENTRIES.flatMap((entries) =>
          exactMissRatesOf(steps, TTLS, entries).map((missRate, at) => [`${TTLS[at]} ${entries}`, 1 - missRate] as const)))
        const [blindMean, blindWorst] = errorsOf(steps, exact, PREFIXES[0]!, false)
        for (const prefix of PREFIXES) {
          const [mean, worst, bytes] = errorsOf(steps, exact, prefix, true)
          const figures = `mean ${mean.toFixed(4)}, worst ${worst.toFixed(4)}, ${bytes} bytes; without the writes ${blindMean.toFixed(4)}, ${blindWorst.toFixed(4)}`
          t.comment(figures)
          t.ok(mean <= MEAN && worst <= WORST, figures)
        }
        if (percent >= (write === 'group' ? 0.2 : 20)) t.ok(blindMean > MEAN, 'the writes matter')
      })
    }
  }
}
