import type { FastifyCache, TagSnapshot } from '@x/cache-core'
import type { Backoff } from '@x/cache-core/suite'
import { Capture, type Outcome } from '../fastify/response-recorder.js'
import { isDroppedFrom304 } from '../rules/conditional.js'
import { isGone } from '../fastify/client-gone.js'
import { runHandler, statusOf } from '../fastify/run-handler.js'
import type { SeenRequest } from '../fastify/seen-request.js'
import { clearError } from '../fastify/slots.js'
import { judge, secondsToKeep, type Unstored } from './storability.js'
import { uriTag } from '../store/cache-key.js'
import { warn } from '../lib/notices.js'
import type { Refresh } from './refresh.js'
import { renew, type Renewal } from './renewal.js'
import { stateOf } from '../rules/stored-state.js'
import type { StoredResponse } from '../store/stored-response.js'
import { timeOf, type Found, type Variants } from '../store/variants.js'
import { servable, type Answers } from '../fastify/serve.js'
import type { Flight, Flights } from './coalescing.js'
import type { HandlerRequest } from './lone-runs.js'
import type { RecordingMemory } from './recording.js'
import type { UnstoredRoutes } from './unstored-routes.js'

/** Why a handler has to run. */
export type Miss = 'stale' | 'vary-miss' | 'uri-miss'

/** One request to a route that stores its responses. */
export interface CacheRequest extends HandlerRequest {
  readonly cache: FastifyCache
  readonly tags: string[]
  /** The refresh that the request is, if it did not come from outside. */
  readonly refresh: Refresh | undefined
}

/** When a handler ran, what its tags were then, and the status that it gave its answer. */
interface Circumstances { readonly requestedAt: number; readonly snapshot: TagSnapshot | undefined; readonly status: number }

/** The parts of the response cache that handler runs use. */
export interface HandlerRunSettings {
  readonly maxBodyBytes: number
  readonly memory: RecordingMemory
  readonly answers: Answers
  readonly variants: Variants
  readonly flights: Flights
  /** Keys of flights of which nothing was stored lately. */
  readonly unkept: Backoff
  /** Keys in whose place something stale was served lately. */
  readonly failed: Backoff
  readonly unstored: UnstoredRoutes
}

/** How long requests do not wait for one another, once an answer turned out not to be stored. */
const UNKEPT_MS = 10_000
/** How long after a failure it is not tried again, while there is something stale to serve. */
const RETRY_AFTER_MS = 1000
/** How long others wait for a stream whose length is unknown: some go on for as long as somebody reads. */
const STREAM_MS = 1000
/** Statuses that describe the client or the moment: the stored response may still be right. */
const NOT_OF_THE_RESOURCE = new Set([408, 425, 429])

/** Runs handlers, stores and shares what they answer, and serves what is stored where they fail. */
export class HandlerRuns {
  readonly #settings: HandlerRunSettings
  readonly #answers: Answers
  readonly #variants: Variants
  readonly #flights: Flights

  constructor (settings: HandlerRunSettings) {
    this.#settings = settings
    this.#answers = settings.answers
    this.#variants = settings.variants
    this.#flights = settings.flights
  }

  /** Runs the handler for a request and for those that join it. */
  async lead (visit: CacheRequest, found: Found | undefined, fwd: Miss, flightKey: string | undefined): Promise<void> {
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
  async #run (visit: CacheRequest, found: Found | undefined, fwd: Miss, flight: Flight, snapshot: TagSnapshot | undefined): Promise<void> {
    const { request, reply, policy } = visit
    const seen = visit.view.show(found?.head)
    const requestedAt = Date.now()
    let served: 'validated' | 'instead' | undefined
    const stand = (reason: 'error' | 'timeout', error?: unknown): boolean => {
      // A refresh is to fail. A client that left has made its handler fail, which says nothing of other clients.
      if (found === undefined || served !== undefined || visit.refresh !== undefined || flight.isOvertaken || !isAllowedOnError(found)) return false
      if (reason === 'error' && isGone(reply)) return false
      served = 'instead'
      flight.failure = `stale-if-error, ${reason}`
      this.#settings.failed.start(visit.view.key + found.head.variant, RETRY_AFTER_MS)
      if (error !== undefined) warn(request.log, { err: error }, 'Cache: the handler failed; a stale answer is served in its place')
      this.#serveInstead(visit, found, flight.failure, seen, capture)
      flight.share(undefined)
      return true
    }
    const capture = new Capture(reply, seen, {
      maxBytes: this.#settings.maxBodyBytes,
      memory: this.#settings.memory,
      judge: (captured, final) => judge(visit, captured, final, requestedAt),
      onStream: () => { streaming = setTimeout(() => flight.share(undefined), STREAM_MS).unref() },
      intercept: (status, error) => {
        clearTimeout(timer)
        if (error === undefined ? status >= 500 : statusOf(error, reply) >= 500) return stand('error', error) ? 'instead' : undefined
        if (error !== undefined || status !== 304 || found === undefined) return undefined
        return (served = 'validated')
      }
    })
    let streaming: NodeJS.Timeout | undefined
    flight.whenJoined(() => capture.hurry())
    const timer = setTimeout(() => {
      stand('timeout')
    }, policy.staleAfterMs)
    if (found === undefined) clearTimeout(timer)
    this.#answers.tell(reply, { fwd }, () => capture.unstored)
    const failure = runHandler(visit.run, visit.reply, capture).then(() => undefined, (error: unknown) => ({ error }))
    const first = await Promise.race([capture.outcome, failure.then(async (failed) => failed ?? await capture.outcome)])
    seen.showAll()
    clearTimeout(timer)
    clearTimeout(streaming)
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
  #serveInstead ({ reply }: CacheRequest, found: Found, detail: string, seen: SeenRequest, capture: Capture): void {
    seen.showAll()
    capture.undo()
    clearError(reply)
    this.#answers.serve(reply, found, { fwd: 'stale', detail })
    capture.dropLate()
  }

