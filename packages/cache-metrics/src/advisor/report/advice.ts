import { ADVICE_KINDS, verdictText, type AdviceVerdict } from './verdict-kinds.js'
import type { CurvePoint, MissingDimension, Observation, StaleForecast } from './observation.js'
import { percent, per10000 } from './figures.js'
import { perSecond } from './rate.js'
import * as remedies from './remedies.js'
import { entryBytes } from '../entry-bytes.js'

/**
 * The priority of a key pattern or route, by the loader time that a cache saves per hour: at least 360 s (`CRITICAL`), 36 s (`HIGH`), 3.6 s
 * (`MEDIUM`), or less (`LOW`).
 */
export type Priority = 'CRITICAL' | 'HIGH' | 'MEDIUM' | 'LOW'

/** The advice on caching one key pattern or route. */
export interface Advice {
  readonly kind: Observation['kind']
  readonly name: string
  /** `judgement` as text: `good`, `poor: …`, `changes when stored: …`, `unsafe: …`, or `not enough data: …`. */
  readonly verdict: string
  /** The verdict as data: its kind, its reason and its remedy. */
  readonly judgement: AdviceVerdict
  /** The priority of the advice; `undefined`: the duration of a load is not known. */
  readonly priority: Priority | undefined
  readonly requestsPerHour: number
  /** The mean duration of a load or request in seconds; `undefined`: it is not known. */
  readonly meanSeconds: number | undefined
  /** The advised ttl in seconds: the shortest one with nearly the best hit rate within the tolerance for stale hits. */
  readonly ttl: number
  readonly entries: number
  readonly hitRate: number
  /** Half the width of the 95 % confidence interval of `hitRate`. */
  readonly margin: number
  /** Loader seconds that the hits of an hour would save; `undefined`: the duration of a load is not known. */
  readonly savedSecondsPerHour: number | undefined
  /** The bytes that a cache with the advised number of entries would need; `undefined`: the mean size of the values is not known. */
  readonly memoryBytes: number | undefined
  /** The forecast of stale hits at `ttl`, without any invalidation; `undefined`: no value was compared. */
  readonly staleness: StaleForecast | undefined
  /**
   * The longest ttl in seconds whose stale hits are within the tolerance with 95 % certainty. A longer ttl may be advised, since for that
   * the estimated rate of stale hits suffices, without certainty.
   */
  readonly provenTtl: number | undefined
  readonly leak: MissingDimension | undefined
  readonly points: readonly CurvePoint[]
}

/** The limits that an operator sets for the advice. */
export interface Wishes {
  /** The tolerated share of stale hits among all hits: 0.001 is 10 in 10 000. */
  readonly staleTolerance: number
  /** The number of requests of a key pattern or route below which its verdict is `not enough data`. */
  readonly minRequests: number
}

export const DEFAULT_WISHES: Wishes = { staleTolerance: 0.001, minRequests: 200 }

/** The fraction of the best hit rate from which on a ttl with a size counts as good as the best; the shortest such ttl is advised. */
const NEARLY = 0.95
const POOR_HIT_RATE = 0.2
/** The share of responses with `Set-Cookie` above which a route is unsafe. Below that share only these responses are not stored. */
const MANY_COOKIES = 0.01
const MIN_COMPARED = 20
const MIN_STORABLE_SHARE = 0.5
const SECONDS_PER_HOUR = 3600
const PRIORITIES: ReadonlyArray<readonly [Priority, number]> = [['CRITICAL', 360], ['HIGH', 36], ['MEDIUM', 3.6], ['LOW', 0]]

/**
 * Returns the advice for each observation: key patterns first, then routes; within each kind the best verdict first, then the largest
 * saving.
 */
export function advise (observations: readonly Observation[], wishes: Wishes = DEFAULT_WISHES): Advice[] {
  return observations.map((one) => adviseOn(one, wishes))
    .sort((a, b) => a.kind.localeCompare(b.kind) || rankOf(a) - rankOf(b) || worthOf(b) - worthOf(a))
}

function adviseOn (seen: Observation, wishes: Wishes): Advice {
  const point = choose(seen, wishes.staleTolerance)
  const requestsPerHour = perSecond(seen.requests, seen.seconds) * SECONDS_PER_HOUR
  const savedSecondsPerHour = seen.meanSeconds === undefined ? undefined : requestsPerHour * point.hitRate * seen.meanSeconds
  const { meanBytes, meanKeyLength, distinct } = seen
  const judgement = judge(seen, point, wishes)
  return {
    kind: seen.kind,
    name: seen.name,
    verdict: verdictText(judgement),
    judgement,
    priority: savedSecondsPerHour === undefined ? undefined : PRIORITIES.find(([, least]) => savedSecondsPerHour >= least)![0],
    requestsPerHour,
    meanSeconds: seen.meanSeconds,
    ttl: point.ttl,
    entries: point.entries,
    hitRate: point.hitRate,
    margin: point.margin,
    savedSecondsPerHour,
    memoryBytes: meanBytes === undefined
      ? undefined
      : Math.round(Math.min(point.entries, distinct) * entryBytes(meanBytes, meanKeyLength)),
    staleness: forecastAt(seen, point.ttl),
    provenTtl: seen.provenTtl,
    leak: seen.leak,
    points: seen.points
  }
}

