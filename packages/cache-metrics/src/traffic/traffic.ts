import type { Core, RequestArm } from '@x/cache-core/suite'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { METRICS_DEFAULTS } from '../options.js'
import { Routes, type RouteTraffic } from './routes.js'

const kBegan = Symbol('@x/cache-metrics.began')
const COUNTED = -1

/** The begin of a request, in milliseconds of the cache's clock, or `COUNTED`. Not a decoration, which Fastify would set on every request. */
interface Timed { [kBegan]?: number }

type Listener = (seconds: number, route: string, arm: RequestArm) => void
/** Gets the response to a GET request that a shared cache could have answered. */
export type OnCandidate = (route: string, reply: FastifyReply, payload: unknown, now: number, seconds: number | undefined) => void

/** The requests of one app: their durations, and the number of those that a shared cache could have answered. */
export class Traffic {
  readonly #core: Core
  readonly #routes: Routes
  #listeners: readonly Listener[] = []
  /** The listener for candidates. It is called on the hot path, and must not throw. */
  onCandidate: OnCandidate | undefined

  /** @param maxRoutes number of routes with a label of their own */
  constructor (core: Core, maxRoutes = METRICS_DEFAULTS.maxRoutes) {
    this.#core = core
    this.#routes = new Routes(maxRoutes, core.registry.personal)
  }

  /** The traffic by value of the label `route`. */
  get routes (): Iterable<RouteTraffic> { return this.#routes.all() }

  /** Adds a listener for durations; returns the function that removes it. */
  listen (listener: Listener): () => void {
    this.#listeners = [...this.#listeners, listener]
    return () => { this.#listeners = this.#listeners.filter((other) => other !== listener) }
  }

  /** Measures every request of the instance, from its first hook to `onSend`. */
  watch (fastify: FastifyInstance): void {
    const traffic = this
    // Hooks of the instance, not of each route: they also run for unmatched requests, and for routes that were declared before
    // the plugin was loaded. Not onResponse: Fastify adds two listeners to every response for it, which costs more than the rest.
    fastify.addHook('onRequest', function noteBegin (request, _reply, done) {
      (request as unknown as Timed)[kBegan] = traffic.#core.registry.clock.now()
      done()
    })
    fastify.addHook('onSend', function measureRequest (request, reply, payload, done) {
      traffic.#measure(request, reply, payload)
      done()
    })
  }

  #measure (request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
    const timed = request as unknown as Timed
    const began = timed[kBegan]
    // onSend runs again for the error response when a later hook fails.
    if (began === COUNTED) return
    timed[kBegan] = COUNTED
    const route = this.#routes.of(request, this.#core.routeOf(request))
    if (route === undefined) return
    const { traffic, candidates } = route
    const now = this.#core.registry.clock.now()
    if (candidates !== 'never') {
      const { method, url } = request.raw
      if ((method === 'GET' || method === 'HEAD') && (candidates === 'always' || !this.#core.registry.personal.hasUrl(url!))) {
        traffic.candidates[method]++
        if (method === 'GET') this.onCandidate?.(traffic.label, reply, payload, now, began === undefined ? undefined : (now - began) / 1000)
      }
    }
    // An earlier hook answered the request, so its begin is not known.
    if (began === undefined) return
    const arm = this.#core.armOf(request)
    const seconds = (now - began) / 1000
    traffic.durationsOf(arm).observe(seconds)
    for (const listener of this.#listeners) listener(seconds, traffic.label, arm)
  }
}
