import { Backoff, corrupt, enterHandlerPhase, type Core, type FastifyCache, type TagSnapshot } from '@x/cache-core'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import { setTagged } from './body-tags.js'
import { appendCacheStatus, cacheStatus, type CacheStatus } from './cache-status.js'
import { parseCacheControl } from './cache-control.js'
import { isDroppedFrom304 } from './conditional.js'
import { Capture, type Outcome } from './capture.js'
import { Flights, type Flight } from './exchange/flight.js'
import { RecordingMemory } from './exchange/recording.js'
import { isGone } from './fastify/client-gone.js'
import { showAllBeforeSend, withHeaders, type Pending, type SeenHeaders } from './fastify/handler-view.js'
import { discard } from './fastify/payload.js'
import { clearError, serializerOf } from './fastify/slots.js'
import { type EdgeHeaders, hasBody, setFromStore } from './headers.js'
import { joinLines } from './header-fields.js'
import { Names, uriTag, variantKey, type TargetUri } from './key.js'
import { secondsToKeep, toStored, type Exchange } from './keeping.js'
import { warn } from './notices.js'
import type { Policy } from './policy.js'
import { Refresher, type Refresh } from './refresher.js'
import { renew, type Renewal } from './renewal.js'
import { ageOf, stateOf, type StoredResponse } from './stored-response.js'
import { matches, timeOf, Variants, type Found, type Lookup, type Servable } from './variants.js'
import { mergeVary, variantOf } from './vary.js'
import { ALWAYS_SHOWN, CONDITIONAL, visibleHeaders } from './visible-headers.js'
import { within } from './within.js'

/** Settings of the response cache. */
export interface ResponseCacheSettings {
  readonly name: string
  readonly hosts: ReadonlySet<string> | undefined
  readonly maxBodyBytes: number
  readonly maxVariants: number
  readonly coalesceMs: number
}

/** Why a handler has to run. */
type Miss = 'stale' | 'vary-miss' | 'uri-miss'

/** One request to a route that keeps its answers. */
interface Visit extends Exchange {
  readonly cache: FastifyCache
  readonly target: TargetUri
  readonly key: string
  readonly tags: string[]
  readonly run: () => unknown
  /** The refresh that the request is, if it did not come from outside. */
  readonly refresh: Refresh | undefined
}

/** When a handler ran, what its tags were then, and the status that it gave its answer. */
interface Circumstances { readonly requestedAt: number; readonly snapshot: TagSnapshot | undefined; readonly status: number }

/** Why a request is not looked up, and its answer not marked as one for others. */
const SHOWN_ALL = new Set(['method', 'personal', 'request-body'])
/** The text before the first colon of each key. */
const KEY_PATTERN = 'edge'
/** How long requests do not wait for one another, once an answer turned out not to be kept. */
const UNKEPT_MS = 10_000
/** How long after a failure it is not tried again, while there is something stale to serve. */
const RETRY_AFTER_MS = 1000
/** Bytes that all streams hold together while they are recorded, at least. */
const RECORDING_BYTES = 32 * 1024 * 1024
/** They speak of the client, or of the moment: what is kept may still be right. */
const NOT_OF_THE_RESOURCE = new Set([408, 425, 429])
const WILL_SEND = Symbol('will send')
const kStatus = Symbol('@x/cache-edge.status')

/** Answers from `fastify.cache` in place of a route's handler (RFC 9111), after every hook in front of the handler has run. */
export class ResponseCache {
  readonly #fastify: FastifyInstance
  readonly #core: Core
  readonly #headers: EdgeHeaders
  readonly #settings: ResponseCacheSettings
  readonly #variants: Variants
  readonly #flights: Flights
  readonly #memory: RecordingMemory
  readonly #refresher: Refresher
  readonly #names = new Names()
  /** Of which nothing was kept lately, by the key of their flight. */
  readonly #unkept: Backoff
  /** In whose place something stale was served lately. */
  readonly #failed: Backoff
  readonly #hit: string
  hasRoutes = false

