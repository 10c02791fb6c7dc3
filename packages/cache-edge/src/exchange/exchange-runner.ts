import { corrupt } from '@x/cache-core/implementing'
import { Backoff, type Core } from '@x/cache-core/suite'
import { within } from '../lib/within.js'
import { decide, type DecidedRequest, type FoundResponse, type RecentFailures } from '../rules/decide.js'
import { stateOf } from '../rules/stored-state.js'
import { anyGroupTag } from '../store/cache-key.js'
import type { StoredHead } from '../store/stored-response.js'
import { isStaleAllowed, matches, servable, timeOf, Variants, type SelectedVariant, type Lookup } from '../store/variants.js'
import type { CacheRequest } from './cache-request.js'
import { afterArrival, afterProof, afterWait, type ForwardState, type Miss } from './exchange-states.js'
import { HandlerFlights } from './handler-flight.js'
import { isCurrent } from './tag-state.js'
import { LeadingRun, type LeadingRunSettings } from './leading-run.js'
import { LoneRuns } from './lone-runs.js'
import { RecordingMemory } from './recording.js'
import { Refresher } from './refresh.js'
import { UnstoredRoutes } from './unstored-routes.js'

/** The settings by which the requests of one app are answered by stored responses or by their handlers. */
export interface ExchangeSettings {
  readonly maxBodyBytes: number
  readonly maxVariants: number
  readonly coalesceMs: number
  /** Called whenever the recordings of all streams together exceed their memory limit. */
  readonly onMemoryFull: () => void
}

/** The minimum of the memory limit, in bytes, for the recordings of all streams together. A large `maxBodyBytes` raises the limit. */
const RECORDING_BYTES = 32 * 1024 * 1024

type Waiting = Extract<ForwardState, { kind: 'waiting' }>

/**
 * Answers requests by a stored response or by a handler run. It acts on the decisions of `rules/` and on the states of
 * `exchange-states.ts`.
 */
export class ExchangeRunner {
  readonly unstored = new UnstoredRoutes()
  readonly lone: LoneRuns
  readonly #core: Core
  readonly #coalesceMs: number
  readonly #variants: Variants
  readonly #flights: HandlerFlights
  readonly #refresher: Refresher
  readonly #runs: LeadingRunSettings
  readonly #failures: RecentFailures<StoredHead>
  readonly #stops: readonly (() => void)[]