  /** Renews what is stored by a 304 of the handler; where it cannot be used, asks anew without the validators of what is stored. */
  async #validate (visit: CacheRequest, found: Found, fwd: Miss, flight: Flight, capture: Capture, { requestedAt, snapshot }: Circumstances): Promise<void> {
    const { reply, refresh, cache, view: { target } } = visit
    const { own, before } = capture
    capture.takeOver()
    const renewal = renew(visit, found.head, { own, before }, requestedAt)
    for (const name of Object.keys(own)) if (isDroppedFrom304(name)) reply.removeHeader(name)
    if (renewal !== undefined) return this.#validated(visit, found, renewal, snapshot, flight, capture)
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
  async #conclude (visit: CacheRequest, found: Found | undefined, flight: Flight, end: Outcome | { readonly error: unknown }, { requestedAt, snapshot, status }: Circumstances): Promise<void> {
    const { reply } = visit
    const { unstored } = this.#settings
    const judged = typeof end === 'object' && 'captured' in end ? judge(visit, end.captured, end.final, requestedAt) : undefined
    const kept = judged?.response
    if (judged === undefined || kept === undefined) {
      this.#note(visit, unstoredOf(end, judged, status))
      // A client that left is not the result: another one runs the handler in its place. A refresh has none.
      flight.isAborted = end === 'aborted' || isGone(reply)
      if (flight.isAborted || end === 'replaced' || end === 'aborted') return
      return this.#unstorable(visit, found, flight, 'unstored' in end ? status : 'error' in end ? statusOf(end.error, reply) : end.final.status)
    }
    unstored.noteStorable(visit.view.route)
    if (flight.isOvertaken) return
    if (flight.key !== undefined) this.#settings.unkept.end(flight.key)
    await Promise.all([this.#share(visit, flight, kept), this.#store(visit, kept, snapshot)])
  }

  #note ({ request, view: { route } }: CacheRequest, { reason, vary = [] }: Unstored): void {
    if (reason !== undefined) this.#settings.unstored.note(route, reason, reason === 'vary' ? { vary } : {}, request.log)
  }

  /** Gives a response to the requests that wait for it, unless another process has invalidated one of its tags since the handler began. */
  async #share (visit: CacheRequest, flight: Flight, response: StoredResponse): Promise<void> {
    flight.isProven = true
    if (flight.hasWaiters && !await this.isCurrent(visit, flight)) flight.isOvertaken = true
    flight.share(response)
  }

  /** Whether the tags are as they were before the handler ran; `true` where nobody can tell, so that an outage does not run every handler. */
  async isCurrent ({ cache }: CacheRequest, { snapshot }: Flight): Promise<boolean> {
    if (snapshot === undefined) return true
    const current = await cache.tags.isCurrent(snapshot)
    return !current.ok || current.value
  }

  /** A whole answer that may not be kept says that what is kept is no longer right (RFC 9111 §4.3.3). */
  async #unstorable ({ cache, view: { target } }: CacheRequest, found: Found | undefined, flight: Flight, status: number): Promise<void> {
    if (status >= 500 || NOT_OF_THE_RESOURCE.has(status)) return
    if (flight.key !== undefined) this.#settings.unkept.start(flight.key, UNKEPT_MS)
    if (found !== undefined && !flight.isOvertaken) await cache.tags.invalidate(uriTag(target))
  }

  /** The handler said that what is kept is still right (RFC 9111 §4.3.4). */
  async #validated (
    visit: CacheRequest, found: Found, { head, reason }: Renewal, snapshot: TagSnapshot | undefined, flight: Flight, capture: Capture
  ): Promise<void> {
    const renewed: StoredResponse = { ...head, body: found.body() }
    this.#answers.serve(visit.reply, servable(renewed), { fwd: 'stale', fwdStatus: 304, stored: reason === undefined })
    capture.dropLate()
    if (reason !== undefined) {
      await visit.cache.tags.invalidate(uriTag(visit.view.target))
      return
    }
    await Promise.all([this.#share(visit, flight, renewed), this.#store(visit, renewed, snapshot)])
  }

  async #store ({ cache, view: { key, target }, tags, refresh }: CacheRequest, response: StoredResponse, snapshot: TagSnapshot | undefined): Promise<void> {
    // Without a snapshot nobody can tell what was invalidated while the handler ran.
    if (snapshot === undefined) return
    const ttl = Math.max(0.001, response.freshness.lifetime - response.freshness.initialAge)
    const keep = secondsToKeep(response)
    const isStored = await this.#variants.keep(cache, key, response, uriTag(target), { ttl, staleIfError: Math.max(0, keep - ttl), tags, snapshot })
    if (refresh !== undefined) refresh.hasRenewed = isStored
  }
}

/** Why an answer is not stored, as far as its route or its app could do anything about it. */
function unstoredOf (end: Outcome | { readonly error: unknown }, judged: Unstored | undefined, status: number): Unstored {
  if (typeof end === 'object' && 'unstored' in end) return end.unstored
  // Neither a client that left nor an answer of the handler: something else has written the head.
  return end === 'replaced' && status === 0 ? { reason: 'hijacked' } : judged ?? { reason: undefined }
}

/** Whether a stored response may be served in place of a failure. */
export function isAllowedOnError (found: Found): boolean {
  return stateOf(found.head, found.isStale, timeOf(found)) !== 'to-validate'
}
