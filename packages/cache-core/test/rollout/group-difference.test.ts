import t from 'tap'
import { GroupDifference } from '../../src/rollout/group-difference.js'
import { differenceOf, type Estimate } from '../../src/rollout/sequential-test.js'

const GROUPS = 40
const CAP = 0.15

interface Minute { readonly requests: number[], readonly slow: number[] }

/** Makes a minute of one cohort (groups 0 to 19) and its control groups; `share` gives the share of slow requests of a group. */
function minuteOf (share: (group: number) => number, requests: (group: number) => number = () => 100): Minute {
  const all = Array.from({ length: GROUPS }, (_, group) => requests(group))
  return { requests: all, slow: all.map((count, group) => Math.round(count * share(group))) }
}

function differenceWith (before: readonly Minute[], now: readonly Minute[]): Estimate {
  const difference = new GroupDifference(1, GROUPS, CAP)
  for (const { requests, slow } of before) difference.fold('before', requests, slow)
  for (const { requests, slow } of now) difference.fold('now', requests, slow)
  return difference.estimates().at(-1)!
}

const hour = (minute: Minute): Minute[] => new Array<Minute>(60).fill(minute)
const isCohort = (group: number): boolean => group < 20
/** Returns the share of slow requests that has a given odds ratio to another share. */
const withOdds = (share: number, ratio: number): number => share * ratio / (1 - share + share * ratio)

t.test('estimate: bursts in which all are slow are no difference', async (t) => {
  const calm = minuteOf(() => 0.05)
  const { estimate } = differenceWith(hour(calm), [...hour(calm), ...hour(minuteOf(() => 0.6)), minuteOf(() => 1)])
  t.ok(Math.abs(estimate) < 1e-9)
})

t.test('estimate: a standing difference of the sides is none in bursts, either', async (t) => {
  const standing = (share: number): Minute => minuteOf((group) => isCohort(group) ? withOdds(share, 1.3) : share, () => 1000)
  const { estimate } = differenceWith(hour(standing(0.05)), [...hour(standing(0.05)), ...hour(standing(0.4))])
  t.ok(Math.abs(estimate) < 0.03, String(estimate))
})

t.test('estimate: is about the logarithm of the odds ratio', async (t) => {
  const slower = minuteOf((group) => isCohort(group) ? withOdds(0.05, 1.4) : 0.05, () => 1000)
  const { estimate, variance, degrees } = differenceWith(hour(minuteOf(() => 0.05)), hour(slower))
  t.ok(Math.abs(estimate - Math.log(1.4)) < 0.05, String(estimate))
  t.ok(variance > 0)
  t.ok(degrees > 19 && degrees <= 39, String(degrees))
})

t.test('estimate: one group that changes, with most of the requests, is not certain', async (t) => {
  const requests = (group: number): number => group === 3 ? 20_000 : 100
  const changed = minuteOf((group) => group === 3 ? 0.1 : 0.05, requests)
  const { low } = differenceOf(differenceWith(hour(minuteOf(() => 0.05, requests)), hour(changed)), 0.001)
  t.ok(low < 0, String(low))
})

t.test('estimate: is none with too few groups, and 0 while no request is slow', async (t) => {
  const few = minuteOf(() => 0.05, (group) => isCohort(group) && group > 3 ? 0 : 100)
  t.equal(differenceWith(hour(few), hour(few)), undefined)
  const none = minuteOf(() => 0)
  t.match(differenceWith(hour(none), hour(none)), { estimate: 0, variance: 0 })
})
