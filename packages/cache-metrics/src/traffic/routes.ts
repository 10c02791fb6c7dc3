import { DurationHistogram, OTHER, type PersonalPaths, type RequestArm, type RouteMark } from '@x/cache-core/suite'
import type { FastifyRequest } from 'fastify'

/** The value of the label `route` for requests that match no route. */
export const UNMATCHED = 'unmatched'

/** The property in a route's `config` that marks a route of the suite itself; requests to it are not traffic of the app. */
export const kOwnRoute = Symbol.for('@x/cache-metrics.ownRoute')

// Matches `/internal/cache`, the status page of the core, and all paths under it, with any prefix of the Fastify instance.
const INTERNAL = /\/internal\/cache(?:\/|$)/

type RouteConfig = FastifyRequest['routeOptions']['config'] & { [kOwnRoute]?: boolean }

/** The traffic of all routes that share one value of the label `route`. */
export class RouteTraffic {
  /** The number of requests that the app answered and a shared cache could have answered instead, by method. */
  readonly candidates = { GET: 0, HEAD: 0 }
  readonly durations: Record<RequestArm, DurationHistogram | undefined> = { cached: undefined, control: undefined, none: undefined }
  /** Failed requests by arm: those with a status of 500 or more, or without a response when the connection ended after 5 s or more. */
  readonly failures: Record<RequestArm, number> = { cached: 0, control: 0, none: 0 }
  constructor (readonly label: string) {}

  durationsOf (arm: RequestArm): DurationHistogram {
    return (this.durations[arm] ??= new DurationHistogram())
  }
}

/** One route of the app: its traffic, and which of its requests a shared cache could answer. */
export interface MeasuredRoute {
  readonly traffic: RouteTraffic
  /**
   * Whether a shared cache could answer requests of the route (candidates). `by-url`: the pattern of the route is not personal, but the URL
   * of a request may be personal.
   */
  readonly candidates: 'never' | 'by-url' | 'always'
}

/**
 * The routes of an app, by their `RouteMark` or, without a mark, by their `config`. The first `max` routes get a label of their own; later
 * routes share the label `other`.
 */
export class Routes {
  readonly #max: number
  readonly #personal: PersonalPaths
  readonly #known = new Map<object, MeasuredRoute | undefined>()
  readonly #labelled = new Map<string, RouteTraffic>()
  readonly #other = new RouteTraffic(OTHER)
  readonly #unmatched = new RouteTraffic(UNMATCHED)

  constructor (max: number, personal: PersonalPaths) {
    this.#max = max
    this.#personal = personal
  }

  /** The measured traffic of all routes, one object per value of the label `route`. */
  * all (): Iterable<RouteTraffic> {
    yield * this.#labelled.values()
    yield this.#other
    yield this.#unmatched
  }

  /** Returns the measured route of a request; `undefined` for a route of the suite itself. */
  of (request: FastifyRequest, mark: RouteMark | undefined): MeasuredRoute | undefined {
    const key = mark ?? request.routeOptions.config
    const route = this.#known.get(key)
    return route === undefined && !this.#known.has(key) ? this.#meet(key, request.routeOptions.config) : route
  }

  // A route is judged at its first request, not when it is declared: at the first request all plugins have declared their personal paths.
  #meet (key: object, config: RouteConfig): MeasuredRoute | undefined {
    const pattern = config.url as string | undefined
    const route = pattern === undefined
      ? { traffic: this.#unmatched, candidates: 'never' } as const
      : config[kOwnRoute] === true || INTERNAL.test(pattern)
        ? undefined
        : { traffic: this.#labelledBy(pattern), candidates: this.#judge(pattern) }
    this.#known.set(key, route)
    return route
  }

  #labelledBy (pattern: string): RouteTraffic {
    const label = pattern === '' ? '/' : pattern
    let traffic = this.#labelled.get(label)
    if (traffic === undefined) {
      if (this.#labelled.size >= this.#max) return this.#other
      this.#labelled.set(label, traffic = new RouteTraffic(label))
    }
    return traffic
  }

  #judge (pattern: string): MeasuredRoute['candidates'] {
    if (this.#personal.hasRoute(pattern)) return 'never'
    return pattern.includes(':') || pattern.includes('*') ? 'by-url' : 'always'
  }
}
