import { MemoryCache } from '@x/cache-core'
import t from 'tap'
import { adviceOn, build, reportOf, Time } from '../fixtures/advised-app.js'
import { atRate, zipf } from '../fixtures/streams.js'
import { exactMissRatesOf, tagOf, withWrites } from '../fixtures/writes.js'

const TTLS = [60, 3600]
const ENTRIES = [50, 100, 200]
/** These sizes are simulated in full, so that the simulation has no error but that of wrong tags. */
const WORST = 0.001

for (const [write, share] of [['tag', 0.2], ['group', 0.9]] as const) {
  t.test(`report: in service, smaller sizes than that of the cache are within ${WORST} of an exact simulation: ${write}`, async (t) => {
    const steps = withWrites(atRate(20, zipf(21, 0.2, 300, 10_000)), share, write)
    const time = new Time()
    const implementation = new MemoryCache({ maxEntries: 10_000, clock: time.clock })
    const advisor = { ttls: TTLS, entries: ENTRIES, minRequests: 1 }
    const app = await build(t, { time, core: { implementation }, metrics: { advisor } })
    await app.ready()
    let last = 0
    for (const { key, now, write } of steps) {
      time.advance((now - last) / 1000)
      last = now
      if (write === 'tag' || write === 'group') await app.cache.tags.invalidate(tagOf(key, write))
      else await app.cache.getOrSet(`item:${key}`, () => key, { ttl: 3600, tags: [tagOf(key, 'tag'), tagOf(key, 'group')] })
    }
    const { points } = adviceOn(await reportOf(app), 'item')
    for (const entries of ENTRIES) {
      for (const [at, missRate] of exactMissRatesOf(steps, TTLS, entries).entries()) {
        const { hitRate } = points.find((point) => point.ttl === TTLS[at] && point.entries === entries)!
        const figures = `${entries} entries, ${TTLS[at]} s: ${hitRate.toFixed(4)} foretold, ${(1 - missRate).toFixed(4)} exact`
        t.comment(figures)
        t.ok(Math.abs(hitRate - 1 + missRate) <= WORST, figures)
      }
    }
  })
}
