import type { CacheRegistry } from '@x/cache-core'
import { armSentence, CONTROL_LABEL, LatencySketch, type ArmMeasurement, type Stats } from '@x/cache-core/suite'
import { wilson } from '../advisor/staleness/ratio-interval.js'

/**
 * The number of groups into which subjects are divided for comparing both arms. A confidence interval needs the spread between groups; the
 * number is small, since each group has a latency sketch of 2 KiB.
 */
const GROUPS = 10
/** The number of requests of an arm below which a route or key pattern is left out, since its numbers would depend on chance. */
const MIN_REQUESTS = 20

type Arm = 'cached' | 'control'

declare module '@x/cache-core' {
  interface CacheStatus {
    /** The measurements of both arms of the rollout, by route and key pattern; absent while an arm has too few requests. */
    arms?: ArmsReport | undefined
  }
}

/** A rate between 0 and 1, with its 95 % confidence interval for independent trials. */
export interface ShareInterval { readonly rate: number; readonly low: number; readonly high: number }

/** The measurements of a route in one arm. Percentiles are in milliseconds. */
export interface RouteArm {
  readonly requests: number
  /** The share of requests that failed: with a status of 500 or more, or with no response when the connection ended after 5 s or more. */
  readonly failures: ShareInterval
  readonly p50: number | undefined
  readonly p95: number | undefined
  readonly p99: number | undefined
}

/** The measurements of a key pattern in one arm. */
export interface PatternArm {
  readonly reads: number
  readonly hits: ShareInterval
  /** The number of loads of the key pattern in the arm; `loadsPerRead` is their number per read. */
  readonly loads: number
  readonly loadsPerRead: number
}

/** Both arms of one route or key pattern; `sentence` describes their difference. */
export interface ArmsRow<T> { readonly name: string; readonly sentence: string; readonly cached: T; readonly control: T }

/** Both arms of a rollout as one process measured them since the percent last changed. */
export interface ArmsReport {
  readonly percent: number
  /** Seconds since the percent of cached subjects last changed. */
  readonly seconds: number
  /** The difference of the arms over all requests that used `request.cache`, as a sentence. */
  readonly sentence: string
  readonly routes: readonly ArmsRow<RouteArm>[]
  readonly patterns: readonly ArmsRow<PatternArm>[]
}

/** The counts of requests to one route in one arm. */
class ArmRequests {
  requests = 0
  failures = 0
  readonly groups = Array.from({ length: GROUPS }, () => undefined as LatencySketch | undefined)

  add (bucket: number, milliseconds: number, failed: boolean): void {
    this.requests++
    if (failed) this.failures++
    const sketch = (this.groups[bucket % GROUPS] ??= new LatencySketch())
    sketch.add(milliseconds)
  }

  get sketches (): LatencySketch[] { return this.groups.filter((sketch) => sketch !== undefined) }

  shown (): RouteArm {
    const all = new LatencySketch()
    for (const sketch of this.sketches) all.merge(sketch)
    const { requests, failures } = this
    return { requests, failures: shareOf(failures, requests), p50: all.quantile(0.5), p95: all.quantile(0.95), p99: all.quantile(0.99) }
  }
}

interface PatternCounts { reads: number; hits: number; loads: number }
type ByArm<T> = Record<Arm, T>
type CountsByArm = Map<string, Partial<ByArm<PatternCounts>>>

/**
 * Compares the arms of a rollout within one process. Counting begins anew when the percent changes: before and after the change the arms
 * consist of different subjects.
 */
export class Arms {
  readonly #cache: CacheRegistry
  #routes = new Map<string, ByArm<ArmRequests>>()
  #before: CountsByArm
  #limit: number
  #percents: object
  #since: number

  constructor (cache: CacheRegistry) {
    this.#cache = cache
    this.#limit = cache.rollout.limit
    this.#percents = cache.rollout.patterns
    this.#since = cache.clock.now()
    this.#before = countsByArm(cache.stats)
  }

  /** Counts a request for which the bucket of the subject is known. */
  count (route: string, arm: Arm, bucket: number, milliseconds: number, failed: boolean): void {
    this.#follow()
    let arms = this.#routes.get(route)
    if (arms === undefined) this.#routes.set(route, arms = { cached: new ArmRequests(), control: new ArmRequests() })
    arms[arm].add(bucket, milliseconds, failed)
  }

