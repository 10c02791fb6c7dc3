import { DURATION_BUCKETS, type DurationHistogram } from '@x/cache-core/suite'
import type { RouteTraffic } from '../traffic/routes.js'

/** Returns the histograms of a route's request durations, one for each arm of the rollout. */
function durationsOf (route: RouteTraffic): DurationHistogram[] {
  return Object.values(route.durations).filter((durations) => durations !== undefined)
}

/** Returns the number of requests of a route that got a response, from the handler or from the cache. */
export function countOf (route: RouteTraffic): number {
  return durationsOf(route).reduce((sum, { count }) => sum + count, 0)
}

/** Returns the number of requests of a route that a shared cache could have answered. */
export function candidatesOf ({ candidates: { GET, HEAD } }: RouteTraffic): number {
  return GET + HEAD
}

/** A quantile of a route's request durations in seconds: the upper bound of its bucket; `undefined`: no request was measured. */
export function quantile (share: number, route: RouteTraffic): number | undefined {
  const all = durationsOf(route)
  const total = countOf(route)
  if (total === 0) return undefined
  let seen = 0
  for (const [at, bound] of DURATION_BUCKETS.entries()) {
    seen += all.reduce((sum, { counts }) => sum + counts[at]!, 0)
    if (seen >= share * total) return bound
  }
  return DURATION_BUCKETS.at(-1)
}