  constructor (fastify: FastifyInstance, core: Core, headers: EdgeHeaders, settings: ResponseCacheSettings) {
    this.#fastify = fastify
    this.#core = core
    this.#headers = headers
    this.#refresher = new Refresher(fastify, core.registry)
    this.#unkept = new Backoff(core.registry)
    this.#failed = new Backoff(core.registry)
    this.#settings = settings
    this.#flights = new Flights(core.registry, settings.coalesceMs)
    let hasWarned = false
    this.#memory = new RecordingMemory(Math.max(RECORDING_BYTES, 2 * settings.maxBodyBytes), () => {
      if (!hasWarned) warn(fastify.log, {}, 'Cache: the streams that are being recorded hold as much memory as they may; others are sent and not stored until their clients have read more')
      hasWarned = true
    })
    this.#hit = cacheStatus(settings.name, { hit: true })
    this.#variants = new Variants(settings.maxVariants, () => {
      const { active } = core.registry
      const error = corrupt('edge', 'something that is no response')
      active.stats.countError(error)
      core.registry.events.emit('failed', active.stats.label, 'edge', error)
    })
    const { events } = core.registry
    const stops = [
      events.on('invalidated', (tags) => this.#flights.overtake((flight) => tags.some((tag) => flight.tags.has(tag)))),
      events.on('cleared', () => {
        this.#flights.overtake(() => true)
        this.#variants.clear()
      }),
      // What was made for one implementation is not stored in another.
      events.on('swapped', () => this.#flights.overtake(() => true))
    ]
    fastify.addHook('onClose', async function forgetInvalidations () { for (const stop of stops) stop() })
  }

  /** A handler that answers from the cache where it may, and else runs the route's own. */
  wrap (handler: RouteHandlerMethod, policy: Policy, constraints: object = {}): RouteHandlerMethod {
    this.hasRoutes = true
    const choice = textOf(constraints)
    const cache = this
    const cached: RouteHandlerMethod = function (request, reply) {
      const run = (): unknown => handler.call(this, request, reply)
      const bypass = cache.#bypass(request, policy)
      if (bypass !== undefined) {
        cache.#tell(reply, bypass)
        // Whoever sees all of a request answers it for nobody else.
        if (SHOWN_ALL.has(bypass.detail ?? bypass.fwd!)) return run()
        showAllBeforeSend(reply, withHeaders(request.raw, visibleHeaders(request, policy, undefined, CONDITIONAL)))
        return run()
      }
      enterHandlerPhase(request)
      return cache.#visit(request, reply, policy, choice, run)
    }
    return Object.defineProperty(cached, 'name', { value: handler.name })
  }

  /** An unsafe method that succeeded has changed its target (RFC 9111 §4.4). */
  async invalidateTarget (request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const targets = [this.#targetOf(request)]
    for (const name of ['location', 'content-location']) {
      const url = sameOrigin(targets[0]!, reply.getHeader(name))
      if (url !== undefined) targets.push({ ...targets[0]!, url })
    }
    await this.#fastify.cache.tags.invalidate(targets.map(uriTag))
  }

  /** Puts what this cache did behind what a handler says of the caches in front of the origin (RFC 9211 §2). */
  completeStatus (reply: FastifyReply): void {
    const own = (reply as FastifyReply & { [kStatus]?: string })[kStatus]
    if (own === undefined) return
    const field = reply.getHeader('cache-status') as string | string[] | undefined
    if (!String(field).endsWith(own)) reply.header('cache-status', appendCacheStatus(field, own))
  }

  #bypass (request: FastifyRequest, policy: Policy): CacheStatus | undefined {
    const { method } = request
    if (method !== 'GET' && method !== 'HEAD') return { fwd: 'method' }
    const { headers } = request.raw
    if (hasBody(headers)) return { fwd: 'bypass', detail: 'request-body' }
    if (this.#headers.isPersonal(request, policy)) return { fwd: 'bypass', detail: 'personal' }
    if (headers.range !== undefined) return { fwd: 'bypass', detail: 'range' }
    const { hosts } = this.#settings
    if (hosts !== undefined && !hosts.has(request.host.toLowerCase())) return { fwd: 'bypass', detail: 'host' }
    if (headers['cache-control'] !== undefined && parseCacheControl(headers['cache-control']).noStore) return { fwd: 'request', detail: 'no-store' }
    return undefined
  }

  /** Answers from within: at once, which is `undefined`, or by a promise that only ever rejects, as if the handler alone had. */
  #visit (request: FastifyRequest, reply: FastifyReply, policy: Policy, choice: string, run: () => unknown): Promise<never> | undefined {
    const refresh = this.#refresher.of(request)
    // The handler sees the scheme that its answer is kept for.
    if (refresh?.target.scheme === 'https') Object.assign(request.raw.socket, { encrypted: true })
    const target = refresh?.target ?? this.#targetOf(request)
    const { key: uriKey, tag } = this.#names.of(target)
    const own = this.#headers.tagsOf(request, policy)
    const visit: Visit = {
      request,
      reply,
      policy,
      run,
      target,
      cache: refresh?.cache ?? request.cache,
      key: choice === '' ? uriKey : variantKey(uriKey, choice),
      tags: own === undefined ? [tag] : [...own, tag],
      refresh
    }
    if (own === undefined) return failing(this.#runAlone(visit, { fwd: 'bypass', detail: 'tags' }))
    const looked = this.#variants.find(visit.cache, visit.key, request.raw.headers, visit.tags)
    if (looked instanceof Promise) return failing(looked.then((lookup) => this.#answer(visit, lookup)))
    const answering = this.#answer(visit, looked)
    return answering === undefined ? undefined : failing(answering)
  }

  /** `undefined`: from what was found. */
  #answer (visit: Visit, { found, isOther }: Lookup): Promise<void> | undefined {
    const { request, reply } = visit
    if (found !== undefined && visit.refresh === undefined) {
      const state = stateOf(found.head, found.isStale, timeOf(found))
      if (state !== 'fresh' && state !== 'to-validate' && this.#failed.isActive(visit.key + found.head.variant)) {
        this.#serve(reply, found, { hit: true, detail: 'stale-if-error' })
        return undefined
      }
      if (state === 'fresh' || (state === 'while-revalidating' && isInjectable(request.originalUrl) && !this.#refresher.isRefused(visit.key, found.head))) {
        if (state !== 'fresh') this.#refresher.start(request, visit.cache, visit.key, visit.target, found.head)
        this.#serve(reply, found)
        return undefined
      }
    }
    const fwd = found !== undefined ? 'stale' : isOther ? 'vary-miss' : 'uri-miss'
    if (parseCacheControl(request.raw.headers['cache-control']).onlyIfCached) {
      this.#tell(reply, { fwd })
      reply.code(504).send()
      return undefined
    }
    // A handler that is asked for the head alone gives no body to keep.
    return request.method === 'HEAD' ? this.#runAlone(visit, { fwd }) : this.#join(visit, found, fwd)
  }

  /** One handler run per key; the others wait for it, a bounded time. */
  async #join (visit: Visit, found: Found | undefined, fwd: Miss, until = Infinity): Promise<void> {
    const { policy, request, reply } = visit
    // Observing must not delay anybody, and who is outside of the rollout has nothing of the cache.
    const { active, clock, rollout } = this.#core.registry
    if (active.passThrough || this.#core.armOf(request) !== 'cached' || !rollout.allows(KEY_PATTERN)) return this.#lead(visit, found, fwd, undefined)
    const flightKey = visit.key + variantOf(policy.store === 'by-policy' ? policy.vary : Object.keys(request.raw.headers).filter((name) => !ALWAYS_SHOWN.includes(name)), request.raw.headers)
    const flight = this.#flights.joinable(flightKey)
    // Nobody waits again for an answer of which nothing was kept.
    if (flight === undefined || this.#unkept.isActive(flightKey)) return this.#lead(visit, found, fwd, flightKey)
    const waitsUntil = Math.min(until, clock.now() + this.#settings.coalesceMs)
    const isLate = flight.isProven
    const shared = visit.refresh !== undefined ? undefined : await within(waitsUntil - clock.now(), flight.join())
    // Its client left while it waited: the handler is run by somebody who is still there.
    if (isGone(reply)) return
    if (flight.isAborted && clock.now() < waitsUntil) return this.#join(visit, found, fwd, waitsUntil)
    if (flight.failure !== undefined && !flight.isOvertaken && found !== undefined && isAllowedOnError(found)) {
      return this.#serve(reply, found, { fwd, collapsed: true, detail: flight.failure })
    }
    const isUsable = shared !== undefined && !flight.isOvertaken && stateOf(shared, false, Date.now()) === 'fresh' && matches(shared, request.raw.headers)
    if (!isUsable || (isLate && !await this.#isCurrent(visit, flight))) return this.#runAlone(visit, { fwd })
    this.#serve(reply, servable(shared), { fwd, collapsed: true })
  }

  async #lead (visit: Visit, found: Found | undefined, fwd: Miss, flightKey: string | undefined): Promise<void> {
    const flight = this.#flights.begin(flightKey, visit.tags)
    try {
      const captured = await visit.cache.tags.capture(visit.tags)
      if (captured.ok) flight.snapshot = captured.value
      // Nobody would read the answer; whoever waits for it runs the handler for a client that is there.
      if (flightKey !== undefined && isGone(visit.reply)) flight.isAborted = true
      else await this.#run(visit, found, fwd, flight, flight.snapshot)
    } finally {
      this.#flights.end(flight)
    }
  }

  /** Runs the handler, and keeps and shares what it answers if that may be. Resolves when the entry is stored; rejects as the handler. */
  async #run (visit: Visit, found: Found | undefined, fwd: Miss, flight: Flight, snapshot: TagSnapshot | undefined): Promise<void> {
    const { request, reply, policy } = visit
    const seen = withHeaders(request.raw, visibleHeaders(request, policy, found?.head))
    const requestedAt = Date.now()
    let served: 'validated' | 'instead' | undefined
    const stand = (reason: 'error' | 'timeout', error?: unknown): boolean => {
      // A refresh is to fail. A client that left has made its handler fail, which says nothing of other clients.
      if (found === undefined || served !== undefined || visit.refresh !== undefined || flight.isOvertaken || !isAllowedOnError(found)) return false
      if (reason === 'error' && isGone(reply)) return false
      served = 'instead'
      flight.failure = `stale-if-error, ${reason}`
      this.#failed.start(visit.key + found.head.variant, RETRY_AFTER_MS)
      if (error !== undefined) warn(request.log, { err: error }, 'Cache: the handler failed; a stale answer is served in its place')
      this.#serveInstead(visit, found, flight.failure, seen, capture)
      flight.share(undefined)
      return true
    }
    const capture = new Capture(reply, seen, {
      maxBytes: this.#settings.maxBodyBytes,
      memory: this.#memory,
      mayBeStored: (captured, final) => toStored(visit, captured, final, requestedAt) !== undefined,
      intercept: (status, error) => {
        clearTimeout(timer)
        if (error === undefined ? status >= 500 : statusOf(error, reply) >= 500) return stand('error', error) ? 'instead' : undefined
        if (error !== undefined || status !== 304 || found === undefined) return undefined
        return (served = 'validated')
      }
    })
    flight.whenJoined(() => capture.hurry())
    const timer = setTimeout(() => {
      stand('timeout')
    }, policy.staleAfterMs)
    if (found === undefined) clearTimeout(timer)
    this.#tell(reply, { fwd })
    const failure = this.#handle(visit, capture).then(() => undefined, (error: unknown) => ({ error }))
    const first = await Promise.race([capture.outcome, failure.then(async (failed) => failed ?? await capture.outcome)])
    seen.showAll()
    clearTimeout(timer)
    if (served === 'validated') {
      await this.#validate(visit, found!, fwd, flight, capture, { requestedAt, snapshot, status: 304 })
    } else if (served === undefined) {
      const failed = typeof first === 'object' && 'error' in first ? first : undefined
      if (failed !== undefined && statusOf(failed.error, reply) >= 500 && stand('error', failed.error)) return
      if (failed !== undefined) capture.takeOver()
      await this.#conclude(visit, found, flight, failed ?? first, { requestedAt, snapshot, status: capture.status })
    }
    this.#flights.end(flight)
    // However the answer went out, Fastify is to hear of a handler that failed.
    const failed = await failure
    if (failed !== undefined && (served as string | undefined) !== 'instead') throw failed.error
  }

  /** Serves what is stored while the handler is at work, or behind its failure; nothing of what the handler set goes out. */
  #serveInstead ({ reply }: Visit, found: Found, detail: string, seen: SeenHeaders, capture: Capture): void {
    seen.showAll()
    capture.undo()
    clearError(reply)
    this.#serve(reply, found, { fwd: 'stale', detail })
    capture.dropLate()
  }

  /** Renews what is stored by a 304 of the handler; where it cannot be used, asks anew without the validators of what is stored. */
  async #validate (visit: Visit, found: Found, fwd: Miss, flight: Flight, capture: Capture, { requestedAt, snapshot }: Circumstances): Promise<void> {
    const { reply, refresh, cache, target } = visit
    const { own, before } = capture
    const renewal = renew(visit, found.head, { own, before }, requestedAt)
    for (const name of Object.keys(own)) if (isDroppedFrom304(name)) reply.removeHeader(name)
    if (renewal !== undefined) return this.#validated(visit, found, renewal, snapshot, flight)
    if (refresh !== undefined) {
      reply.code(304).send()
      await cache.tags.invalidate(uriTag(target))
      return
    }
    capture.undo()
    reply.code(200)
    await this.#run(visit, undefined, fwd, flight, snapshot)
  }

  /** Draws the conclusions of a handler run for those who wait, and for what is stored. */
  async #conclude (visit: Visit, found: Found | undefined, flight: Flight, end: Outcome | { readonly error: unknown }, { requestedAt, snapshot, status }: Circumstances): Promise<void> {
    const { reply } = visit
    const kept = typeof end === 'object' && 'captured' in end ? toStored(visit, end.captured, end.final, requestedAt) : undefined
    if (kept === undefined) {
      // A client that left is not the result: another one runs the handler in its place. A refresh has none.
      flight.isAborted = end === 'aborted' || isGone(reply)
      if (flight.isAborted || end === 'replaced' || end === 'aborted') return
      return this.#unstorable(visit, found, flight, end === 'unkeepable' ? status : 'error' in end ? statusOf(end.error, reply) : end.final.status)
    }
    if (flight.isOvertaken) return
    if (flight.key !== undefined) this.#unkept.end(flight.key)
    await Promise.all([this.#share(visit, flight, kept), this.#store(visit, kept, snapshot)])
  }

  /** Gives a response to the requests that wait for it, unless another process has invalidated one of its tags since the handler began. */
  async #share (visit: Visit, flight: Flight, response: StoredResponse): Promise<void> {
    flight.isProven = true
    if (flight.hasWaiters && !await this.#isCurrent(visit, flight)) flight.isOvertaken = true
    flight.share(response)
  }

  /** Whether the tags are as they were before the handler ran; `true` where nobody can tell, so that an outage does not run every handler. */
  async #isCurrent ({ cache }: Visit, { snapshot }: Flight): Promise<boolean> {
    if (snapshot === undefined) return true
    const current = await cache.tags.isCurrent(snapshot)
    return !current.ok || current.value
  }

  /** A whole answer that may not be kept says that what is kept is no longer right (RFC 9111 §4.3.3). */
  async #unstorable ({ cache, target }: Visit, found: Found | undefined, flight: Flight, status: number): Promise<void> {
    if (status >= 500 || NOT_OF_THE_RESOURCE.has(status)) return
    if (flight.key !== undefined) this.#unkept.start(flight.key, UNKEPT_MS)
    if (found !== undefined && !flight.isOvertaken) await cache.tags.invalidate(uriTag(target))
  }

  /** Runs the route's handler as Fastify does: what it returns is sent. */
  async #handle ({ run, reply }: Visit, pending: Pending): Promise<void> {
    const returned = run()
    if (returned === reply || (returned === undefined && !reply.sent)) return
    const payload = isThenable(returned) ? await settled(returned, reply) : returned
    // Hijacked: whatever is written now passes by here.
    if (reply.sent && pending.isOpen) pending.takeOver()
    else if (payload !== WILL_SEND && pending.isOpen) reply.send(payload)
    // It comes too late, and nobody will read it.
    else discard(payload)
  }

  /** The handler said that what is kept is still right (RFC 9111 §4.3.4). */
  async #validated (
    visit: Visit, found: Found, { head, reason }: Renewal, snapshot: TagSnapshot | undefined, flight: Flight
  ): Promise<void> {
    const renewed: StoredResponse = { ...head, body: found.body() }
    this.#serve(visit.reply, servable(renewed), { fwd: 'stale', fwdStatus: 304, stored: reason === undefined })
    if (reason !== undefined) {
      await visit.cache.tags.invalidate(uriTag(visit.target))
      return
    }
    await Promise.all([this.#share(visit, flight, renewed), this.#store(visit, renewed, snapshot)])
  }

  async #runAlone (visit: Visit, status: CacheStatus): Promise<void> {
    const { request, reply, policy } = visit
    this.#tell(reply, status)
    await this.#handle(visit, showAllBeforeSend(reply, withHeaders(request.raw, visibleHeaders(request, policy, undefined))))
  }

  async #store ({ cache, key, tags, target, refresh }: Visit, response: StoredResponse, snapshot: TagSnapshot | undefined): Promise<void> {
    // What was invalidated while the handler ran could not be told.
    if (snapshot === undefined) return
    const ttl = Math.max(0.001, response.freshness.lifetime - response.freshness.initialAge)
    const keep = secondsToKeep(response)
    const isStored = await this.#variants.keep(cache, key, response, uriTag(target), { ttl, staleIfError: Math.max(0, keep - ttl), tags, snapshot })
    if (refresh !== undefined) refresh.hasRenewed = isStored
  }

  #serve (reply: FastifyReply, answer: Servable, status?: CacheStatus): void {
    const response = answer.head
    const age = ageOf(response, timeOf(answer))
    // Cookies that the handler has just set are for this client, where nothing of its answer is stored.
    setFromStore(reply, status?.hit === true || status?.stored !== false)
    // Known before anything is written: what a 304 leaves out need not be put in first. A tag of the body holds for what hooks make of it.
    const isNotModified = response.status === 200 && response.isTagOfBody !== true && this.#headers.hasTag(reply.request, response.etag)
    reply.code(isNotModified ? 304 : response.status)
    for (const name in response.headers) {
      if (isNotModified && isDroppedFrom304(name)) continue
      const value = response.headers[name]
      if (name === 'vary') reply.header('vary', mergeVary(joinLines(reply.getHeader('vary')), [String(value)]))
      else reply.header(name, value)
    }
    if (response.etag !== undefined) reply.header('etag', response.etag)
    reply.header('age', String(Math.floor(age)))
    const ttl = Math.floor(response.freshness.lifetime - age)
    if (status === undefined) reply.header('cache-status', `${this.#hit}; ttl=${ttl}`)
    else this.#tell(reply, { ...status, ttl })
    if (isNotModified || (response.headers['content-type'] === undefined && answer.body().length === 0)) {
      reply.send()
      return
    }
    // As the handler's own: hooks are given a string where it was one, and a serializer would change it once more.
    const body = response.isText && serializerOf(reply) === null ? answer.text() : answer.body()
    if (response.isTagOfBody === true) setTagged(reply, response.etag!, body)
    reply.send(body)
  }

  #tell (reply: FastifyReply, status: CacheStatus): void {
    const own = cacheStatus(this.#settings.name, status)
    ;(reply as FastifyReply & { [kStatus]?: string })[kStatus] = own
    reply.header('cache-status', own)
  }

  #targetOf (request: FastifyRequest): TargetUri {
    return { scheme: request.protocol, host: request.host, url: request.raw.url! }
  }
}

