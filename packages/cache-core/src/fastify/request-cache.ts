import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod, RouteOptions } from 'fastify'
import type { CacheClient } from '../client/client.js'
import { implementationFailed } from '../contract/errors.js'
import type { FastifyCache } from '../client/fastify-cache.js'
import { isPromise } from '../lib/harmless.js'

/** Which arm a request belongs to; `control` also in front of a pass-through implementation; `none`: it used no cache. */
export type RequestArm = 'cached' | 'control' | 'none'

// Registered symbols, since metrics or edge may bring their own copy of this module.
const kRoute = Symbol.for('@x/cache-core.route')
const kClient = Symbol.for('@x/cache-core.client')

/** Stands for a route: in its `config`, and on each request that has reached its handler. */
export type RouteMark = object

// Set on requests when they are known. Not decorated: Fastify sets each decoration on every request, slowly.
interface Armed {
  [kRoute]?: RouteMark
  [kClient]?: CacheClient
}

// A request that reached a handler whose route has no mark.
const UNMARKED: RouteMark = Object.freeze({})

/** What of a request decides whether it is in. */
export type Subject = (request: FastifyRequest) => string

/** The user's id as authentication plugins leave it, else the client's address. */
export function defaultSubject (request: FastifyRequest): string {
  const id = (request as { user?: { id?: unknown } }).user?.id
  return typeof id === 'string' || typeof id === 'number' ? String(id) : request.ip
}

/**
 * Whether a hook has found out who asks: `request.user`, as authentication plugins leave it. `undefined`, `null`, `false` and
 * `''` are what apps decorate requests with before that; one that cannot be read counts as a user.
 */
export function hasUser (request: FastifyRequest): boolean {
  try {
    const { user } = request as { user?: unknown }
    return user !== undefined && user !== null && user !== false && user !== ''
  } catch {
    // A getter of the app's own.
    return true
  }
}

/** Hands each request the cache of its arm. */
export class RequestCaches {
  readonly #cached: CacheClient
  readonly #control: CacheClient
  subject: Subject = defaultSubject
  /** Whether loads of a request are emitted as `loadedFor`. A callback and no event, since the request's client depends on its answer. */
  isWatched: ((request: FastifyRequest) => boolean) | undefined

  constructor (client: CacheClient) {
    this.#cached = client.withArm('cached')
    this.#control = client.withArm('control')
  }

  decorate (fastify: FastifyInstance): void {
    const caches = this
    fastify.decorateRequest<FastifyCache>('cache', { getter () { return caches.of(this) } })
    fastify.addHook('onRoute', markHandlerPhase)
  }

  /** The arm is drawn at the first use in the handler phase, when it is known who asks, and stays for the request. */
  of (request: FastifyRequest): CacheClient {
    const armed = request as unknown as Armed
    const drawn = armed[kClient]
    if (drawn !== undefined) return drawn
    const { rollout } = this.#cached.registry
    if (!rollout.isAllOrNothing && armed[kRoute] === undefined && markOf(request) !== undefined) return this.#control
    const isIn = rollout.isAllOrNothing ? rollout.percent === 100 : this.#isIn(request)
    return (armed[kClient] = this.#clientFor(request, isIn ? this.#cached : this.#control))
  }

  /** A client of the request's own, if its loads are watched, or may be joined by other requests. */
  #clientFor (request: FastifyRequest, client: CacheClient): CacheClient {
    const { active, events } = client.registry
    const isShared = client === this.#cached && !active.passThrough
    if (this.isWatched?.(request) === true) {
      return client.withArm(client.arm, (key, value) => events.emit('loadedFor', key, value, request), isShared ? request : undefined)
    }
    return isShared ? client.withArm(client.arm, undefined, request) : client
  }

  #isIn (request: FastifyRequest): boolean {
    try {
      const subject: unknown = this.subject(request)
      if (!isPromise(subject)) return this.#control.registry.rollout.includes(String(subject))
      this.#failed('answered with a promise')
    } catch (cause) {
      this.#failed('threw', cause)
    }
    // Who cannot be told apart stays outside: the request itself is none of the rollout's business.
    return false
  }

  #failed (how: string, cause?: unknown): void {
    const { controlStats, observer } = this.#control.registry
    observer.fail(controlStats, 'rollout.key', implementationFailed('rollout.key', how, { cause }))
  }

  routeOf (request: FastifyRequest): RouteMark | undefined {
    const mark = (request as unknown as Armed)[kRoute]
    return mark === UNMARKED ? undefined : mark
  }

  armOf (request: FastifyRequest): RequestArm {
    const client = (request as unknown as Armed)[kClient]
    if (client === undefined) return 'none'
    return client.arm === 'cached' && !client.registry.active.passThrough ? 'cached' : 'control'
  }
}

function markHandlerPhase (route: RouteOptions): void {
  const { handler } = route
  const mark: RouteMark = {}
  const marked: RouteHandlerMethod = function (request: FastifyRequest, reply: FastifyReply) {
    (request as unknown as Armed)[kRoute] = mark
    return handler.call(this, request, reply)
  }
  route.handler = Object.defineProperty(marked, 'name', { value: handler.name })
  Object.assign(route, { config: { ...route.config, [kRoute]: mark } })
}

// None for a route that was declared before this plugin had loaded: its requests are drawn at the first use.
function markOf (request: FastifyRequest): RouteMark | undefined {
  return (request.routeOptions.config as { [kRoute]?: RouteMark } | undefined)?.[kRoute]
}

/** Says that authentication is over and the arm may be drawn; for what runs in front of a handler. */
export function enterHandlerPhase (request: FastifyRequest): void {
  (request as unknown as Armed)[kRoute] ??= markOf(request) ?? UNMARKED
}
