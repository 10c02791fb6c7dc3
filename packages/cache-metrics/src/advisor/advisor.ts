import { checkKey } from '@x/cache-core/implementing'
import { readStopwatch, type Core } from '@x/cache-core/suite'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { randomUUID } from 'node:crypto'
import type { Traffic } from '../traffic/traffic.js'
import { endOf, movedBack, nameOfSalt, type AdviceState } from './accesses/advice-state.js'
import { AppNumbers } from './app-numbers.js'
import { AppReports, earlierOf, type AdvisorSettings } from './app-reports.js'
import type { ReuseCurveOptions } from './curve/curve-options.js'
import { TimeBudget } from './time-budget.js'
import { isStorable, representationOf } from './storable-response.js'
import { dimensionsOf } from './dimensions.js'
import { fingerprint, type Fingerprint } from './staleness/fingerprint.js'
import { hashKey, KeyHasher, saltOf } from './hash.js'
import { noteTags, watchWrites } from './observed-writes.js'
import type { Report } from './report/report.js'
import { Subjects } from './subjects.js'

/** The largest value, in bytes, that the advisor compares with the earlier value of its key. */
const MAX_VALUE_BYTES = 256 * 1024
/**
 * The number of values per key pattern that are checked for a change by storing if the state is stored or merged. A process that sees no
 * change in them ends the finding of an earlier process; a change in 2 % of the values is missed with a probability of 2 %.
 */
const CHECKED_VALUES = 200

/**
 * Observes an app's traffic and estimates the effect of a cache. Each read of the cache is added to the reuse curve of its key pattern.
 * Each GET that a shared cache could answer is added to the reuse curve of its route. Values are compared within a time budget.
 */
export class Advisor {
  readonly #core: Core
  readonly #traffic: Traffic
  readonly #numbers: AppNumbers
  readonly #reports: AppReports
  readonly #options: ReuseCurveOptions
  #subjects: Subjects
  readonly #timeBudget = new TimeBudget(() => this.#core.registry.clock)
  #stops: readonly (() => void)[] = []
  /**
   * The time of the last cache read or request, by the stopwatch. The loads and values of that read use the same time, to save readings of
   * the clock.
   */
  #now = 0
  /** The number of times that a getter, a proxy or a `toJSON` of the app threw while the advisor read a value. */
  #failures = 0
  #keys = new KeyHasher()
  /** The value of the last event `loadedFor`. Its fingerprint is used again at the event `loaded`, which follows for the same load. */
  #seen: { readonly value: unknown; readonly print: Fingerprint | undefined } | undefined

  constructor (core: Core, traffic: Traffic, settings: AdvisorSettings = {}) {
    this.#core = core
    this.#traffic = traffic
    this.#numbers = new AppNumbers(core.registry, traffic)
    this.#reports = new AppReports(core, traffic, this.#numbers, settings)
    const { ttls, entries } = settings
    this.#options = { ...ttls === undefined ? {} : { ttls }, ...entries === undefined ? {} : { entries } }
    this.#subjects = new Subjects(this.#options)
  }

