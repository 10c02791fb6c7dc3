import { checkKey } from '@x/cache-core/implementing'
import { readStopwatch, type Core } from '@x/cache-core/suite'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Traffic } from '../traffic/traffic.js'
import { advise, DEFAULT_WISHES, type Advice, type Wishes } from './report/advice.js'
import { AppNumbers } from './app-numbers.js'
import { TimeBudget } from './time-budget.js'
import { isStorable, representationOf } from './storable-response.js'
import { dimensionsOf } from './dimensions.js'
import { fingerprint, type Fingerprint } from './staleness/fingerprint.js'
import { gates, MIN_OBSERVED_SECONDS } from './report/go-no-go-gates.js'
import { hashKey, KeyHasher } from './hash.js'
import { watchWrites } from './observed-writes.js'
import { planFor } from './report/plan.js'
import { staleUnknown, verdictOfReport, type Report } from './report/report.js'
import { shadowFindings } from './report/shadow.js'
import { RouteObservation } from './route-observation.js'

/** The settings of the advisor, which observes an app and reports what a cache would do. */
export interface AdvisorSettings extends Partial<Wishes> {
  /** The ttls, in seconds, for which the hit-rate curves estimate a hit rate. */
  readonly ttls?: readonly number[]
  /** The cache sizes, in entries, for which the hit-rate curves estimate a hit rate. */
  readonly entries?: readonly number[]
  /**
   * Days of observation before a gate of the report is go or no-go.
   * @default 7
   */
  readonly minDays?: number
}

/** The maximum number of observed key patterns, and of observed routes; their tables together stay below 8 MB. */
const MAX_SUBJECTS = 16
/** The largest value, in bytes, that the advisor compares with the earlier value of its key. */
const MAX_VALUE_BYTES = 256 * 1024

/**
 * Observes an app's traffic and estimates the effect of a cache. Each read of the cache is noted in the reuse curve of its key pattern,
 * each GET that a shared cache could answer in the reuse curve of its route. Values are compared within a time budget.
 */
export class Advisor {
  readonly #core: Core
  readonly #traffic: Traffic
  readonly #numbers: AppNumbers
  readonly #settings: AdvisorSettings
  readonly #wishes: Wishes
  #began: number
  readonly #patterns = new Map<string, RouteObservation>()
  readonly #routes = new Map<string, RouteObservation>()
  readonly #timeBudget = new TimeBudget()
  #stops: readonly (() => void)[] = []
  #leftOut = 0
  /** The time of the last cache read or request, by the stopwatch; its loads and values use it too, to save readings of the clock. */
  #now = 0
  /** The number of throws by a getter, a proxy or a `toJSON` of the app while the advisor read a value. */
  #failures = 0
  readonly #keys = new KeyHasher()
  /** The value of the last event `loadedFor`; the event `loaded` of the same load follows, and reuses the fingerprint of the value. */
  #seen: { readonly value: unknown; readonly print: Fingerprint | undefined } | undefined

