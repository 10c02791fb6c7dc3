import { CacheRegistry, MemoryCache } from '@x/cache-core'
import { CacheClient } from '@x/cache-core/suite'
import t, { type Test } from 'tap'
import { settle } from '@x/test-kit/deferred'
import { FakeTime } from '@x/test-kit/fake-time'
import { Random } from '@x/test-kit/virtual-time'
import { shadowFindings, type ShadowFinding } from '../../src/advisor/report/shadow.js'

/** The number of runs. SHADOW_RUNS=20 runs the long form, which counts how often the planted rate lies within its interval. */
const RUNS = Number(process.env.SHADOW_RUNS ?? 1)
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
const KEYS = 300
const SECONDS = 300
const TTL = 60
const PLANTED = 0.005

/**
 * Loads each key once a second. In some lifetimes of an entry the source changes without an invalidation, at a random second, so that on
 * average half of the lifetime is stale. Returns the finding, and the true number of stale reads.
 */
async function plant (t: Test, seed: number): Promise<{ finding: ShadowFinding, stale: number, reads: number }> {
  const time = new FakeTime(t)
  const random = new Random(seed)
  const registry = new CacheRegistry({ clock: time.clock, rollout: { percent: 0, shadow: { percent: 100 } } })
  const cache = new MemoryCache({ clock: time.clock, maxEntries: 10_000 })
  registry.register(cache)
  const client = new CacheClient(registry)
  const source = new Array<number>(KEYS).fill(0)
  const changesAt = new Array<number>(KEYS).fill(-1)
  let stale = 0
  let reads = 0
  for (let second = 0; second < SECONDS; second++) {
    for (let id = 0; id < KEYS; id++) {
      const key = `item:${id}`
      const entry = await cache.getEntry<{ version: number }>(key)
      const found = entry.ok ? entry.value : null
      if (found === null) changesAt[id] = random.chance(2 * PLANTED) ? second + 1 + random.below(TTL - 1) : -1
      if (changesAt[id] === second) source[id]!++
      if (found !== null) {
        reads++
        if (found.value.version !== source[id]) stale++
      }
      await client.getOrSet(key, async () => ({ id, version: source[id]!, loadedAt: second }), TTL)
    }
    await settle()
    await settle()
    for (let step = 0; step < 4; step++) {
      time.advance(250)
      await settle()
    }
  }
  for (let step = 0; step < 320; step++) {
    time.advance(250)
    await settle()
  }
  client.stop()
  return { finding: shadowFindings(registry.shadow.stats.patterns.values(), 0.001)[0]!, stale, reads }
}

t.test('shadow: a planted stale rate of 0.5 % is reported within its interval', async (t) => {
  let within = 0
  for (let run = 0; run < RUNS; run++) {
    const seed = SEED + run
    await t.test(`SEED=${seed}`, async (t) => {
      const { finding, stale, reads } = await plant(t, seed)
      t.comment(`${stale} of ${reads} reads are stale; ${finding.text}`)
      t.same([finding.stale, finding.compared], [stale, reads], 'each stale read is found, and no other')
      const realised = stale / reads
      t.ok(finding.low <= realised && realised <= finding.high)
      t.ok(finding.high - finding.low < 0.01, 'the interval is narrow enough to be of use')
      t.same(finding.stalePaths, stale === 0 ? [] : ['.version'])
      t.same(finding.volatilePaths, ['.loadedAt'])
      if (finding.low <= PLANTED && PLANTED <= finding.high) within++
    })
  }
  t.comment(`${within} of ${RUNS} intervals have the planted rate`)
  if (RUNS > 1) t.ok(within >= 0.85 * RUNS)
})
