import { DurationHistogram, OTHER, type PersonalPaths, type RequestArm, type RouteMark } from '@x/cache-core/suite'
import type { FastifyRequest } from 'fastify'

/** The label of requests that no route answers. */
export const UNMATCHED = 'unmatched'

/** In the `config` of a route: it belongs to the suite and is not traffic of the app. */
export const kOwnRoute = Symbol.for('@x/cache-metrics.ownRoute')

// The status of the core and all that lies under it, whatever the prefix of the instance.
const INTERNAL = /\/internal\/cache(?:\/|$)/

type RouteConfig = FastifyRequest['routeOptions']['config'] & { [kOwnRoute]?: boolean }

/** What was seen under one label. */
export class RouteTraffic {
  /** Answered requests that a shared cache could have answered, by method. */
  readonly candidates = { GET: 0, HEAD: 0 }
  readonly durations: Record<RequestArm, DurationHistogram | undefined> = { cached: undefined, control: undefined, none: undefined }
  constructor (readonly label: string) {}

  durationsOf (arm: RequestArm): DurationHistogram {
    return (this.durations[arm] ??= new DurationHistogram())
  }
}

/** One route of the app. */
export interface MeasuredRoute {
  readonly traffic: RouteTraffic
  /** `by-url`: its pattern is not personal, but what stands for a parameter may be. */
  readonly candidates: 'never' | 'by-url' | 'always'
}

/** Routes by their mark or, without one, by their `config`; with a bounded number of labels: first asked for, first served, the rest is `other`. */
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

  /** Everything that was seen, label by label. */
  * all (): Iterable<RouteTraffic> {
    yield * this.#labelled.values()
    yield this.#other
    yield this.#unmatched
  }

  /** The route of a request; `undefined` is one of the suite itself. */
  of (request: FastifyRequest, mark: RouteMark | undefined): MeasuredRoute | undefined {
    const key = mark ?? request.routeOptions.config
    const route = this.#known.get(key)
    return route === undefined && !this.#known.has(key) ? this.#meet(key, request.routeOptions.config) : route
  }

  // At the first request and not as the route is declared: by then every plugin has said what is personal.
  #meet (key: object, config: RouteConfig): MeasuredRoute | undefined {
    const pattern = config.url as string | undefined
    const route = pattern === undefined
      ? { traffic: this.#unmatched, candidates: 'never' } as const
      : config[kOwnRoute] === true || INTERNAL.test(pattern) ? undefined : { traffic: this.#labelledBy(pattern), candidates: this.#judge(pattern) }
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
