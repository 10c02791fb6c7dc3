import t from 'tap'
import { Staleness } from '../../src/advisor/staleness/staleness.js'
import { provenTtl } from '../../src/advisor/staleness/staleness-forecast.js'

const TTLS = [5, 15, 60, 300]
/** The number of runs; RUNS=200 runs more. */
const RUNS = Number(process.env.RUNS ?? 20)

/** Returns a generator of numbers from 0 to 1, the same in every run (mulberry32). */
function random (seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let hash = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    hash = (hash + Math.imul(hash ^ (hash >>> 7), 61 | hash)) ^ hash
    return ((hash ^ (hash >>> 14)) >>> 0) / 2 ** 32
  }
}

const hashOf = (key: number) => Math.imul(key + 1, 0x9e3779b1) >>> 0

interface Plan {
  keys: number
  /** Returns the requests of a key per second; `changes` returns its changes per second. */
  requests: (key: number) => number
  changes: (key: number) => number
  /** Whether a change affects all keys at once. */
  together?: boolean
  periodic?: boolean
}
interface Step { time: number, key: number, version: number }

const SECONDS = 1800

/** Makes half an hour of Poisson requests for values that change by a Poisson process or periodically. */
function traffic (seed: number, { keys, requests, changes, together = false, periodic = false }: Plan): Step[] {
  const next = random(seed)
  const wait = (rate: number) => -Math.log(1 - next()) / rate
  const times = (rate: number) => {
    const found: number[] = []
    for (let at = periodic ? next() / rate : wait(rate); at < SECONDS; at += periodic ? 1 / rate : wait(rate)) found.push(at)
    return found
  }
  const all = times(changes(0))
  const bySecond = Array.from({ length: SECONDS }, (): Step[] => [])
  for (let key = 0; key < keys; key++) {
    const changed = together ? all : times(changes(key))
    let version = 0
    for (let time = wait(requests(key)); time < SECONDS; time += wait(requests(key))) {
      while (version < changed.length && changed[version]! <= time) version++
      bySecond[Math.floor(time)]!.push({ time, key, version })
    }
  }
  // The steps of each second are sorted apart, which takes a quarter of the comparisons.
  return bySecond.flatMap((steps) => steps.sort((a, b) => a.time - b.time))
}

/** Returns the share of stale hits at a ttl over all keys, computed by definition. */
function truth (steps: readonly Step[], ttl: number): number {
  // By key; keys are small numbers.
  const loads: Step[] = []
  let hits = 0
  let stale = 0
  for (const step of steps) {
    const load = loads[step.key]
    if (load === undefined || step.time >= load.time + ttl) loads[step.key] = step
    else {
      hits++
      if (load.version !== step.version) stale++
    }
  }
  return stale / hits
}

function observed (steps: readonly Step[], maxKeys: number, salt = 0): Staleness {
  const staleness = new Staleness({ ttls: TTLS, maxKeys })
  for (const { time, key, version } of steps) staleness.note(hashOf(key + salt * 7919), time, version)
  return staleness
}

const zipf = (key: number) => 0.8 * (key + 1) ** -0.8
const plans: Record<string, Plan> = {
  'every key tracked': { keys: 60, requests: () => 0.15, changes: () => 1 / 300 },
  'keys of Poisson changes, one in three sampled': { keys: 250, requests: () => 0.04, changes: () => 1 / 600 },
  'rare changes': { keys: 250, requests: () => 0.04, changes: () => 1 / 50_000 },
  'one key in ten changes': { keys: 250, requests: () => 0.04, changes: (key) => key % 10 === 0 ? 1 / 60 : 1e-9 },
  'popular and rare keys': { keys: 250, requests: zipf, changes: () => 1 / 600 },
  'popular and rare keys, one in five changes often': { keys: 250, requests: zipf, changes: (key) => hashOf(key) % 5 === 0 ? 1 / 60 : 1 / 3000 },
  'periods of their own': { keys: 250, requests: () => 0.04, changes: () => 1 / 200, periodic: true },
  'changes to all at once': { keys: 250, requests: () => 0.04, changes: () => 1 / 200, together: true },
  'periods in common': { keys: 250, requests: () => 0.04, changes: () => 1 / 200, together: true, periodic: true },
  'one key': { keys: 1, requests: () => 4, changes: () => 1 / 100 }
}

