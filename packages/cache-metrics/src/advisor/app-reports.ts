import { readStopwatch, type Core } from '@x/cache-core/suite'
import type { Traffic } from '../traffic/traffic.js'
import { withSpan, type AdviceState } from './accesses/advice-state.js'
import { joinGates, jointParts } from './accesses/joint.js'
import { TraceTime } from './accesses/trace-time.js'
import type { AppNumbers } from './app-numbers.js'
import { DEFAULT_ENTRIES, DEFAULT_TTLS } from './curve/curve-options.js'
import { advise, DEFAULT_WISHES } from './report/advice.js'
import { reportOf, type ReportWishes } from './report/assemble.js'
import type { Observation } from './report/observation.js'
import type { Report } from './report/report.js'
import { shadowFindings, type ShadowFinding } from './report/shadow.js'
import { MAX_SUBJECTS, Subjects } from './subjects.js'

/** The settings of the advisor, which observes an app and reports what a cache would do. */
export interface AdvisorSettings extends Partial<ReportWishes> {
  /** Whether the advisor also observes where the internal endpoints are closed. */
  readonly production?: boolean
  /**
   * Whether the advisor's state is stored over restarts in the store of the cache. A text is the name of a file, which is used if the cache
   * has no store.
   */
  readonly keep?: boolean | string
  /** The salt of the hashes of keys; `undefined`: the salt in the store. */
  readonly salt?: string
  /** The ttls, in seconds, for which reuse curves estimate a hit rate. */
  readonly ttls?: readonly number[]
  /** The cache sizes, in entries, for which reuse curves estimate a hit rate. */
  readonly entries?: readonly number[]
}

/**
 * The data from which an advisor's next state is made. `earlier`: the parts of the state that the advisor continues, if there is one.
 * `began`: the reading of the stopwatch when the advisor began to observe. `epoch`: the zero of the stopwatch in milliseconds since 1970.
 */
export interface Kept {
  readonly saltName: string
  readonly origin: string
  readonly epoch: number
  readonly began: number
  readonly earlier: Earlier | undefined
}

/** The parts of an earlier process's state that belong to no key pattern or route. */
type Earlier = Pick<AdviceState, 'origin' | 'spans' | 'secondsBefore' | 'gates'>

/** Returns the parts of a state that belong to no key pattern or route; the other parts are large, and need not stay in memory. */
export function earlierOf (state: AdviceState | undefined): Earlier | undefined {
  return state && { origin: state.origin, spans: state.spans, secondsBefore: state.secondsBefore, gates: state.gates }
}

/** Makes the reports and the states of an advisor from its observations. */
export class AppReports {
  readonly #core: Core
  readonly #traffic: Traffic
  readonly #numbers: AppNumbers
  readonly #settings: AdvisorSettings
  readonly #wishes: ReportWishes
  #subjects = new Subjects({})
  /** The advisor's state that this process continues, with the data for its next state; `undefined`: no state is stored. */
  #kept: Kept | undefined
  #began: number

