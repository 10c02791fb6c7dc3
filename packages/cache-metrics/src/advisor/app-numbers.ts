import type { CacheRegistry } from '@x/cache-core'
import { EdgeCounts } from '../traffic/edge-counts.js'
import type { RouteTraffic } from '../traffic/routes.js'
import type { Traffic } from '../traffic/traffic.js'
import type { GateNumbers } from './report/go-no-go-gates.js'
import { candidatesOf, countOf, quantile } from './route-numbers.js'
import type { LoadObservation } from './route-observation.js'

/** The counts of an app when the observation began; they are subtracted from later counts. */
interface Baseline {
  readonly reads: ReadonlyMap<string, number>
  readonly routes: ReadonlyMap<string, RouteCounts>
  readonly edgeCandidates: number
  readonly etagMatches: number
}

/** The number of requests of a route; `candidates`: those that a shared cache could have answered. */
interface RouteCounts { readonly requests: number; readonly candidates: number }

const NO_REQUESTS: RouteCounts = { requests: 0, candidates: 0 }

/**
 * The numbers of an app that the report contains in addition to the observations. They are read from the statistics of the app's cache and
 * traffic.
 */
export class AppNumbers {
  readonly #cache: CacheRegistry
  readonly #traffic: Traffic
  #baseline: Baseline = { reads: new Map(), routes: new Map(), edgeCandidates: 0, etagMatches: 0 }

  constructor (cache: CacheRegistry, traffic: Traffic) {
    this.#cache = cache
    this.#traffic = traffic
  }

  /** Begins the observation: the present counts are subtracted from all later counts. */
  begin (): void {
    const { candidates, etagMatches } = EdgeCounts.of(this.#cache)
    const routes = new Map([...this.#traffic.routes].map((route) => [route.label, countsOf(route)]))
    this.#baseline = { reads: this.#reads(), routes, edgeCandidates: candidates, etagMatches }
  }

  /** Returns the counts of the app for the go/no-go gates. A route's p95 includes requests from before the observation. */
  ofGates (): Omit<GateNumbers, 'seconds' | 'source'> {
    const { candidates, etagMatches } = EdgeCounts.of(this.#cache)
    const routes = [...this.#traffic.routes].map((route) => {
      const { requests, candidates } = countsOf(route)
      const before = this.#baseline.routes.get(route.label) ?? NO_REQUESTS
      return { route, requests: requests - before.requests, candidates: candidates - before.candidates }
    })
    return {
      candidates: routes.reduce((sum, { candidates }) => sum + candidates, 0),
      edgeCandidates: candidates - this.#baseline.edgeCandidates,
      etagMatches: etagMatches - this.#baseline.etagMatches,
      requests: routes.reduce((sum, { requests }) => sum + requests, 0),
      routes: routes.filter(({ candidates }) => candidates > 0)
        .map(({ route, candidates }) => ({ name: route.label, requests: candidates, p95Seconds: quantile(0.95, route) })),
      patterns: [...this.#reads()].map(([name, count]) => ({ name, requests: count - (this.#baseline.reads.get(name) ?? 0) }))
    }
  }

  /**
   * Returns the numbers about the loads of a key pattern: their duration, the share of misses whose values may be stored, and a change that
   * JSON makes to the values.
   */
  loadsOf (pattern: string): LoadObservation {
    const { doubts, stats: { impls, loads } } = this.#cache
    let misses = 0
    let sets = 0
    for (const { counters } of impls.values()) {
      misses += counters.get(pattern)?.misses ?? 0
      sets += counters.get(pattern)?.sets ?? 0
    }
    const succeeded = loads.get(pattern)?.succeeded
    return {
      meanSeconds: succeeded === undefined || succeeded.count === 0 ? undefined : succeeded.sum / succeeded.count,
      storableShare: misses === 0 ? undefined : Math.min(1, sets / misses),
      change: doubts.changeIn(pattern),
      isChecked: doubts.hasChecked(pattern)
    }
  }

  /** Returns the number of cache reads by key pattern since the cache was created. */
  #reads (): Map<string, number> {
    const reads = new Map<string, number>()
    for (const { counters } of this.#cache.stats.impls.values()) {
      for (const { keyPattern, hits, misses } of counters.values()) reads.set(keyPattern, (reads.get(keyPattern) ?? 0) + hits + misses)
    }
    return reads
  }
}

function countsOf (route: RouteTraffic): RouteCounts {
  return { requests: countOf(route), candidates: candidatesOf(route) }
}
