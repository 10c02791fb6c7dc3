import type { CacheRegistry } from '@x/cache-core'
import { EdgeCounts } from '../traffic/edge-counts.js'
import type { RouteTraffic } from '../traffic/routes.js'
import type { Traffic } from '../traffic/traffic.js'
import type { GateNumbers } from './report/go-no-go-gates.js'
import { candidatesOf, countOf, quantile } from './route-numbers.js'
import type { LoadObservation } from './route-observation.js'

/** The counts of an app at the beginning of the observation, which are subtracted from later counts. */
interface Baseline {
  readonly reads: ReadonlyMap<string, number>
  readonly routes: ReadonlyMap<string, RouteCounts>
  readonly edgeCandidates: number
  readonly etagMatches: number
}

/** The requests of a route, and those of them that a shared cache could have answered. */
interface RouteCounts { readonly requests: number; readonly candidates: number }

const NO_REQUESTS: RouteCounts = { requests: 0, candidates: 0 }

/** The numbers of an app that the report needs besides the observations, read from the statistics of its cache and its traffic. */
export class AppNumbers {
  readonly #cache: CacheRegistry
  readonly #traffic: Traffic
  #baseline: Baseline = { reads: new Map(), routes: new Map(), edgeCandidates: 0, etagMatches: 0 }

  constructor (cache: CacheRegistry, traffic: Traffic) {
    this.#cache = cache
    this.#traffic = traffic
  }

  /** Begins the observation: earlier counts are subtracted from then on. */
  begin (): void {
    const { candidates, etagMatches } = EdgeCounts.of(this.#cache)
    const routes = new Map([...this.#traffic.routes].map((route) => [route.label, countsOf(route)]))
    this.#baseline = { reads: this.#reads(), routes, edgeCandidates: candidates, etagMatches }
  }

  /** The counts of the app for the go/no-go gates; the quantile of a route is that of all its requests to this process. */
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

  /** The loads of a key pattern: their duration, the share of misses that is storable, and the change that JSON makes to the values. */
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
      change: doubts.changeIn(pattern)
    }
  }

  /** The number of cache reads by key pattern, since the cache was created. */
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