  /**
   * Begins to observe; an earlier observation of this advisor is dropped.
   * @param secret the salt of the hashes, if the state is stored or merged
   * @param stored the state of an earlier process that this process continues
   */
  async start (secret?: string, stored?: AdviceState): Promise<void> {
    const now = readStopwatch(this.#core.registry.clock)
    const today = Date.now()
    // If the wall clock was set back, the earlier state is moved back in time. The trace of this process must neither overlap that of the
    // earlier process nor end in the future of the other processes.
    const ahead = stored === undefined ? 0 : Math.max(0, Math.ceil(endOf(stored) - today))
    const earlier = stored === undefined || ahead === 0 ? stored : movedBack(stored, ahead)
    const epoch = today - now
    const subjects = new Subjects(this.#options, secret === undefined ? undefined : epoch)
    if (earlier !== undefined) await subjects.restore(earlier, now)
    this.close()
    this.#subjects = subjects
    this.#keys = new KeyHasher(secret === undefined ? undefined : saltOf(secret))
    this.#now = now
    this.#numbers.begin()
    const { doubts } = this.#core.registry
    if (secret !== undefined) doubts.samples = Math.max(doubts.samples, CHECKED_VALUES)
    const kept = secret === undefined
      ? undefined
      : { saltName: nameOfSalt(secret), origin: earlier?.origin ?? randomUUID(), epoch, began: now, earlier: earlierOf(earlier) }
    this.#reports.begin(subjects, kept)
    this.#listen()
  }

  #listen (): void {
    const core = this.#core
    const { clock, events } = core.registry
    const { patterns, routes } = this.#subjects
    this.#traffic.advisedHitRates = () => this.#reports.hitRates()
    this.#traffic.onCandidate = (route, reply, payload, milliseconds, endedAt) => {
      this.#now = endedAt
      // A `try` statement is used here, since a helper that takes a function would need a new function for each request.
      try {
        this.#noteCandidate(route, reply, payload, milliseconds)
      } catch {
        this.#failures++
      }
    }
    this.#stops = [
      events.on('read', (key, pattern, outcome, tags) => { if (outcome !== 'failed') this.#noteRead(key, pattern, tags) }),
      events.on('loaded', (key, pattern, _seconds, value, error) => {
        if (this.#timeBudget.has(this.#now)) this.#safely(() => this.#noteLoad(key, pattern, value, error))
        else this.#seen = undefined
      }),
      events.on('loadedFor', (key, value, request) => this.#safely(() => this.#noteLoadFor(key, value, request))),
      ...watchWrites(core, { patterns, routes, keys: this.#keys, now: () => readStopwatch(clock), safely: (note) => this.#safely(note) }),
      core.watch(() => this.#timeBudget.has(this.#now))
    ]
  }

  close (): void {
    this.#traffic.advisedHitRates = this.#traffic.onCandidate = undefined
    for (const stop of this.#stops) stop()
    this.#stops = []
  }

  /** The bytes of the tables of all observed key patterns and routes. */
  get bytes (): number { return this.#subjects.bytes }

  /**
   * Makes the report. If there are states of other processes, the hit rates are those of one cache that all processes share.
   * @param others the states of other processes, with the same salt and sizes
   */
  report (others: readonly AdviceState[] = []): Promise<Report> {
    return this.#reports.report(this.#failures, others)
  }

  /** Returns the advisor's state to be stored over restarts; `undefined`: the accesses are not recorded. */
  state (): AdviceState | undefined { return this.#reports.state() }

  /**
   * Notes a read; `tags` are those of a hit. A hit stores nothing, but a simulated cache that is smaller than the cache in service may have to
   * load the key again, and another process may have loaded it.
   */
  #noteRead (key: string, pattern: string, tags: unknown): void {
    this.#now = readStopwatch(this.#core.registry.clock)
    const observed = this.#subjects.of('pattern', pattern, this.#now)
    observed?.noteRead(this.#keys.of(key), key.length, this.#now)
    if (observed === undefined || !Array.isArray(tags)) return
    try {
      noteTags(observed, this.#keys, key, tags as string[])
    } catch {
      this.#failures++
    }
  }

  #noteLoad (key: string, pattern: string, value: unknown, error: unknown): void {
    const seen = this.#seen
    this.#seen = undefined
    // Loads are observed only while no cache stores values, since every read then loads. With a cache, loads represent the misses alone.
    if (error !== undefined || !this.#core.registry.isObserving || checkKey(key) !== undefined) return
    const observed = this.#subjects.patterns.get(pattern)
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
    const observed = this.#subjects.patterns.get(stats.patterns.of(key))
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
    const observed = this.#subjects.of('route', route, now)
    if (observed === undefined) return
    const url = request.raw.url!
    observed.noteRead(this.#keys.hash(url), url.length, now)
    if (milliseconds !== undefined) observed.noteDuration(milliseconds / 1000)
    if (!this.#timeBudget.has(now)) return
    this.#spend(() => {
      // The header fields are read at the event `finish`. To replace `writeHead` would cost more, as Node then takes slower paths.
      reply.raw.once('finish', () => this.#safely(() => this.#spend(() => {
        observed.noteAnswer(reply.hasHeader('set-cookie'), isStorable(reply.raw.statusCode, request, reply))
      })))
      // Only the responses of handlers are compared with each other, since a response from the cache always equals the stored one. Responses
      // with a Content-Encoding are left out, since the same content may be compressed differently each time.
      if (!this.#core.registry.isObserving || reply.statusCode !== 200 || reply.hasHeader('content-encoding')) return
      if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return
      const print = fingerprint(payload, MAX_VALUE_BYTES)
      if (print === undefined) return observed.noteUnseen()
      // Responses of one URL may differ if `Vary` selects them by request headers, so each variant is compared only with itself.
      const variant = hashKey(representationOf(request, reply))
      if (observed.staleness.wants(variant)) observed.noteValue(variant, now, print)
      observed.leak.note(variant, now / 1000, print.hash, dimensionsOf(request, false))
    })
  }

  /** Runs `look`, which compares values, and subtracts its duration from the advisor's time budget. */
  #spend (look: () => void): void {
    const began = readStopwatch(this.#core.registry.clock)
    try {
      look()
    } finally {
      this.#timeBudget.spend(readStopwatch(this.#core.registry.clock) - began)
    }
  }

  /** Runs `note`, which reads objects of the app that may throw. An exception is counted for the report, and the request does not fail. */
  #safely (note: () => void): void {
    try {
      note()
    } catch {
      this.#failures++
    }
  }
}