  /**
   * Returns the measurements of both arms; routes and key patterns with the most requests come first. `undefined`: an arm has too few
   * requests.
   */
  report (): ArmsReport | undefined {
    this.#follow()
    const routes = [...this.#routes].map(([name, arms]) => ({ name, ...arms }))
    const isEnough = (arm: Arm): boolean => routes.reduce((sum, route) => sum + route[arm].requests, 0) >= MIN_REQUESTS
    if (!isEnough('cached') || !isEnough('control')) return undefined
    const patterns = [...countsByArm(this.#cache.stats)].map(([name, now]) => ({ name, ...this.#sinceChange(name, now) }))
    const measured = (arm: Arm): ArmMeasurement => measurementOf(routes.map((route) => route[arm]), patterns.map((pattern) => pattern[arm]))
    const [cached, control] = [measured('cached'), measured('control')]
    return {
      percent: this.#cache.rollout.percent,
      seconds: (this.#cache.clock.now() - this.#since) / 1000,
      sentence: armSentence(cached, control),
      routes: routes.filter((route) => route.cached.requests >= MIN_REQUESTS && route.control.requests >= MIN_REQUESTS)
        .sort((one, other) => sizeOf(other, 'requests') - sizeOf(one, 'requests'))
        .map((route) => ({
          name: route.name,
          sentence: armSentence(measurementOf([route.cached], []), measurementOf([route.control], []), ['latency', 'errors']),
          cached: route.cached.shown(),
          control: route.control.shown()
        })),
      patterns: patterns.filter((pattern) => pattern.cached.reads >= MIN_REQUESTS && pattern.control.reads >= MIN_REQUESTS)
        .sort((one, other) => sizeOf(other, 'reads') - sizeOf(one, 'reads'))
        .map((pattern) => ({
          name: pattern.name,
          sentence: armSentence(measurementOf([], [pattern.cached]), measurementOf([], [pattern.control]), ['loads']),
          cached: shownPattern(pattern.cached),
          control: shownPattern(pattern.control)
        }))
    }
  }

  /** Resets the counts of both arms to zero if the percent of cached subjects has changed. */
  #follow (): void {
    const { limit, patterns } = this.#cache.rollout
    if (limit === this.#limit && patterns === this.#percents) return
    this.#limit = limit
    this.#percents = patterns
    this.#since = this.#cache.clock.now()
    this.#routes = new Map()
    this.#before = countsByArm(this.#cache.stats)
  }

  #sinceChange (name: string, now: Partial<ByArm<PatternCounts>>): ByArm<PatternCounts> {
    const before = this.#before.get(name)
    const minus = (arm: Arm): PatternCounts => {
      const [later, earlier] = [now[arm] ?? noCounts(), before?.[arm] ?? noCounts()]
      return { reads: later.reads - earlier.reads, hits: later.hits - earlier.hits, loads: later.loads - earlier.loads }
    }
    return { cached: minus('cached'), control: minus('control') }
  }
}

/**
 * Returns the reads, hits and loads since the start of the process, by key pattern and arm; an arm without counters is missing. The counts
 * of all implementations that were in service are added in the cached arm.
 */
export function countsByArm ({ impls }: Stats): CountsByArm {
  const patterns: CountsByArm = new Map()
  for (const { label, counters } of impls.values()) {
    const arm = label === CONTROL_LABEL ? 'control' : 'cached'
    for (const { keyPattern, hits, misses, loaded } of counters.values()) {
      let arms = patterns.get(keyPattern)
      if (arms === undefined) patterns.set(keyPattern, arms = {})
      const counts = (arms[arm] ??= noCounts())
      counts.reads += hits + misses
      counts.hits += hits
      counts.loads += loaded
    }
  }
  return patterns
}

function sizeOf<Name extends string> ({ cached, control }: ByArm<Record<Name, number>>, name: Name): number {
  return cached[name] + control[name]
}

function noCounts (): PatternCounts {
  return { reads: 0, hits: 0, loads: 0 }
}

/** Returns the summed measurements of one arm, with one latency sketch per group of subjects. */
function measurementOf (routes: readonly ArmRequests[], patterns: readonly PatternCounts[]): ArmMeasurement {
  const sketches = Array.from({ length: GROUPS }, (_, group) => {
    const sum = new LatencySketch()
    for (const { groups: { [group]: sketch } } of routes) if (sketch !== undefined) sum.merge(sketch)
    return sum
  }).filter(({ total }) => total > 0)
  const sum = (counts: readonly number[]): number => counts.reduce((one, other) => one + other, 0)
  return {
    sketches,
    requests: sum(routes.map(({ requests }) => requests)),
    failures: sum(routes.map(({ failures }) => failures)),
    reads: sum(patterns.map(({ reads }) => reads)),
    loads: sum(patterns.map(({ loads }) => loads))
  }
}

function shownPattern ({ reads, hits, loads }: PatternCounts): PatternArm {
  return { reads, hits: shareOf(hits, reads), loads, loadsPerRead: loads / reads }
}

function shareOf (count: number, total: number): ShareInterval {
  const rate = count / total
  return { rate, ...wilson(rate, total) }
}
