import type { Backoff } from '@x/cache-core/suite'
import { warn } from '../lib/notices.js'
import { isCurrent, snapshotFor } from './tag-state.js'
import { isDroppedFrom304 } from '../rules/conditional.js'
import { uriTag } from '../store/cache-key.js'
import type { StoredResponse } from '../store/stored-response.js'
import { isStaleAllowed, servable, type SelectedVariant, type Variants } from '../store/variants.js'
import type { CacheRequest } from './cache-request.js'
import type { RecordedResponse, Final } from './recorded-response.js'
import { afterResponse, conclusionOf, type Conclusion, type Miss } from './exchange-states.js'
import { RUNNING, type RunFacts, type RunState } from './run-state.js'
import { afterFailure, afterTimeout } from './stale-on-failure.js'
import type { HandlerFlight, HandlerFlights } from './handler-flight.js'
import type { Failure, Outcome, RecordedRun, RunListener } from './recorded-run.js'
import type { RecordingMemory } from './recording.js'
import { renew, type Renewal } from './renewal.js'
import { judge, secondsToKeep, type Judgement, type Unstored } from './judge-response.js'
import type { UnstoredRoutes } from './unstored-routes.js'

/** The functions and objects of the response cache that leading handler runs use. */
export interface LeadingRunSettings {
  readonly maxBodyBytes: number
  readonly memory: RecordingMemory
  readonly variants: Variants
  readonly flights: HandlerFlights
  /**
   * Keys of handler runs whose last response could not be stored; for some seconds requests with these keys do not wait for one another.
   */
  readonly uncacheable: Backoff
  /** Keys whose handler failed recently; a stale response is served instead of a retry. */
  readonly failed: Backoff
  readonly unstored: UnstoredRoutes
}

/** Milliseconds in which requests do not wait for one another, after a response that could not be stored. */
const UNCACHEABLE_MS = 10_000
/** Milliseconds after a failure in which the handler is not run again if a stale response can be served. */
const RETRY_AFTER_MS = 1000
/** Milliseconds that other requests wait for a stream of unknown length, since some streams end only when their client disconnects. */
const STREAM_MS = 1000
/** Statuses that describe the client or a temporary state, not the resource, so they do not invalidate the stored response. */
const NOT_OF_THE_RESOURCE = new Set([408, 425, 429])

/** One handler run whose response is stored, and shared with the requests that joined its flight. */
export class LeadingRun implements RunListener {
  readonly maxBytes: number
  readonly memory: RecordingMemory
  readonly #settings: LeadingRunSettings
  readonly #request: CacheRequest
  readonly #fwd: Miss
  readonly #flight: HandlerFlight
  /** The stored response that the handler may validate; `undefined`: there is none. */
  readonly #found: SelectedVariant | undefined
  readonly #requestedAt = Date.now()
  readonly #recorded: RecordedRun
  #state: RunState = RUNNING
  #timer: NodeJS.Timeout | undefined
  #streaming: NodeJS.Timeout | undefined

  constructor (
    settings: LeadingRunSettings, request: CacheRequest,
    { fwd, found, flight }: { readonly fwd: Miss; readonly found: SelectedVariant | undefined; readonly flight: HandlerFlight }
  ) {
    this.maxBytes = settings.maxBodyBytes
    this.memory = settings.memory
    this.#settings = settings
    this.#request = request
    this.#fwd = fwd
    this.#flight = flight
    this.#found = found
    this.#recorded = request.record(this, found?.head)
  }

