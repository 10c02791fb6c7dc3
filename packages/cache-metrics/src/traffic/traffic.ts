import type { Core, RequestArm } from '@x/cache-core/suite'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { METRICS_DEFAULTS } from '../options.js'
import { Arms } from './arms.js'
import { Routes, type MeasuredRoute, type RouteTraffic } from './routes.js'

type Listener = (seconds: number, route: string, arm: RequestArm) => void
/**
 * Receives the response to a GET request that a shared cache could have answered; `endedAt`: the end of the request, as a reading of
 * `readStopwatch`.
 */
export type OnCandidate = (route: string, reply: FastifyReply, payload: unknown, milliseconds: number | undefined, endedAt: number) => void

/** The requests of one app: their durations, and the number of requests that a shared cache could have answered. */
export class Traffic {
  readonly #core: Core
  readonly #routes: Routes
  /** The measurements of both arms of the rollout. */
  readonly arms: Arms
  #listeners: readonly Listener[] = []
  /** The listener for GET requests that a shared cache could have answered. It is called during each such request, and must not throw. */
  onCandidate: OnCandidate | undefined
  /** Returns the advisor's estimated hit rates by key pattern; `undefined` while no advisor observes. */
  advisedHitRates: (() => ReadonlyMap<string, number>) | undefined

  /**
   * Creates the counts of one app; its method `watch` adds the hooks that count requests.
   * @param maxRoutes the maximum number of routes with a label of their own
   */
  constructor (core: Core, maxRoutes = METRICS_DEFAULTS.maxRoutes) {
    this.#core = core
    this.#routes = new Routes(maxRoutes, core.registry.personal)
    this.arms = new Arms(core.registry)
  }

  /** The measured traffic of all routes, one object per value of the label `route`. */
  get routes (): Iterable<RouteTraffic> { return this.#routes.all() }

  /** Adds a listener for the durations of the app's requests; returns the function that removes the listener. */
  listen (listener: Listener): () => void {
    this.#listeners = [...this.#listeners, listener]
    return () => { this.#listeners = this.#listeners.filter((other) => other !== listener) }
  }

  /**
   * Counts every request of the Fastify instance, from its first hook to `onSend`, or to the end of its connection if there is no
   * response.
   */
  watch (fastify: FastifyInstance): void {
    this.#core.measurements.of(fastify).listen({
      answered: (reply, milliseconds, payload, endedAt) => this.#noteAnswered(reply, milliseconds, payload, endedAt),
      unanswered: ({ request }, milliseconds, hasFailed) => {
        const route = this.#routes.of(request, this.#core.routeOf(request))
        if (route !== undefined) this.#count(request, route, milliseconds, hasFailed)
      }
    })
  }

  #noteAnswered (reply: FastifyReply, milliseconds: number | undefined, payload: unknown, endedAt: number): void {
    const { request } = reply
    const route = this.#routes.of(request, this.#core.routeOf(request))
    if (route === undefined) return
    const { traffic, candidates } = route
    if (candidates !== 'never') {
      const { method, url } = request.raw
      if ((method === 'GET' || method === 'HEAD') && (candidates === 'always' || !this.#core.registry.personal.hasUrl(url!))) {
        traffic.candidates[method]++
        if (method === 'GET') this.onCandidate?.(traffic.label, reply, payload, milliseconds, endedAt)
      }
    }
    if (milliseconds !== undefined) this.#count(request, route, milliseconds, reply.statusCode >= 500)
  }

  #count (request: FastifyRequest, { traffic }: MeasuredRoute, milliseconds: number, failed: boolean): void {
    const arm = this.#core.armOf(request)
    const seconds = milliseconds / 1000
    traffic.durationsOf(arm).observe(seconds)
    if (failed) traffic.failures[arm]++
    const bucket = this.#core.requests.bucketOf(request)
    if (bucket !== undefined && arm !== 'none') this.arms.count(traffic.label, arm, bucket, milliseconds, failed)
    for (const listener of this.#listeners) listener(seconds, traffic.label, arm)
  }
}
