import { FAILED_AFTER_MS, PendingRequests, readStopwatch, type Core, type RequestArm } from '@x/cache-core/suite'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { METRICS_DEFAULTS } from '../options.js'
import { Arms } from './arms.js'
import { Routes, type MeasuredRoute, type RouteTraffic } from './routes.js'

const kBegan = Symbol('@x/cache-metrics.began')
const COUNTED = -1

/**
 * A request with the time at which it began, in milliseconds of `readStopwatch`; the value `COUNTED` once it was counted. The time is no
 * request decorator, since Fastify would set a decorator on every request.
 */
interface Timed { [kBegan]?: number }

type Listener = (seconds: number, route: string, arm: RequestArm) => void
/** Receives the response to a GET request that a shared cache could have answered. */
export type OnCandidate = (route: string, reply: FastifyReply, payload: unknown, seconds: number | undefined) => void

/** The requests of one app: their durations, and the number of requests that a shared cache could have answered. */
export class Traffic {
  readonly #core: Core
  readonly #routes: Routes
  /** Both arms of the rollout. */
  readonly arms: Arms
  #listeners: readonly Listener[] = []
  /** The listener for GET requests that a shared cache could have answered. It is called during each such request, and must not throw. */
  onCandidate: OnCandidate | undefined

  /**
   * Creates the counts of one app; `watch` adds the hooks that count.
   * @param maxRoutes the maximum number of routes with a label of their own
   */
  constructor (core: Core, maxRoutes = METRICS_DEFAULTS.maxRoutes) {
    this.#core = core
    this.#routes = new Routes(maxRoutes, core.registry.personal)
    this.arms = new Arms(core.registry)
  }

  /** The traffic of all routes, one object per value of the label `route`. */
  get routes (): Iterable<RouteTraffic> { return this.#routes.all() }

  /** Adds a listener for the durations of requests; returns the function that removes the listener. */
  listen (listener: Listener): () => void {
    this.#listeners = [...this.#listeners, listener]
    return () => { this.#listeners = this.#listeners.filter((other) => other !== listener) }
  }

  /**
   * Measures every request of the Fastify instance, from its first hook to `onSend`, or to the end of its connection if there is no
   * response.
   */
  watch (fastify: FastifyInstance): void {
    const traffic = this
    const pending = new PendingRequests(() => this.#core.registry.clock, (reply, seenAt) => this.#measureUnanswered(reply, seenAt))
    fastify.addHook('onClose', async function endMeasurement () { pending.close() })
    // The hooks belong to the instance, not to each route. Hooks of the instance also run for unmatched requests, and for routes that were
    // declared before the plugin was loaded. `onResponse` is not used: for this hook Fastify adds two listeners to every response, which
    // costs more than the other hooks.
    fastify.addHook('onRequest', function noteBegin (request, reply, done) {
      (request as unknown as Timed)[kBegan] = readStopwatch(traffic.#core.registry.clock)
      pending.begin(reply)
      done()
    })
    fastify.addHook('onSend', function measureRequest (request, reply, payload, done) {
      pending.answer(reply)
      traffic.#measure(request, reply, payload)
      done()
    })
  }

  #measure (request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
    const timed = request as unknown as Timed
    const began = timed[kBegan]
    // Each request is counted once, although `onSend` runs again for the error response when a later hook fails.
    if (began === COUNTED) return
    timed[kBegan] = COUNTED
    const route = this.#routes.of(request, this.#core.routeOf(request))
    if (route === undefined) return
    const { traffic, candidates } = route
    const now = readStopwatch(this.#core.registry.clock)
    if (candidates !== 'never') {
      const { method, url } = request.raw
      if ((method === 'GET' || method === 'HEAD') && (candidates === 'always' || !this.#core.registry.personal.hasUrl(url!))) {
        traffic.candidates[method]++
        if (method === 'GET') this.onCandidate?.(traffic.label, reply, payload, began === undefined ? undefined : (now - began) / 1000)
      }
    }
    // If a hook that ran earlier has answered the request, the time of its begin is unknown and its duration is not measured.
    if (began !== undefined) this.#count(request, route, now - began, reply.statusCode >= 500)
  }

  /** Counts a request whose connection ended before its response, such as one that hangs. */
  #measureUnanswered ({ request }: FastifyReply, seenAt: number): void {
    const timed = request as unknown as Timed
    const milliseconds = seenAt - timed[kBegan]!
    if (milliseconds <= 0) return
    timed[kBegan] = COUNTED
    const route = this.#routes.of(request, this.#core.routeOf(request))
    if (route !== undefined) this.#count(request, route, milliseconds, milliseconds >= FAILED_AFTER_MS)
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