  constructor (core: Core, traffic: Traffic, settings: AdvisorSettings = {}) {
    this.#core = core
    this.#traffic = traffic
    this.#numbers = new AppNumbers(core.registry, traffic)
    this.#settings = settings
    this.#wishes = {
      staleTolerance: settings.staleTolerance ?? DEFAULT_WISHES.staleTolerance,
      minRequests: settings.minRequests ?? DEFAULT_WISHES.minRequests
    }
    this.#began = core.registry.clock.now()
  }

  start (): void {
    const core = this.#core
    const { clock, events } = core.registry
    this.#began = clock.now()
    this.#now = readStopwatch(clock)
    this.#numbers.begin()
    this.#traffic.onCandidate = (route, reply, payload, milliseconds, endedAt) => {
      this.#now = endedAt
      // A `try` here and no helper that takes a function: that would create one function for each request.
      try {
        this.#noteCandidate(route, reply, payload, milliseconds)
      } catch {
        this.#failures++
      }
    }
    this.#stops = [
      events.on('read', (key, pattern, outcome) => { if (outcome !== 'failed') this.#noteRead(key, pattern) }),
      events.on('loaded', (key, pattern, _seconds, value, error) => {
        if (this.#timeBudget.has(this.#now)) this.#safely(() => this.#noteLoad(key, pattern, value, error))
        else this.#seen = undefined
      }),
      events.on('loadedFor', (key, value, request) => this.#safely(() => this.#noteLoadFor(key, value, request))),
      ...watchWrites(core, { patterns: this.#patterns, routes: this.#routes, keys: this.#keys, safely: (note) => this.#safely(note) }),
      core.watch(() => this.#timeBudget.has(this.#now))
    ]
  }

  close (): void {
    this.#traffic.onCandidate = undefined
    for (const stop of this.#stops) stop()
  }

  /** The size of the tables of all observed key patterns and routes, in bytes. */
  get bytes (): number {
    return [...this.#patterns.values(), ...this.#routes.values()].reduce((sum, { bytes }) => sum + bytes, 0)
  }

  report (): Report {
    const now = this.#core.registry.clock.now()
    const { staleTolerance } = this.#wishes
    const observedSeconds = (now - this.#began) / 1000
    const observations = [
      ...[...this.#patterns.values()].map((observed) =>
        observed.observation(observedSeconds, staleTolerance, this.#numbers.loadsOf(observed.name))),
      ...[...this.#routes.values()].map((observed) => observed.observation(observedSeconds, staleTolerance))
    ]
    const advice = advise(observations, this.#wishes)
    const numbers = this.#numbers.ofGates(observedSeconds)
    const rows = gates(numbers, this.#settings.minDays === undefined ? MIN_OBSERVED_SECONDS : this.#settings.minDays * 86_400)
    const shadow = shadowFindings(this.#core.registry.shadow.stats.patterns.values(), staleTolerance)
    return {
      version: 1,
      generatedAt: new Date().toISOString(),
      source: 'this process',
      observedSeconds,
      requests: numbers.requests,
      verdict: verdictOfReport(advice, rows, shadow),
      advice,
      gates: rows,
      plan: planFor(advice),
      arms: this.#traffic.arms.report(),
      ...shadow.length === 0 ? {} : { shadow },
      notes: this.#notes(observedSeconds, advice)
    }
  }

  #notes (observedSeconds: number, advice: readonly Advice[]): string[] {
    const notes = ['Hit rates are those of one process; several that share a cache see more.']
    if (observedSeconds < 3600) notes.push('Observed for less than an hour: keys that come again later are not in the hit rates.')
    const unknown = advice.filter(({ judgement, staleness }) => judgement.kind === 'good' && staleUnknown(staleness)).length
    if (unknown > 0) notes.push(`${unknown} of what is good has hits whose staleness is unknown: the observation has to last several of its ttls. Until then good is said of the hits alone.`)
    if (!this.#core.registry.isObserving) notes.push('A cache is in service: values were compared while NullCache observed, or at 0 % of a rollout, or not at all.')
    if (this.#failures > 0) notes.push(`${this.#failures} values or requests could not be looked at: a getter, a proxy or a toJSON of the app threw.`)
    if (this.#leftOut > 0) notes.push(`${this.#leftOut} reads and requests were of key patterns or routes beyond the first ${MAX_SUBJECTS} of each, which are not looked at.`)
    return notes
  }

  #noteRead (key: string, pattern: string): void {
    this.#now = readStopwatch(this.#core.registry.clock)
    this.#observedOf(this.#patterns, 'pattern', pattern)?.noteRead(this.#keys.of(key), key.length, this.#now)
  }

  #noteLoad (key: string, pattern: string, value: unknown, error: unknown): void {
    const seen = this.#seen
    this.#seen = undefined
    // While a cache stores values, only misses load, so that loads do not represent all requests.
    if (error !== undefined || !this.#core.registry.isObserving || checkKey(key) !== undefined) return
    const observed = this.#patterns.get(pattern)
    const hash = this.#keys.of(key)
    if (observed === undefined || !observed.staleness.wants(hash)) return
    this.#spend(() => {
      const isSeen = seen !== undefined && seen.value === value
      const print = isSeen ? seen.print : fingerprint(value, MAX_VALUE_BYTES, this.#core.registry.serializer)
      if (print === undefined) observed.noteUnseen()
      else observed.noteValue(hash, this.#now, print)
    })
  }

  #noteLoadFor (key: string, value: unknown, request: FastifyRequest): void {
    const { isObserving, stats } = this.#core.registry
    if (!isObserving || checkKey(key) !== undefined) return
    const observed = this.#patterns.get(stats.patterns.of(key))
    if (observed === undefined || !this.#timeBudget.has(this.#now)) return
    this.#spend(() => {
      const print = fingerprint(value, MAX_VALUE_BYTES, this.#core.registry.serializer)
      this.#seen = { value, print }
      if (print !== undefined) observed.leak.note(this.#keys.of(key), this.#now / 1000, print.hash, dimensionsOf(request, true))
    })
  }

  #noteCandidate (route: string, reply: FastifyReply, payload: unknown, milliseconds: number | undefined): void {
    const { request } = reply
    const now = this.#now
    const observed = this.#observedOf(this.#routes, 'route', route)
    if (observed === undefined) return
    const url = request.raw.url!
    const hash = hashKey(url)
    observed.noteRead(hash, url.length, now)
    if (milliseconds !== undefined) observed.noteDuration(milliseconds / 1000)
    if (!this.#timeBudget.has(now)) return
    this.#spend(() => {
      // `finish` costs less than a replaced `writeHead`, after which Node's code takes slower paths for the response.
      reply.raw.once('finish', () => this.#safely(() => this.#spend(() => {
        observed.noteAnswer(reply.hasHeader('set-cookie'), isStorable(reply.raw.statusCode, request, reply))
      })))
      // Only the responses of handlers are compared with each other, since a response from the cache always equals the stored one. Responses
      // with a Content-Encoding are left out, since the same content may be compressed differently each time.
      if (!this.#core.registry.isObserving || reply.statusCode !== 200 || reply.hasHeader('content-encoding')) return
      if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return
      const print = fingerprint(payload, MAX_VALUE_BYTES)
      if (print === undefined) return observed.noteUnseen()
      // Responses that `Vary` selects for other request headers may differ: each variant is compared with itself.
      const variant = hashKey(representationOf(request, reply))
      if (observed.staleness.wants(variant)) observed.noteValue(variant, now, print)
      observed.leak.note(variant, now / 1000, print.hash, dimensionsOf(request, false))
    })
  }

  #observedOf (known: Map<string, RouteObservation>, kind: RouteObservation['kind'], name: string): RouteObservation | undefined {
    const observed = known.get(name)
    if (observed !== undefined) return observed
    if (known.size >= MAX_SUBJECTS) {
      this.#leftOut++
      return undefined
    }
    const { ttls, entries } = this.#settings
    const made = new RouteObservation(kind, kind === 'route' ? `GET ${name}` : name, { ...ttls === undefined ? {} : { ttls }, ...entries === undefined ? {} : { entries } })
    known.set(name, made)
    return made
  }

  /** Runs `look`, which compares values, and subtracts the time that it took from the advisor's time budget. */
  #spend (look: () => void): void {
    const began = readStopwatch(this.#core.registry.clock)
    try {
      look()
    } finally {
      this.#timeBudget.spend(readStopwatch(this.#core.registry.clock) - began)
    }
  }

  /** Runs `note`, which reads objects of the app that may throw. A throw is counted for the report; the request does not fail. */
  #safely (note: () => void): void {
    try {
      note()
    } catch {
      this.#failures++
    }
  }
}
