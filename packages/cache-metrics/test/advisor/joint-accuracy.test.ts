import t from 'tap'
import { jointParts } from '../../src/advisor/accesses/joint.js'
import type { Observation } from '../../src/advisor/report/observation.js'
import { Processes } from '../fixtures/processes.js'
import { atRate, random, zipf } from '../fixtures/streams.js'
import { exactMissRatesOf, withWrites, type Step } from '../fixtures/writes.js'

t.setTimeout(600_000)

const TTLS = [1, 10, 60, 300, 3600]
const ENTRIES = [100, 1000, 5000, 20_000]
const SEEDS = Number(process.env.SEEDS ?? 3)
const WORST = 0.02
/** The maximum mean error for a longer stream, of whose accesses the rings contain only a part. */
const LONG_MEAN = 0.01
const LONG_WORST = 0.04

function exactOf (steps: readonly Step[], countedFrom = 0): Map<string, number> {
  return new Map(ENTRIES.flatMap((entries) => exactMissRatesOf(steps, TTLS, entries, countedFrom).map((missRate, at) => [`${TTLS[at]} ${entries}`, 1 - missRate] as const)))
}

/** Gives each step to a random process, as a load balancer does, and returns the joint estimate. */
async function joint (steps: readonly Step[], count: number, options: ConstructorParameters<typeof Processes>[2]): Promise<Observation> {
  const processes = new Processes(count, { ttls: TTLS, entries: ENTRIES }, options)
  const next = random(options?.seed ?? 0)
  for (const step of steps) processes.note(Math.floor(next() * count), step)
  return (await jointParts(processes.states(), 0.001)).observations[0]!
}

function errorsOf ({ points }: Observation, exact: ReadonlyMap<string, number>): [mean: number, worst: number] {
  const errors = points.map(({ ttl, entries, hitRate }) => Math.abs(hitRate - exact.get(`${ttl} ${entries}`)!))
  return [errors.reduce((sum, error) => sum + error, 0) / errors.length, Math.max(...errors)]
}

for (const [share, write] of [[0, 'del'], [0.1, 'del'], [0.1, 'tag'], [0.1, 'group']] as const) {
  t.test(`joint: four processes foretell within ${WORST} of an exact simulation of the joint stream: ${share * 100} % ${write}, ${SEEDS} seeds`, async (t) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const steps = withWrites(atRate([50, 500][seed % 2]!, zipf(seed, 0.9, 10_000, 40_000)), share, write, seed)
      const [mean, worst] = errorsOf(await joint(steps, 4, { seed }), exactOf(steps))
      const figures = `seed ${seed}: mean ${mean.toFixed(4)}, worst ${worst.toFixed(4)}`
      t.comment(figures)
      t.ok(worst <= WORST, figures)
    }
  })
}

t.test(`joint: with rings that hold a part of a stream, on average within ${LONG_MEAN} and at worst ${LONG_WORST}`, async (t) => {
  const means: number[] = []
  for (let seed = 1; seed <= SEEDS; seed++) {
    const steps = withWrites(atRate(200, zipf(seed, 0.9, 20_000, 200_000)), 0.05, 'tag', seed)
    const [mean, worst] = errorsOf(await joint(steps, 4, { seed, max: 8000 }), exactOf(steps, 100_000))
    const figures = `seed ${seed}: mean ${mean.toFixed(4)}, worst ${worst.toFixed(4)}`
    t.comment(figures)
    means.push(mean)
    t.ok(worst <= LONG_WORST, figures)
  }
  const mean = means.reduce((sum, each) => sum + each, 0) / means.length
  t.ok(mean <= LONG_MEAN, String(mean))
})

t.test('joint: the estimate of one of four processes alone is another one', async (t) => {
  const steps = atRate(50, zipf(1, 0.9, 10_000, 40_000))
  const alone = steps.filter((_step, at) => at % 4 === 0)
  const [, worst] = errorsOf(await joint(alone, 1, {}), exactOf(steps))
  t.ok(worst > 0.05, String(worst))
})