for (const [name, plan] of Object.entries(plans)) {
  t.test(`forecast: the interval holds the true and the expected stale share in 90 % of runs: ${name}`, async (t) => {
    const runs = Array.from({ length: RUNS }, (_, index) => {
      const seed = index + 1
      const steps = traffic(seed, plan)
      return { seed, truths: TTLS.map((ttl) => truth(steps, ttl)), forecasts: observed(steps, 96, seed).forecast() }
    })
    const outside = { realised: [] as string[], expected: [] as string[] }
    for (const [index, ttl] of TTLS.entries()) {
      const expected = runs.reduce((sum, { truths }) => sum + truths[index]!, 0) / runs.length
      for (const { seed, truths, forecasts } of runs) {
        const { low, high } = forecasts[index]!
        if (truths[index]! < low || truths[index]! > high) outside.realised.push(`ttl ${ttl} seed ${seed}`)
        if (expected < low || expected > high) outside.expected.push(`ttl ${ttl} seed ${seed}`)
      }
    }
    for (const [of, missed] of Object.entries(outside)) {
      t.ok(missed.length <= RUNS * TTLS.length / 10, `${of} share: outside with ${missed.join(', ')}`)
      if (RUNS > 20) t.comment(`${of}: ${missed.length} of ${RUNS * TTLS.length} missed`)
    }
  })
}

t.test('forecast: the interval is narrow enough to be of use', async (t) => {
  const forecasts = observed(traffic(1, { keys: 500, requests: () => 0.2, changes: () => 1 / 600 }), 256).forecast()
  for (const { ttl, rate, low, high } of forecasts) t.ok(high - low < 0.02 + rate / 2, `${ttl}: ${low} to ${high}`)
})

t.test('forecast: counts what a cache would have done, at the edge of the ttl too', async (t) => {
  const staleness = new Staleness({ ttls: [10, 2] })
  for (const [time, version] of [[100, 1], [101, 1], [102, 2], [109.9, 2], [110, 2], [111, 3]] as const) staleness.note(1, time, version)
  t.match(staleness.forecast(), [
    { ttl: 2, hits: 3, stale: 1, rate: 1 / 3 },
    { ttl: 10, hits: 4, stale: 3, rate: 0.75 }
  ])
})

t.test('forecast: a value that came back is not stale', async (t) => {
  const staleness = new Staleness({ ttls: [10] })
  for (const [time, version] of [[0, 1], [1, 2], [2, 1]] as const) staleness.note(1, time, version)
  t.match(staleness.forecast(), [{ hits: 2, stale: 1 }])
})

t.test('forecast: says nothing before anything was seen', async (t) => {
  const nothing = { hits: 0, stale: 0, rate: 0, low: 0, high: 1 }
  t.same(new Staleness({ ttls: [1, 60] }).forecast(), [{ ttl: 1, ...nothing }, { ttl: 60, ...nothing }])
  const once = new Staleness({ ttls: [60] })
  once.note(1, 0, 1)
  t.match(once.forecast(), [nothing])
})

t.test('forecast: without a change the bound is 3 by the ttls that were observed, or the keys if some were left out', async (t) => {
  const steps = traffic(1, { keys: 400, requests: () => 1, changes: () => 1e-12 })
  for (const { ttl, low, high } of observed(steps, 512).forecast()) {
    t.equal(low, 0)
    t.ok(high >= 3 * ttl / 1800 && high < 4.5 * ttl / 1800, `${ttl}: ${high}`)
  }
  const [shortest] = observed(steps, 128).forecast()
  t.ok(shortest!.high > 3 / 128 && shortest!.high < 3 / 100, String(shortest!.high))
})

t.test('forecast: a value that changes at every load has a lower bound near 1', async (t) => {
  const staleness = new Staleness({ ttls: [10] })
  for (let time = 0; time < 10_000; time++) staleness.note(1, time, time)
  const [forecast] = staleness.forecast()
  t.match(forecast, { rate: 1, high: 1 })
  t.ok(forecast!.low > 0.99, String(forecast!.low))
})

t.test('provenTtl: is the longest whose upper bound is tolerated', async (t) => {
  const staleness = observed(traffic(1, { keys: 100, requests: () => 1, changes: () => 1 / 3000 }), 512)
  const forecasts = staleness.forecast()
  for (const [index, { ttl, high }] of forecasts.entries()) t.equal(provenTtl(staleness.forecast(), high), ttl, String(index))
  t.equal(provenTtl(staleness.forecast(), forecasts[0]!.high / 2), undefined)
  t.equal(provenTtl(staleness.forecast(), 1), 300)
})

