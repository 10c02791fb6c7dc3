import type { Core, RequestArm } from '@x/cache-core/suite'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Routes, type RouteTraffic } from './routes.js'

const kBegan = Symbol('@x/cache-metrics.began')
const COUNTED = -1

/** Milliseconds of the cache's clock, or `COUNTED`. Not decorated: Fastify sets each decoration on every request, slowly. */
interface Timed { [kBegan]?: number }

type Listener = (seconds: number, route: string, arm: RequestArm) => void
/** Hears of the answer to a GET that a shared cache could have given. */
export type OnCandidate = (route: string, request: FastifyRequest, reply: FastifyReply, payload: unknown, now: number, seconds: number | undefined) => void

/** What one app's requests show: how long they took, and which of them a shared cache could have answered. */
export class Traffic {
  readonly #core: Core
  readonly #routes: Routes
  #listeners: readonly Listener[] = []
  /** On the hot path; must not throw. */
  onCandidate: OnCandidate | undefined

  /** @param maxRoutes that have a label of their own */
  constructor (core: Core, maxRoutes = 200) {
    this.#core = core
    this.#routes = new Routes(maxRoutes, core.registry.personal)
  }

  /** Everything that was seen, label by label. */
  get routes (): Iterable<RouteTraffic> { return this.#routes.all() }

  /** Hears of every duration; call what it returns to stop. */
  listen (listener: Listener): () => void {
    this.#listeners = [...this.#listeners, listener]
    return () => { this.#listeners = this.#listeners.filter((other) => other !== listener) }
  }

  /** Measures every request that the instance answers, from its first hook to the answer being ready to send. */
  watch (fastify: FastifyInstance): void {
    const traffic = this
    // Hooks of the app and not of each route: they also see the requests that no route answers, and routes that were
    // declared while the plugin was not loaded yet. And not onResponse, for which Fastify adds two listeners to every
    // response: that alone costs more than all that is done here.
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
    // A hook that fails sends another answer to the same request.
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
        if (method === 'GET') this.onCandidate?.(traffic.label, request, reply, payload, now, began === undefined ? undefined : (now - began) / 1000)
      }
    }
    // Refused by a hook that came first.
    if (began === undefined) return
    const arm = this.#core.armOf(request)
    const seconds = (now - began) / 1000
    traffic.durationsOf(arm).observe(seconds)
    for (const listener of this.#listeners) listener(seconds, traffic.label, arm)
  }
}