  constructor (core: Core, traffic: Traffic, numbers: AppNumbers, settings: AdvisorSettings) {
    this.#core = core
    this.#traffic = traffic
    this.#numbers = numbers
    this.#settings = settings
    this.#wishes = {
      staleTolerance: settings.staleTolerance ?? DEFAULT_WISHES.staleTolerance,
      minRequests: settings.minRequests ?? DEFAULT_WISHES.minRequests,
      minDays: settings.minDays
    }
    this.#began = core.registry.clock.now()
  }

  /** Begins the observation that all later reports describe. */
  begin (subjects: Subjects, kept: Kept | undefined): void {
    this.#subjects = subjects
    this.#kept = kept
    this.#began = this.#core.registry.clock.now()
  }

  /**
   * Makes the report. If there are states of other processes, the hit rates are those of one cache that all processes share.
   * @param failures the number of values or requests that could not be read
   * @param others the states of other processes, with the same salt and sizes
   */
  async report (failures: number, others: readonly AdviceState[]): Promise<Report> {
    const arms = this.#traffic.arms.report()
    const own = others.length === 0 ? undefined : this.state()
    if (own !== undefined) {
      const parts = await jointParts([own, ...others], this.#wishes.staleTolerance)
      const note = `Hit rates are those of ${others.length + 1} processes together, from the accesses that each has recorded.`
      return reportOf({ ...parts, source: `${others.length + 1} processes`, arms, notes: [note, ...this.#notes(failures)] }, this.#wishes)
    }
    const numbers = { ...this.#gates(), seconds: this.#seconds, source: 'this process' }
    const routes = [...this.#subjects.routes.values()].map((observed) => observed.observation(numbers.seconds, this.#wishes.staleTolerance))
    return reportOf({
      source: numbers.source,
      observations: [...this.#observedPatterns(), ...routes],
      numbers,
      shadow: this.#shadow(),
      arms,
      notes: ['Hit rates are those of one process; several that share a cache see more.', ...this.#notes(failures)]
    }, this.#wishes)
  }

  /** Returns the advisor's state to be stored over restarts; `undefined`: the accesses are not recorded. */
  state (): AdviceState | undefined {
    if (this.#kept === undefined) return undefined
    const { saltName, origin, epoch, began, earlier } = this.#kept
    const now = readStopwatch(this.#core.registry.clock)
    const { ttls = DEFAULT_TTLS, entries = DEFAULT_ENTRIES } = this.#settings
    const span = [epoch + began, epoch + now] as const
    return {
      saltName,
      origin,
      ...withSpan(earlier ?? { spans: [], secondsBefore: 0 }, span),
      ttls,
      entries,
      wishes: this.#wishes,
      gates: this.#gates(),
      shadow: this.#shadow(),
      subjects: this.#subjects.states(this.#wishes.staleTolerance, span, (pattern) => this.#numbers.loadsOf(pattern))
    }
  }

  /**
   * Returns the estimated hit rates at the advised ttl and size, by key pattern. Patterns with too few requests for advice are left out.
   */
  hitRates (): Map<string, number> {
    const observed = this.#observedPatterns().filter(({ requests }) => requests >= this.#wishes.minRequests)
    return new Map(advise(observed, this.#wishes).map(({ name, hitRate }) => [name, hitRate]))
  }

  /** The duration of the observation in seconds, including that of earlier processes whose state is continued. */
  get #seconds (): number {
    const { earlier } = this.#kept ?? {}
    const before = earlier === undefined ? 0 : earlier.secondsBefore + new TraceTime(earlier.spans).length / 1000
    return before + (this.#core.registry.clock.now() - this.#began) / 1000
  }

  #gates (): AdviceState['gates'] {
    const { earlier } = this.#kept ?? {}
    const own = this.#numbers.ofGates()
    return earlier === undefined ? own : joinGates([earlier.gates, own])
  }

  #shadow (): ShadowFinding[] {
    return shadowFindings(this.#core.registry.shadow.stats.patterns.values(), this.#wishes.staleTolerance)
  }

  #observedPatterns (): Observation[] {
    const seconds = this.#seconds
    return [...this.#subjects.patterns.values()].map((observed) =>
      observed.observation(seconds, this.#wishes.staleTolerance, this.#numbers.loadsOf(observed.name)))
  }

  #notes (failures: number): string[] {
    const notes = []
    if (!this.#core.registry.isObserving) notes.push('A cache is in service: values were compared while NullCache observed, or at 0 % of a rollout, or not at all.')
    if (failures > 0) notes.push(`${failures} values or requests could not be looked at: a getter, a proxy or a toJSON of the app threw.`)
    const { leftOut } = this.#subjects
    if (leftOut > 0) notes.push(`${leftOut} reads and requests were of key patterns or routes beyond the first ${MAX_SUBJECTS} of each, which are not looked at.`)
    return notes
  }
}
