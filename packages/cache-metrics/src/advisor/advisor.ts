import type { Core, DurationHistogram } from '@x/cache-core'
import { DURATION_BUCKETS } from '@x/cache-core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { EdgeCounts } from '../edge-counts.js'
import type { RouteTraffic } from '../routes.js'
import type { Traffic } from '../traffic.js'
import { advise, DEFAULT_WISHES, type Wishes } from './advice.js'
import { Allowance } from './allowance.js'
import { dimensionsOf } from './dimensions.js'
import { fingerprint, type Fingerprint } from './fingerprint.js'
import { gates, MIN_OBSERVED_SECONDS, type GateNumbers } from './gates.js'
import { hashKey } from './hash.js'
import { planFor } from './plan.js'
import { verdictOfAdvice, type Report } from './report.js'
import { Subject } from './subject.js'

/** What the advisor looks at, and what it is asked for. */
export interface AdvisorSettings extends Partial<Wishes> {
  /** Seconds of the curves. */
  readonly ttls?: readonly number[]
  /** Sizes of the curves. */
  readonly entries?: readonly number[]
  /** Days of observation before a gate says go or no-go. Default 7. */
  readonly minDays?: number
}

/** Key patterns and routes that are looked at, each: what they hold together stays below 8 MB. */
const MAX_SUBJECTS = 20
/** Bytes of a value up to which it is compared. */
const MAX_VALUE_BYTES = 256 * 1024

/**
 * Learns from an app's traffic what a cache would do for it. Every read is noted in a curve of its key pattern, every GET
 * that a shared cache could answer in one of its route; values are compared as far as the allowance goes.
 */
export class Advisor {
  readonly #core: Core
  readonly #traffic: Traffic
  readonly #settings: AdvisorSettings
  readonly #wishes: Wishes
  #began: number
  readonly #patterns = new Map<string, Subject>()
  readonly #routes = new Map<string, Subject>()
  readonly #allowance = new Allowance()
  #stops: readonly (() => void)[] = []
  #leftOut = 0
  /** When something was last asked for: what follows from it is of the same time, and a clock is not free. */
  #now: number
  #lastKey = ''
  #lastHash = hashKey('')
  /** The load that was announced with its request, and is about to be announced without. */
  #seen: { readonly value: unknown; readonly print: Fingerprint | undefined } | undefined

