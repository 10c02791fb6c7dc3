import { setImmediate as nextTurn } from 'node:timers/promises'
import { endOf, type AdviceState, type SubjectState } from './accesses/advice-state.js'
import { SampledAccesses } from './accesses/sampled-accesses.js'
import { TraceTime, type Span } from './accesses/trace-time.js'
import type { ReuseCurveOptions } from './curve/curve-options.js'
import { RouteObservation, type AccessRecord, type LoadObservation } from './route-observation.js'

/** The maximum number of observed key patterns, and of observed routes; their tables together stay below 8 MB. */
export const MAX_SUBJECTS = 16
/** The maximum bytes of all records of accesses together. Each key pattern or route has one record; all have the same maximum length. */
const MAX_RECORD_BYTES = 2 * 1024 * 1024
const BYTES_PER_ACCESS = 9
/**
 * The milliseconds of observation without a request after which a key pattern or route gives its place to a new one. They are longer than a
 * weekend.
 */
const UNUSED_MS = 3 * 86_400_000
/** The number of requests left out for which unused key patterns or routes are searched once. */
const LEFT_OUT_PER_SEARCH = 64

/** The key patterns and routes that the advisor observes. */
export class Subjects {
  readonly patterns = new Map<string, RouteObservation>()
  readonly routes = new Map<string, RouteObservation>()
  readonly #options: ReuseCurveOptions
  readonly #epoch: number | undefined
  #records: SampledAccesses[] = []
  /** The number of reads and of requests that were not observed, since there were too many key patterns or routes. */
  readonly #leftOut = { pattern: 0, route: 0 }

  /**
   * Makes an empty set of observations.
   * @param epoch the zero of the clock in milliseconds since 1970, if the accesses are recorded
   */
  constructor (options: ReuseCurveOptions, epoch?: number) {
    this.#options = options
    this.#epoch = epoch
  }

  /** The number of reads and requests together that were not observed. */
  get leftOut (): number { return this.#leftOut.pattern + this.#leftOut.route }

  get all (): RouteObservation[] { return [...this.patterns.values(), ...this.routes.values()] }

  /** The size of the tables of all observed key patterns and routes, in bytes. */
  get bytes (): number { return this.all.reduce((sum, { bytes }) => sum + bytes, 0) }

  /**
   * Returns the observation of a key pattern or route, and creates it if necessary; `undefined`: the maximum number is reached.
   * @param now the present time by the stopwatch
   */
  of (kind: RouteObservation['kind'], name: string, now: number): RouteObservation | undefined {
    const known = kind === 'pattern' ? this.patterns : this.routes
    const observed = known.get(name)
    if (observed !== undefined) return observed
    if (known.size >= MAX_SUBJECTS && !this.#dropUnused(kind, known, now)) {
      this.#leftOut[kind]++
      return undefined
    }
    const record = this.#epoch === undefined ? undefined : (strata: readonly number[]) => this.#recordOf(strata)
    const made = new RouteObservation(kind, kind === 'route' ? `GET ${name}` : name, this.#options, record)
    known.set(name, made)
    return made
  }

  /** Drops the key pattern or route that was unused for the longest time, if that is long enough; returns whether one was dropped. */
  #dropUnused (kind: RouteObservation['kind'], known: Map<string, RouteObservation>, now: number): boolean {
    // Most of these requests are of key patterns or routes that are left out all the time, so the others are not searched for each of them.
    // Each kind has a counter of its own: with one counter, a strict alternation of reads and requests would search for one kind only.
    if (this.#leftOut[kind] % LEFT_OUT_PER_SEARCH !== 0) return false
    const [name, unused] = [...known].reduce((one, other) => other[1].lastRead < one[1].lastRead ? other : one)
    if (now - unused.lastRead < UNUSED_MS) return false
    known.delete(name)
    this.#records = this.#records.filter((record) => record !== unused.accesses)
    return true
  }

  #recordOf (strata: readonly number[]): AccessRecord {
    const max = Math.floor(MAX_RECORD_BYTES / BYTES_PER_ACCESS / SampledAccesses.ringsOf(strata) / (this.#records.length + 1))
    for (const record of this.#records) record.limitTo(max)
    const accesses = new SampledAccesses(strata, max)
    this.#records.push(accesses)
    return { accesses, epoch: this.#epoch! }
  }

  /**
   * Continues the state of an earlier process.
   * @param now the present time by the stopwatch; the earlier process's trace is shifted so that it ends at this time
   */
  async restore (state: AdviceState, now: number): Promise<void> {
    const time = new TraceTime(state.spans)
    for (const subject of state.subjects) {
      const { kind, name } = subject.numbers
      await this.of(kind, kind === 'route' ? name.replace(/^GET /, '') : name, now)?.restore(subject, endOf(state), time, now - time.length)
      await nextTurn()
    }
  }

  states (staleTolerance: number, span: Span, loadsOf: (pattern: string) => LoadObservation): SubjectState[] {
    return this.all.flatMap((observed) =>
      observed.state(staleTolerance, span, observed.kind === 'pattern' ? loadsOf(observed.name) : undefined) ?? [])
  }
}