/**
 * Returns the point of the reuse curve with the shortest ttl and the fewest entries whose hit rate is nearly the best within the tolerance
 * for stale hits.
 */
function choose ({ points, staleness }: Observation, tolerance: number): CurvePoint {
  const allowed = points.filter(({ ttl }) => isFreshEnough(staleness, ttl, tolerance))
  // If no ttl is within the tolerance, the shortest ttl is shown, and the verdict has the reason.
  const shortest = Math.min(...points.map(({ ttl }) => ttl))
  const candidates = allowed.length > 0 ? allowed : points.filter(({ ttl }) => ttl === shortest)
  const best = Math.max(...candidates.map(({ hitRate }) => hitRate))
  const nearly = candidates.filter(({ hitRate }) => hitRate >= best * NEARLY)
  return nearly.reduce((one, other) => other.ttl < one.ttl || (other.ttl === one.ttl && other.entries < one.entries) ? other : one)
}

/** Whether the forecast rate of stale hits is within the tolerance at a ttl and all shorter ones; `true` if no value was compared. */
function isFreshEnough (staleness: readonly StaleForecast[], ttl: number, tolerance: number): boolean {
  return staleness.every((forecast) => forecast.ttl > ttl || forecast.rate <= tolerance)
}

function forecastAt ({ staleness }: Observation, ttl: number): StaleForecast | undefined {
  return staleness.find((forecast) => forecast.ttl === ttl)
}

function judge (seen: Observation, point: CurvePoint, wishes: Wishes): AdviceVerdict {
  const { requests, leak, change, isNoise, cookieShare, oneHitShare, staleness, compared, storableShare } = seen
  const { minRequests, staleTolerance } = wishes
  // A key leak is reported even below `minRequests`, since the test that proves it (see `KeyLeak`) is valid for any number of requests.
  if (leak !== undefined) return { kind: 'unsafe', reason: `differs by ${leak.dimension}`, remedy: remedies.leak(seen, leak.dimension) }
  if (cookieShare > MANY_COOKIES) return { kind: 'unsafe', reason: `Set-Cookie on ${percent(cookieShare)} of the responses`, remedy: remedies.cookies }
  if (change !== undefined) return { kind: 'changes when stored', reason: change, remedy: remedies.plain }
  if (requests < minRequests) return { kind: 'not enough data', reason: `${requests} requests of ${minRequests}`, remedy: remedies.requests(seen, minRequests) }
  if (storableShare !== undefined && storableShare < MIN_STORABLE_SHARE) {
    const reason = `${percent(storableShare)} of ${seen.kind === 'route' ? 'the responses' : 'what is loaded'} may be stored`
    return { kind: 'poor', reason, remedy: remedies.storable(seen) }
  }
  if (isNoise) return { kind: 'poor', reason: 'the value is another one on every load', remedy: remedies.noise }
  if (!isFreshEnough(staleness, point.ttl, staleTolerance)) {
    const { rate } = forecastAt(seen, point.ttl)!
    return { kind: 'poor', reason: `at ${point.ttl} s, ${per10000(rate)} hits would be stale`, remedy: remedies.stale(rate) }
  }
  if (point.hitRate < POOR_HIT_RATE) {
    return { kind: 'poor', reason: oneHitShare > 0.5 ? `${percent(oneHitShare)} one-hit keys` : `${percent(point.hitRate)} hits`, remedy: remedies.hits(POOR_HIT_RATE) }
  }
  if (compared !== undefined && compared < MIN_COMPARED) {
    return { kind: 'not enough data', reason: `${compared} values compared of ${MIN_COMPARED}`, remedy: remedies.compared(MIN_COMPARED - compared) }
  }
  return { kind: 'good', remedy: remedies.good(POOR_HIT_RATE, staleTolerance) }
}

function rankOf ({ judgement }: Advice): number {
  return ADVICE_KINDS.indexOf(judgement.kind)
}

/** The loader seconds that the hits of an hour save; a load of unknown duration counts as one second. */
function worthOf ({ savedSecondsPerHour, requestsPerHour, hitRate }: Advice): number {
  return savedSecondsPerHour ?? requestsPerHour * hitRate
}
