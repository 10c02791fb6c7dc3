import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod, RouteOptions } from 'fastify'
import type { CacheClient } from '../client/client.js'
import { implementationFailed } from '../contract/errors.js'
import type { FastifyCache } from '../client/fastify-cache.js'
import { isPromise } from '../lib/harmless.js'

/** The arm of a request. `control`: also if the implementation in service is a pass-through. `none`: the request used no cache. */
export type RequestArm = 'cached' | 'control' | 'none'

// Symbols of this file are in the global symbol registry (`Symbol.for`), since `@x/cache-metrics` or `@x/cache-edge` may load their own
// copy of this module.
const kRoute = Symbol.for('@x/cache-core.route')
const kClient = Symbol.for('@x/cache-core.client')
const kBucket = Symbol.for('@x/cache-core.bucket')

/** An object that identifies a route. It is stored in the route's `config`, and on each request that has reached the handler. */
export type RouteMark = object

// Properties that are set on a request once their values are known. Fastify would set a decorator on every request, at a higher cost.
interface Armed {
  [kRoute]?: RouteMark
  [kClient]?: CacheClient
  [kBucket]?: number | undefined
}

// The route object of all requests whose route has no route object of its own.
const UNMARKED: RouteMark = Object.freeze({})

/** A function that returns the subject of a request, by which the rollout assigns the arm. */
export type Subject = (request: FastifyRequest) => string

/** Returns the user's id from `request.user`, which authentication plugins set, else the client's address. */
export function defaultSubject (request: FastifyRequest): string {
  const id = (request as { user?: { id?: unknown } }).user?.id
  return typeof id === 'string' || typeof id === 'number' ? String(id) : request.ip
}

/**
 * Whether `request.user` is set, as authentication plugins do. `undefined`, `null`, `false` and `''` count as not set, since apps decorate
 * requests with them before authentication. A `user` whose getter throws counts as set.
 */
export function hasUser (request: FastifyRequest): boolean {
  try {
    const { user } = request as { user?: unknown }
    return user !== undefined && user !== null && user !== false && user !== ''
  } catch {
    // A getter of the app threw, so the request may have a user; a `user` that cannot be read counts as set.
    return true
  }
}

/** Gives each request the cache client of its arm. */
export class RequestCaches {
  readonly #cached: CacheClient
  readonly #control: CacheClient
  subject: Subject = defaultSubject
  /**
   * Whether loads of a request are emitted as the event `loadedFor`. This function cannot be an event listener, since its result decides
   * which client the request gets.
   */
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

  /** Returns the cache client of a request's arm. The arm is drawn at the first use in the handler phase, after authentication. */
  of (request: FastifyRequest): CacheClient {
    const armed = request as unknown as Armed
    const drawn = armed[kClient]
    if (drawn !== undefined) return drawn
    const { rollout } = this.#cached.registry
    if (!rollout.isAllOrNothing && armed[kRoute] === undefined && markOf(request) !== undefined) return this.#control
    const bucket = rollout.isAllOrNothing ? 0 : this.#bucketOf(request)
    if (!rollout.isAllOrNothing) armed[kBucket] = bucket
    // The control arm gets the requests whose bucket is unknown: a subject that cannot be determined must not make the request fail.
    const isIn = bucket !== undefined && rollout.includesBucket(bucket)
    return (armed[kClient] = this.#clientFor(request, isIn ? this.#cached : this.#control, bucket))
  }

  /** Returns the bucket by which the arm of a request was drawn; `undefined`: the bucket is unknown, or the arm was drawn without it. */
  bucketOf (request: FastifyRequest): number | undefined {
    return (request as unknown as Armed)[kBucket]
  }

  /**
   * Makes a cache client for one request if its loads are emitted as the event `loadedFor`, or other requests may wait for its loads; else
   * returns the shared client of the arm.
   */
  #clientFor (request: FastifyRequest, client: CacheClient, bucket: number | undefined): CacheClient {
    const { active, events } = client.registry
    const isShared = client === this.#cached && !active.passThrough
    if (this.isWatched?.(request) === true) {
      return client.withArm(client.arm, (key, value) => events.emit('loadedFor', key, value, request), isShared ? request : undefined, bucket)
    }
    return isShared ? client.withArm(client.arm, undefined, request, bucket) : client
  }

  /** Draws the bucket of a request's subject; `undefined`: the subject cannot be determined. */
  #bucketOf (request: FastifyRequest): number | undefined {
    try {
      const subject: unknown = this.subject(request)
      if (typeof subject === 'string' || isNumeral(subject)) return this.#control.registry.rollout.bucketOf(String(subject))
      this.#failed(isPromise(subject) ? 'answered with a promise' : 'answered with no string')
    } catch (cause) {
      this.#failed('threw', cause)
    }
    return undefined
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

/**
 * Whether a subject is a number, as many ids are. A subject of another type that is no string is refused, since its text, such as `[object
 * Object]`, would be the same for many users.
 */
function isNumeral (subject: unknown): boolean {
  return typeof subject === 'bigint' || (typeof subject === 'number' && !Number.isNaN(subject))
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

// Returns the object that identifies the route of a request. A route that was declared before this plugin has no such object: the arm of
// its requests is then drawn at the first use of the cache.
function markOf (request: FastifyRequest): RouteMark | undefined {
  return (request.routeOptions.config as { [kRoute]?: RouteMark } | undefined)?.[kRoute]
}

/** Records that a request is past authentication, so that its arm may be drawn; for code that runs in front of a handler. */
export function enterHandlerPhase (request: FastifyRequest): void {
  (request as unknown as Armed)[kRoute] ??= markOf(request) ?? UNMARKED
}