  /** Runs the handler. Resolves when its response, if storable, is stored and shared; rejects with the error of the handler. */
  async run (): Promise<void> {
    this.#flight.whenJoined(() => this.#recorded.hurry())
    if (this.#found !== undefined) this.#timer = setTimeout(() => this.#passTimeLimit(), this.#request.policy.staleAfterMs)
    this.#request.setStatus({ fwd: this.#fwd }, () => this.#recorded.unstored)
    const failure = this.#recorded.start()
    const end = await Promise.race([this.#recorded.outcome, failure.then(async (failed) => failed ?? await this.#recorded.outcome)])
    this.#recorded.showAll()
    clearTimeout(this.#timer)
    clearTimeout(this.#streaming)
    if (this.#state.kind === 'validated') await this.#validate()
    else if (this.#state.kind === 'running') await this.#end(end)
    this.#settings.flights.end(this.#flight)
    // The error of the handler is passed on to Fastify, unless a stale response was served in its place.
    const failed = await failure
    if (failed !== undefined && this.#state.kind !== 'stale-served') throw failed.error
  }

  intercept (status: number, error: Error | undefined): 'instead' | 'validated' | undefined {
    clearTimeout(this.#timer)
    this.#enter(afterResponse(
      this.#state, { status: error === undefined ? status : this.#recorded.statusOf(error), isError: error !== undefined }, this.#facts
    ), error)
    return this.#state.kind === 'running' ? undefined : this.#state.kind === 'validated' ? 'validated' : 'instead'
  }

  judge (recorded: RecordedResponse, final: Final): Judgement {
    return judge(this.#request, recorded, final, this.#requestedAt)
  }

  onStream (): void {
    this.#streaming = setTimeout(() => this.#flight.share(undefined), STREAM_MS).unref()
  }

  get #facts (): RunFacts {
    const { refresh, isGone } = this.#request
    return {
      hasStored: this.#found !== undefined,
      isStaleAllowed: this.#found !== undefined && isStaleAllowed(this.#found),
      isRefresh: refresh !== undefined,
      isSuperseded: this.#flight.isSuperseded,
      isGone
    }
  }

  #passTimeLimit (): void {
    this.#enter(afterTimeout(this.#state, this.#facts))
  }

  /** Enters a state of the handler run. A stale response is served as soon as the state `stale-served` is entered. */
  #enter (state: RunState, error?: unknown): void {
    const isEntered = state.kind === 'stale-served' && this.#state.kind !== 'stale-served'
    this.#state = state
    if (isEntered) this.#serveStale(state.detail, error)
  }

  /** Serves the stored response while the handler runs, or after its failure; no header of the handler is sent. */
  #serveStale (detail: string, error: unknown): void {
    const request = this.#request
    const found = this.#found!
    this.#flight.failure = detail
    this.#settings.failed.start(request.key + found.head.variant, RETRY_AFTER_MS)
    if (error !== undefined) warn(request.log, { err: error }, 'Cache: the handler failed; a stale response is served instead')
    this.#recorded.undo()
    request.serve(found, { fwd: 'stale', detail })
    this.#recorded.dropLate()
    this.#flight.share(undefined)
  }

  /** Ends the handler run with the handler's own response or failure. */
  async #end (end: Outcome | Failure): Promise<void> {
    const isFailure = typeof end === 'object' && 'error' in end
    const status = isFailure ? this.#recorded.statusOf(end.error) : this.#recorded.status
    if (isFailure) {
      this.#enter(afterFailure(this.#state, status, this.#facts), end.error)
      if (this.#state.kind === 'stale-served') return
      this.#recorded.takeOver()
    }
    const judged = typeof end === 'object' && 'recorded' in end ? this.judge(end.recorded, end.final) : undefined
    await this.#conclude(conclusionOf(end, judged, { status, isGone: this.#request.isGone }))
  }

  async #conclude (conclusion: Conclusion): Promise<void> {
    const flight = this.#flight
    // The full response to a HEAD does not invalidate the stored response (RFC 9111 §4.3.5): the handler may have computed it for HEAD
    // alone.
    if (this.#request.method === 'HEAD') return
    if (conclusion.kind === 'storable') {
      this.#settings.unstored.noteStorable(this.#request.route)
      if (flight.isSuperseded) return
      if (flight.isJoinable) this.#settings.uncacheable.end(flight.key)
      await this.#keep(conclusion.response)
      return
    }
    this.#note(conclusion.unstored, conclusion.kind === 'uncacheable' ? conclusion.status : 0)
    flight.isAbandoned = conclusion.kind === 'abandoned'
    if (conclusion.kind === 'uncacheable') await this.#refuse(conclusion.status)
  }

  #note ({ reason, vary = [] }: Unstored, status: number): void {
    const { route, log } = this.#request
    if (reason === 'status') this.#settings.unstored.noteStatus(route, status, log)
    else this.#settings.unstored.note(route, reason, reason === 'vary' ? { vary } : {}, log)
  }

  /** Invalidates the stored response after a complete response of the handler that may not be stored (RFC 9111 §4.3.3). */
  async #refuse (status: number): Promise<void> {
    const flight = this.#flight
    if (status >= 500 || NOT_OF_THE_RESOURCE.has(status)) return
    if (flight.isJoinable) this.#settings.uncacheable.start(flight.key, UNCACHEABLE_MS)
    if (this.#found !== undefined && !flight.isSuperseded) await this.#invalidate()
  }

  /** Renews the stored response by the handler's 304; for a 304 of another representation, runs the handler again without validators. */
  async #validate (): Promise<void> {
    const request = this.#request
    const recorded = this.#recorded
    const { own, before } = recorded
    recorded.takeOver()
    const renewal = renew(request, this.#found!.head, { own, before }, this.#requestedAt)
    for (const name of Object.keys(own)) if (isDroppedFrom304(name)) request.removeHeader(name)
    if (renewal !== undefined) return this.#serveRenewed(renewal)
    if (request.refresh !== undefined) {
      request.sendNotModified()
      return this.#invalidate()
    }
    recorded.undo()
    request.setCode(200)
    await new LeadingRun(this.#settings, request, { fwd: this.#fwd, found: undefined, flight: this.#flight }).run()
  }

  /** Serves the stored response with the fields of the 304 (RFC 9111 §4.3.4). */
  async #serveRenewed ({ head, reason }: Renewal): Promise<void> {
    const renewed: StoredResponse = { ...head, body: this.#found!.body() }
    this.#request.serve(servable(renewed), { fwd: 'stale', fwdStatus: 304, stored: reason === undefined })
    this.#recorded.dropLate()
    if (reason !== undefined) return this.#invalidate()
    await this.#keep(renewed)
  }

  /**
   * Stores a response, and gives it to the requests that wait for it. A response whose `No-Vary-Search` does not fit the key of the request
   * is neither stored nor shared; see `keyFor`.
   */
  async #keep (response: StoredResponse): Promise<void> {
    const key = this.#request.keyFor(response)
    if (key !== undefined) await Promise.all([this.#share(response), this.#store(key, response)])
    else if (this.#flight.isJoinable) this.#settings.uncacheable.start(this.#flight.key, UNCACHEABLE_MS)
  }

  async #invalidate (): Promise<void> {
    await this.#request.cache.tags.invalidate(uriTag(this.#request.target))
  }

  /**
   * Gives a response to the requests that wait for it, unless another process has invalidated one of its tags since the handler run began.
   */
  async #share (response: StoredResponse): Promise<void> {
    const flight = this.#flight
    flight.isProven = true
    if (flight.hasWaiters && !await isCurrent(this.#request, flight)) flight.isSuperseded = true
    flight.share(response)
  }

  async #store (key: string, response: StoredResponse): Promise<void> {
    const { cache, target, refresh } = this.#request
    const { tags } = response
    const snapshot = await snapshotFor(this.#request, this.#flight, tags)
    if (snapshot === undefined) return
    const ttl = Math.max(0.001, response.freshness.lifetime - response.freshness.initialAge)
    const staleIfError = Math.max(0, secondsToKeep(response) - ttl)
    const options = { ttl, staleIfError, tags: [...tags], snapshot }
    const isStored = await this.#settings.variants.store(cache, key, response, uriTag(target), options)
    if (refresh !== undefined) refresh.hasRenewed = isStored
    if (isStored) this.#request.noteStored()
  }
}