t.test('provenTtl: is undefined as long as too little was seen', async (t) => {
  const staleness = new Staleness()
  t.equal(provenTtl(staleness.forecast(), 0.001), undefined)
  for (let time = 0; time < 100; time++) staleness.note(time % 3, time / 10, 1)
  t.equal(provenTtl(staleness.forecast(), 0.001), undefined)
  for (let time = 0; time < 40_000; time++) staleness.note(time % 3, 10 + time / 10, 1)
  t.equal(provenTtl(staleness.forecast(), 0.001), 1)
})

t.test('provenTtl: a longer one never comes after a shorter one that is not tolerated', async (t) => {
  // The value changes for half a second in each second. This is visible as stale hits at a ttl of 1 s, and hidden at 5 s.
  const staleness = new Staleness({ ttls: [1, 5] })
  for (let at = 0; at < 20_000; at++) staleness.note(1, at / 4, at % 4 < 2 ? 1 : 2)
  t.equal(provenTtl(staleness.forecast(), 0.2), undefined)
})

t.test('wants: is true for all keys until there are too many, and then for the same few', async (t) => {
  const staleness = new Staleness({ maxKeys: 64, ttls: [10] })
  const wanted = () => Array.from({ length: 10_000 }, (_, key) => key).filter((key) => staleness.wants(hashOf(key)))
  t.equal(wanted().length, 10_000)
  for (let key = 0; key < 10_000; key++) staleness.note(hashOf(key), 0, 1)
  const sampled = wanted()
  t.ok(sampled.length >= 50 && sampled.length <= 64, String(sampled.length))
  for (let key = 0; key < 10_000; key++) staleness.note(hashOf(key), 1, 1)
  t.same(wanted(), sampled)
  t.match(staleness.forecast(), [{ hits: sampled.length, stale: 0 }])
})

t.test('note: which keys are sampled has nothing to do with their order or the pattern of their hashes', async (t) => {
  for (const step of [1, 2 ** 16, 2 ** 32]) {
    const up = new Staleness({ maxKeys: 64 })
    const down = new Staleness({ maxKeys: 64 })
    const keys = Array.from({ length: 5000 }, (_, key) => key * step)
    for (const key of keys) up.note(key, 0, 1)
    for (const key of keys.toReversed()) down.note(key, 0, 1)
    const sampled = keys.filter((key) => up.wants(key) && down.wants(key))
    t.ok(sampled.length >= 40 && sampled.length <= 64, `${step}: ${sampled.length}`)
    const middle = sampled.filter((key) => key < 2500 * step).length / sampled.length
    t.ok(middle > 0.25 && middle < 0.75, `${step}: ${middle}`)
  }
})

t.test('bytes: are few at first, and do not grow with the keys or with time', async (t) => {
  const staleness = new Staleness()
  t.ok(staleness.bytes < 20_000, String(staleness.bytes))
  for (let key = 0; key < 20_000; key++) staleness.note(hashOf(key), key, key)
  const { bytes } = staleness
  t.ok(bytes < 200_000, String(bytes))
  for (let key = 20_000; key < 100_000; key++) staleness.note(hashOf(key), key * 100, key)
  t.ok(staleness.bytes <= bytes + 64 * 56, `${bytes} then ${staleness.bytes}`)
})

t.test('note: a clock that runs backwards breaks nothing', async (t) => {
  const staleness = new Staleness({ ttls: [10] })
  for (const time of [1e6, 1e6 + 5, 10, 1e6 + 20, 1e6 + 21, 1e6 - 100]) staleness.note(1, time, 1)
  t.match(staleness.forecast(), [{ stale: 0, rate: 0 }])
})

t.test('forecast: more hits of a key than 16 bits hold leave the rate as it is', async (t) => {
  const staleness = new Staleness({ ttls: [100], maxKeys: 8 })
  // Of 100 requests within a ttl the first one loads, and the value changes in the middle.
  for (let turn = 0; turn < 200_000; turn++) staleness.note(1, turn, Math.floor((turn + 50) / 100))
  const { rate } = staleness.forecast()[0]!
  t.ok(Math.abs(rate - 50 / 99) < 0.001, `${rate}`)
})