  constructor (core: Core, { maxBodyBytes, maxVariants, coalesceMs, onMemoryFull }: ExchangeSettings) {
    const { registry, registry: { events } } = core
    this.#core = core
    this.#coalesceMs = coalesceMs
    this.#refresher = new Refresher(registry)
    this.#flights = new HandlerFlights(registry, coalesceMs)
    this.#variants = new Variants(maxVariants, () => {
      const { active } = registry
      const error = corrupt('edge', 'something that is no response')
      active.stats.countError(error)
      events.emit('failed', active.stats.label, 'edge', error)
    })
    const { unstored } = this
    const memory = new RecordingMemory(Math.max(RECORDING_BYTES, 2 * maxBodyBytes), onMemoryFull)
    const failed = new Backoff(registry)
    this.#failures = {
      hasFailed: (key, head) => failed.isActive(key + head.variant),
      isRefreshRefused: (key, head) => this.#refresher.isRefused(key, head)
    }
    this.#runs = {
      maxBodyBytes, memory, unstored, failed, variants: this.#variants, flights: this.#flights, uncacheable: new Backoff(registry)
    }
    this.lone = new LoneRuns({ maxBodyBytes, memory, unstored })
    this.#stops = [
      events.on('invalidated', (tags) => this.#flights.supersedeTags(tags)),
      events.on('cleared', () => {
        this.#flights.supersedeAll()
        this.#variants.clear()
      }),
      // Handler runs in progress are superseded, so that a response that was made while one implementation was in service is not stored in
      // another.
      events.on('swapped', () => this.#flights.supersedeAll())
    ]
  }

  /** Ends the subscriptions of this object to the events of the cache. */
  close (): void {
    for (const stop of this.#stops) stop()
  }

  /**
   * Answers a request by a stored response or by a handler run. `undefined`: the response was sent at once. The promise rejects with the
   * error of the handler.
   */
  answer (request: CacheRequest): Promise<void> | undefined {
    const looked = this.#variants.find(request.cache, request.key, request)
    return looked instanceof Promise ? looked.then((lookup) => this.#decide(request, lookup)) : this.#decide(request, looked)
  }

  /**
   * Counts a request for a variant, if an early answer was sent and `answer` was not called. If a URL has too many variants, the least
   * requested ones are replaced first.
   */
  countVariant (key: string): void {
    this.#variants.countRequest(key)
  }

  /** Whether a stored response may be served as a fresh hit; see {@link decide}. */
  isHit (request: DecidedRequest, found: FoundResponse<StoredHead>, now: number): boolean {
    return decide(request, { found, isOther: false }, this.#failures, now).kind === 'hit'
  }

  #decide (request: CacheRequest, looked: Lookup): Promise<void> | undefined {
    const { found } = looked
    if (found !== undefined && request.refresh === undefined && !request.hasLabelsOf(found.head)) return this.lone.runLabelled(request)
    const now = found === undefined ? 0 : timeOf(found)
    const decision = decide(request, looked, this.#failures, now)
    switch (decision.kind) {
      case 'hit':
        request.noteStored()
        request.serveHit(found!, now)
        return undefined
      case 'stale-while-revalidate':
        this.#refresher.start(request, found!.head)
        request.serveHit(found!, now)
        return undefined
      case 'stale-if-error':
        request.serve(found!, { hit: true, detail: 'stale-if-error' })
        return undefined
    }
    const fwd: Miss = decision.why
    if (decision.kind === 'range') return this.lone.runRange(request)
    if (found === undefined && request.refresh === undefined && this.unstored.showsAll(request.route)) {
      if (request.method !== 'HEAD') this.unstored.noteOther(request.route)
      return this.lone.runShown(request, { fwd }, request.method === 'GET')
    }
    if (decision.kind === 'gateway-timeout') {
      if (request.method !== 'HEAD') this.unstored.noteOther(request.route)
      request.setStatus({ fwd })
      request.sendGatewayTimeout()
      return undefined
    }
    if (request.method !== 'HEAD') return this.#forward(request, found, fwd)
    // A HEAD request joins no run, since its response has no body that could be stored. It may validate the stored response, or get it
    // stale.
    return found === undefined ? this.lone.runAlone(request, { fwd }) : this.#lead(request, found, fwd, undefined)
  }

  /**
   * Follows a forwarded request from state to state. There is no `await` between the look-up of a handler run to join and the begin of an
   * own run. Therefore, if the client of a run disconnects, only one of the waiting requests begins the next run.
   */
  async #forward (request: CacheRequest, found: SelectedVariant | undefined, fwd: Miss): Promise<void> {
    let state: ForwardState = this.#arrive(request, Infinity)
    for (;;) {
      switch (state.kind) {
        case 'arriving':
          state = this.#arrive(request, state.until)
          break
        case 'waiting':
          state = await this.#wait(request, found, state)
          break
        case 'proving':
          state = afterProof(state, await isCurrent(request, state.flight))
          break
        case 'leading': return this.#lead(request, found, fwd, state.flightKey)
        case 'alone': return this.lone.runAlone(request, { fwd })
        case 'stale': return request.serve(found!, { fwd, collapsed: true, detail: state.detail })
        case 'shared': return request.serve(servable(state.response), { fwd, collapsed: true })
        case 'gone': return
      }
    }
  }

  #arrive (request: CacheRequest, until: number): ForwardState {
    const { clock } = this.#core.registry
    const flightKey = request.isServed ? request.flightKey : undefined
    const flight = flightKey === undefined ? undefined : this.#flights.joinable(flightKey)
    const isUncacheable = flightKey !== undefined && this.#runs.uncacheable.isActive(flightKey)
    return afterArrival({ flightKey, flight, isUncacheable, until: Math.min(until, clock.now() + this.#coalesceMs) })
  }

  async #wait (request: CacheRequest, found: SelectedVariant | undefined, state: Waiting): Promise<ForwardState> {
    const { clock } = this.#core.registry
    const response = request.refresh !== undefined ? undefined : await within(state.until - clock.now(), state.flight.join())
    return afterWait(state, {
      isGone: request.isGone,
      hasTimeLeft: clock.now() < state.until,
      isStaleAllowed: found !== undefined && isStaleAllowed(found),
      response,
      isUsable: response !== undefined && stateOf(response, false, Date.now()) === 'fresh' && matches(response, request.headers) && request.hasLabelsOf(response)
    })
  }

  /** Runs the handler for a request and for the requests that join its flight. */
  async #lead (request: CacheRequest, found: SelectedVariant | undefined, fwd: Miss, flightKey: string | undefined): Promise<void> {
    const tags = [...request.tags, anyGroupTag(request.target)]
    const flight = this.#flights.begin(flightKey, tags)
    try {
      const snapshot = await request.cache.tags.capture(tags)
      if (snapshot.ok) flight.snapshot = snapshot.value
      // The client of this request disconnected, so one of the waiting requests runs the handler next.
      if (flight.isJoinable && request.isGone) flight.isAbandoned = true
      else await new LeadingRun(this.#runs, request, { fwd, found, flight }).run()
    } finally {
      this.#flights.end(flight)
    }
  }
}