/** The status with which Fastify answers an error: one that the handler set beats that of the error. */
function statusOf (error: unknown, reply: FastifyReply): number {
  const { statusCode, status } = (error ?? {}) as { statusCode?: unknown; status?: unknown }
  const answered = Number(reply.statusCode === 200 ? statusCode ?? status : reply.statusCode)
  return answered >= 400 && answered < 600 ? answered : 500
}

/** Whether `inject` asks for just this target: it normalises what it is given, and another target is another answer. */
function isInjectable (url: string): boolean {
  const base = 'http://localhost'
  if (!url.startsWith('/') || !URL.canParse(base + url)) return false
  const { pathname, search } = new URL(base + url)
  return pathname + search === url
}

function isAllowedOnError (found: Found): boolean {
  return stateOf(found.head, found.isStale, timeOf(found)) !== 'to-validate'
}

function servable (response: StoredResponse): Servable {
  return { head: response, body: () => response.body, text: () => response.body.toString() }
}

function isThenable (value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'
}

/** The value of a promise or of what resembles one. The reply is awaited by nobody: it has a `then` that waits for its own end. */
function settled (pending: PromiseLike<unknown>, reply: FastifyReply): Promise<unknown> {
  return new Promise((resolve, reject) => { pending.then((value) => resolve(value === reply ? WILL_SEND : value), reject) })
}

/** A promise that is never fulfilled: Fastify is to wait for the answer that is sent, and to hear of a failure. */
function failing (pending: Promise<unknown>): Promise<never> {
  return new Promise((_resolve, reject) => { pending.catch(reject) })
}

/** What tells routes of one URL apart; `''`: nothing. */
function textOf (constraints: object): string {
  const own = Object.entries(constraints).map(([name, value]) => [name, value instanceof RegExp ? String(value) : value]).sort()
  return own.length === 0 ? '' : JSON.stringify(own)
}

/** The path and query of a reference to the same origin. */
function sameOrigin ({ scheme, host, url }: TargetUri, reference: unknown): string | undefined {
  if (typeof reference !== 'string') return undefined
  const base = `${scheme}://${host}`
  if (!URL.canParse(reference, base + url)) return undefined
  const { origin, pathname, search } = new URL(reference, base + url)
  return origin === new URL(base).origin ? pathname + search : undefined
}