  constructor (core: Core, traffic: Traffic, settings: AdvisorSettings = {}) {
    this.#core = core
    this.#traffic = traffic
    this.#settings = settings
    this.#wishes = {
      staleTolerance: settings.staleTolerance ?? DEFAULT_WISHES.staleTolerance,
      minRequests: settings.minRequests ?? DEFAULT_WISHES.minRequests
    }
    this.#began = this.#now = core.registry.clock.now()
  }

  start (): void {
    const core = this.#core
    const { clock, events, stats } = core.registry
    this.#began = this.#now = clock.now()
    this.#traffic.onCandidate = (...candidate) => this.#noteCandidate(...candidate)
    this.#stops = [
      stats.listen((key, pattern) => this.#noteRead(key, pattern)),
      events.on('loaded', (key, pattern, _seconds, value, error) => { if (error === undefined) this.#noteLoad(key, pattern, value) }),
      events.on('loadedFor', (key, value, request) => this.#noteLoadFor(key, value, request)),
      core.watch(() => this.#allowance.has(this.#now))
    ]
  }

  close (): void {
    this.#traffic.onCandidate = undefined
    for (const stop of this.#stops) stop()
  }

  /** Bytes that the tables hold. */
  get bytes (): number {
    return [...this.#patterns.values(), ...this.#routes.values()].reduce((sum, { bytes }) => sum + bytes, 0)
  }

  report (): Report {
    const { clock, stats } = this.#core.registry
    const now = clock.now()
    const traffic = new Map([...this.#traffic.routes].map((route) => [route.label, route]))
    const { staleTolerance } = this.#wishes
    const observations = [
      ...[...this.#patterns.values()].map((subject) => subject.observation(now, meanOf(stats.loads.get(subject.name)?.durations), staleTolerance)),
      ...[...this.#routes].map(([label, subject]) => subject.observation(now, meanOf(...durationsOf(traffic.get(label))), staleTolerance))
    ]
    const advice = advise(observations, this.#wishes)
    const observedSeconds = (now - this.#began) / 1000
    const requests = [...traffic.values()].reduce((sum, route) => sum + countOf(route), 0)
    const numbers = this.#numbers(observedSeconds, requests, [...traffic.values()])
    return {
      version: 1,
      generatedAt: new Date().toISOString(),
      source: 'this process',
      observedSeconds,
      requests,
      verdict: verdictOfAdvice(advice),
      advice,
      gates: gates(numbers, this.#settings.minDays === undefined ? MIN_OBSERVED_SECONDS : this.#settings.minDays * 86_400),
      plan: planFor(advice),
      notes: this.#notes(observedSeconds)
    }
  }

  #notes (observedSeconds: number): string[] {
    const notes = ['Hit rates are those of one process; several that share a cache see more.']
    if (observedSeconds < 3600) notes.push('Observed for less than an hour: keys that come again later are not in the hit rates.')
    if (!this.#core.registry.active.passThrough) notes.push('A cache is in service: values were compared while NullCache observed, or not at all.')
    if (this.#leftOut > 0) notes.push(`${this.#leftOut} reads and requests were of key patterns or routes beyond the first ${MAX_SUBJECTS} of each, which are not looked at.`)
    return notes
  }

  #numbers (seconds: number, requests: number, routes: readonly RouteTraffic[]): GateNumbers {
    const { stats } = this.#core.registry
    const { candidates, etagMatches } = EdgeCounts.of(this.#core.registry)
    const reads = new Map<string, number>()
    for (const { counters } of stats.impls.values()) {
      for (const { keyPattern, hits, misses } of counters.values()) reads.set(keyPattern, (reads.get(keyPattern) ?? 0) + hits + misses)
    }
    return {
      seconds,
      source: 'this process',
      candidates: routes.reduce((sum, route) => sum + candidatesOf(route), 0),
      edgeCandidates: candidates,
      etagMatches,
      requests,
      routes: routes.map((route) => ({ name: route.label, requests: candidatesOf(route), p95Seconds: quantile(0.95, durationsOf(route)) })),
      patterns: [...reads].map(([name, count]) => ({ name, requests: count }))
    }
  }

  #noteRead (key: string, pattern: string): void {
    const now = this.#now = this.#core.registry.clock.now()
    this.#subject(this.#patterns, 'pattern', pattern)?.noteRead(this.#hash(key), key.length, now)
  }

  #noteLoad (key: string, pattern: string, value: unknown): void {
    // Behind a cache that stores, loads are no sample of the requests.
    if (!this.#core.registry.active.passThrough) return
    const subject = this.#patterns.get(pattern)
    const hash = this.#hash(key)
    if (subject !== undefined && subject.staleness.wants(hash)) {
      this.#look(() => {
        const print = this.#seen !== undefined && this.#seen.value === value ? this.#seen.print : fingerprint(value, MAX_VALUE_BYTES)
        if (print !== undefined) subject.noteValue(hash, this.#now, print)
      })
    }
    this.#seen = undefined
  }

  #noteLoadFor (key: string, value: unknown, request: FastifyRequest): void {
    const { active, stats } = this.#core.registry
    const subject = this.#patterns.get(stats.patterns.of(key))
    if (subject === undefined || !active.passThrough) return
    this.#look(() => {
      const print = fingerprint(value, MAX_VALUE_BYTES)
      this.#seen = { value, print }
      if (print !== undefined) subject.leak.note(this.#hash(key), this.#now / 1000, print.hash, dimensionsOf(request, true))
    })
  }

  #noteCandidate (route: string, request: FastifyRequest, reply: FastifyReply, payload: unknown, now: number): void {
    const url = request.raw.url!
    this.#now = now
    const subject = this.#subject(this.#routes, 'route', route)
    if (subject === undefined) return
    const hash = hashKey(url)
    subject.noteRead(hash, url.length, now)
    if (reply.statusCode !== 200) return
    subject.noteAnswer(reply.hasHeader('set-cookie'))
    if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return
    this.#look(() => {
      const print = fingerprint(payload, MAX_VALUE_BYTES)
      if (print === undefined) return
      if (subject.staleness.wants(hash)) subject.noteValue(hash, now, print)
      subject.leak.note(hash, now / 1000, print.hash, dimensionsOf(request, false))
    })
  }

  #subject (known: Map<string, Subject>, kind: Subject['kind'], name: string): Subject | undefined {
    const subject = known.get(name)
    if (subject !== undefined) return subject
    if (known.size >= MAX_SUBJECTS) {
      this.#leftOut++
      return undefined
    }
    const { ttls, entries } = this.#settings
    const made = new Subject(kind, kind === 'route' ? `GET ${name}` : name, this.#now, { ...ttls === undefined ? {} : { ttls }, ...entries === undefined ? {} : { entries } })
    known.set(name, made)
    return made
  }

  /** One operation asks for its key's hash up to three times. */
  #hash (key: string): number {
    if (key !== this.#lastKey) {
      this.#lastKey = key
      this.#lastHash = hashKey(key)
    }
    return this.#lastHash
  }

  /** Looks at a value if there is time for it, and counts the time. */
  #look (look: () => void): void {
    if (!this.#allowance.has(this.#now)) return
    const { clock } = this.#core.registry
    const began = clock.now()
    look()
    this.#allowance.spend(clock.now() - began)
  }
}

function durationsOf (route: RouteTraffic | undefined): DurationHistogram[] {
  return Object.values(route?.durations ?? {}).filter((durations) => durations !== undefined)
}

function countOf (route: RouteTraffic): number {
  return durationsOf(route).reduce((sum, { count }) => sum + count, 0)
}

function candidatesOf ({ candidates: { GET, HEAD } }: RouteTraffic): number {
  return GET + HEAD
}

/** `undefined`: nothing was measured. */
function meanOf (...all: ReadonlyArray<DurationHistogram | undefined>): number | undefined {
  let count = 0
  let sum = 0
  for (const durations of all) {
    count += durations?.count ?? 0
    sum += durations?.sum ?? 0
  }
  return count === 0 ? undefined : sum / count
}

/** The upper bound of the bucket that has it, as `histogram_quantile` reads it at its coarsest; `undefined`: nothing was measured. */
function quantile (share: number, all: readonly DurationHistogram[]): number | undefined {
  const total = all.reduce((sum, { count }) => sum + count, 0)
  if (total === 0) return undefined
  let seen = 0
  for (const [at, bound] of DURATION_BUCKETS.entries()) {
    seen += all.reduce((sum, { counts }) => sum + counts[at]!, 0)
    if (seen >= share * total) return bound
  }
  return DURATION_BUCKETS.at(-1)
}
