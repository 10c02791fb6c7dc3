import type { SubjectState, MeasuredNumbers } from './accesses/advice-state.js'
import { leaksOf, replaceDecided, type Decides } from './accesses/decided.js'
import { FINDINGS } from './accesses/findings.js'
import { estimatesOf, joinNumbers } from './accesses/joint.js'
import { lastReadOf, replay } from './accesses/replay.js'
import { strataOf, type SampledAccesses } from './accesses/sampled-accesses.js'
import type { Span, TraceTime } from './accesses/trace-time.js'
import { CLEAR, INVALIDATION, READ, REMOVAL, TAG } from './curve/access-kinds.js'
import { KeyLeak } from './key-leak/key-leak.js'
import { EarlierLeaks } from './key-leak/earlier-leaks.js'
import type { MissingDimension, Observation } from './report/observation.js'
import { DEFAULT_ENTRIES, DEFAULT_TTLS, type ReuseCurveOptions } from './curve/curve-options.js'
import { MAX_TAGS } from './curve/entry-tags.js'
import { ReuseCurve } from './curve/reuse-curve.js'
import { Staleness } from './staleness/staleness.js'
import { provenTtl } from './staleness/staleness-forecast.js'

/**
 * The loads of a key pattern: their mean duration, the share that may be stored, and the change that storing makes to the values.
 * `isChecked`: the maximum number of values was checked for a change.
 */
export interface LoadObservation extends Pick<Observation, 'meanSeconds' | 'storableShare' | 'change'> { readonly isChecked: boolean }

/** The number of requests that a process compares before it decides that there is no leak, if earlier processes found none. */
const DECIDING_REQUESTS = 200

/** The sampled accesses to a key pattern or route. `epoch`: the zero of the clock that times them, in milliseconds since 1970. */
export interface AccessRecord { readonly accesses: SampledAccesses; readonly epoch: number }

/** The requests and values of one key pattern or route that the advisor observed. */
export class RouteObservation {
  readonly curve: ReuseCurve
  readonly staleness: Staleness
  readonly leak = new KeyLeak({ maxKeys: 32 })
  #keyLength = 0
  #values = 0
  #valueBytes = 0
  #unseen = 0
  #answers = 0
  #cookies = 0
  #storable = 0
  #count = 0
  #seconds = 0
  readonly #record: AccessRecord | undefined
  readonly #strata: readonly number[]
  /** The numbers of earlier processes whose state this process continues; `undefined`: there are none. */
  #earlier: MeasuredNumbers | undefined
  /** The leaks of the earlier processes; `undefined`: they had none. */
  #earlierLeaks: EarlierLeaks | undefined
  #earlierRequests = 0
  /** The time of the last request by the stopwatch, also of an earlier process; `-Infinity`: none is known. */
  lastRead = -Infinity

  /**
   * Makes an observation without requests.
   * @param record the record of the accesses, if the advisor's state is stored or merged
   */
  constructor (readonly kind: Observation['kind'], readonly name: string, options: ReuseCurveOptions, record?: (strata: readonly number[]) => AccessRecord) {
    this.curve = new ReuseCurve(options)
    this.#strata = strataOf(options.entries ?? DEFAULT_ENTRIES)
    this.#record = record?.(this.#strata)
    // The reuse curve and the staleness forecast have the same ttls, so that both can be compared.
    this.staleness = new Staleness({ ttls: options.ttls ?? DEFAULT_TTLS, maxKeys: 256 })
  }

  get bytes (): number {
    const kept = (this.#record?.accesses.bytes ?? 0) + (this.#earlierLeaks?.bytes ?? 0)
    return this.curve.bytes + this.staleness.bytes + this.leak.bytes + kept
  }

  /** The record of the accesses; `undefined`: the accesses are not recorded. */
  get accesses (): SampledAccesses | undefined { return this.#record?.accesses }

  noteRead (hash: number, keyLength: number, now: number): void {
    this.#keyLength += keyLength
    this.lastRead = now
    this.#earlierLeaks?.noteRead(hash)
    this.#note(READ, hash, now)
  }

  noteRemoval (hash: number, now: number): void { this.#note(REMOVAL, hash, now) }

  /** Records a tag of the entry that the last request for a key stored; `at`: the number of the entry's tags before this one. */
  noteTag (hash: number, at: number, tag: number): void {
    if (at >= MAX_TAGS) return
    this.curve.add(TAG + at, hash, tag)
    this.#record?.accesses.add(TAG + at, hash, tag)
  }

  /** Records the invalidation of a tag. While no entry has had any tag, an invalidation has no effect and is ignored. */
  noteInvalidation (tag: number, now: number): void {
    if (this.curve.hasTags) this.#note(INVALIDATION, tag, now)
  }

  noteClear (now: number): void { this.#note(CLEAR, 0, now) }

  #note (kind: number, hash: number, now: number): void {
    this.curve.add(kind, hash, now)
    this.#record?.accesses.add(kind, hash, now + this.#record.epoch)
  }

  noteValue (hash: number, now: number, value: { readonly hash: number; readonly bytes: number }): void {
    this.#values++
    this.#valueBytes += value.bytes
    this.staleness.note(hash, now / 1000, value.hash)
  }

  /** Counts a value without a fingerprint, such as one that is too large. The mean size of the values is then not known. */
  noteUnseen (): void {
    this.#unseen++
  }

  noteDuration (seconds: number): void {
    this.#count++
    this.#seconds += seconds
  }

  /** Counts a response of the route: whether it sets a cookie, and whether a shared cache may store it. */
  noteAnswer (hasCookie: boolean, isStorable: boolean): void {
    this.#answers++
    if (hasCookie) this.#cookies++
    if (isStorable) this.#storable++
  }

  /**
   * Continues the state of an earlier process: its accesses are recorded and simulated.
   * @param time the time of the earlier process's trace, which is `shift` milliseconds behind the clock of this process
   */
  async restore ({ numbers, keys, leakKeys = keys, accesses }: SubjectState, until: number, time: TraceTime, shift: number): Promise<void> {
    this.#record?.accesses.restore(accesses)
    await replay(this.curve, { recordings: [{ accesses, until }], time, strata: this.#strata, shift })
    this.curve.keys.replaceBy([keys])
    this.lastRead = shift + time.at(lastReadOf(accesses, until))
    this.#earlier = numbers
    if (numbers.leak !== undefined) {
      // In a state without spans of findings, the leak is as late as the state. Its span is stored, so that later states do not renew it.
      const found = numbers.decided?.leak ?? [until, until]
      this.#earlier = { ...numbers, decided: { ...numbers.decided, leak: found } }
      this.#earlierLeaks = new EarlierLeaks(leaksOf(numbers), { keys: leakKeys, seconds: time.length / 1000, found: found[1] })
      for (const { dimension } of this.#earlierLeaks.open) this.leak.reserve(dimension)
    }
    this.#earlierRequests = this.curve.requests
  }

  /**
   * Returns the part of the advisor's state about this key pattern or route; `undefined`: the accesses are not recorded.
   * @param span the span in which this process has observed so far
   */
  state (staleTolerance: number, span: Span, loads?: LoadObservation): SubjectState | undefined {
    if (this.#record === undefined) return undefined
    this.#endLeaks(span[1])
    const decides = this.#decides(loads)
    const own = Object.fromEntries(FINDINGS.filter((finding) => decides[finding]).map((finding) => [finding, span]))
    const measured = this.#numbers(staleTolerance, loads)
    const otherLeaks = this.#openLeaks.filter((each) => each !== measured.leak)
    const numbers = { ...measured, decided: { ...this.#earlier?.decided, ...own }, otherLeaks }
    // A leak that this process has found is one of its own keys.
    const leakKeys = this.leak.leak() === undefined ? this.#earlierLeaks?.unseenKeys : undefined
    return { numbers, keys: this.curve.keys.sampled, ...leakKeys && { leakKeys }, accesses: this.#record.accesses.save() }
  }

  /**
   * Returns the observation of the key pattern or route for the report.
   * @param seconds the duration of the observation
   * @param staleTolerance the share of hits that may be stale
   * @param loads the loads of the key pattern; `undefined` for a route
   */
  observation (seconds: number, staleTolerance: number, loads?: LoadObservation): Observation {
    return { ...this.#numbers(staleTolerance, loads), seconds, ...estimatesOf(this.curve) }
  }

  #numbers (staleTolerance: number, loads?: LoadObservation): MeasuredNumbers {
    const own = this.#ownNumbers(staleTolerance, loads)
    if (this.#earlier === undefined) return own
    this.#endLeaks()
    const joined = replaceDecided(joinNumbers([this.#earlier, own], staleTolerance), own, this.#decides(loads))
    return { ...joined, leak: own.leak ?? this.#openLeaks[0] }
  }

  /**
   * Returns whether this process has observed enough to decide each finding: it made the finding itself, or its detector would have made it.
   * An earlier leak is decided once it has ended (see `EarlierLeaks`): requests of one user say nothing about a key that lacks the user.
   */
  #decides (loads?: LoadObservation): Decides {
    const isDecided = this.#earlierLeaks !== undefined ? this.#openLeaks.length === 0 : this.leak.compared >= DECIDING_REQUESTS
    return {
      leak: isDecided || this.leak.leak() !== undefined,
      isNoise: this.leak.isNoiseKnown,
      change: loads !== undefined && (loads.isChecked || loads.change !== undefined)
    }
  }

  /** Ends earlier leaks that are disproved; `now`: the present time in milliseconds since 1970, if it is known. */
  #endLeaks (now?: number): void {
    this.#earlierLeaks?.endDisproved(this.leak.leak()?.dimension, this.leak.evidence, now)
  }

  /** The leaks of earlier processes that have not ended and that this process has not found itself. */
  get #openLeaks (): MissingDimension[] {
    const own = this.leak.leak()?.dimension
    return this.#earlierLeaks?.open.filter(({ dimension }) => dimension !== own) ?? []
  }

  #ownNumbers (staleTolerance: number, { isChecked: _isChecked, ...loads }: Partial<LoadObservation> = {}): MeasuredNumbers {
    const requests = this.curve.requests - this.#earlierRequests
    const leak = this.leak.leak()
    const forecasts = this.staleness.forecast()
    return {
      kind: this.kind,
      name: this.name,
      requests,
      meanSeconds: this.#count === 0 ? undefined : this.#seconds / this.#count,
      meanBytes: this.#values === 0 || this.#unseen > 0 ? undefined : this.#valueBytes / this.#values,
      meanKeyLength: requests === 0 ? 0 : this.#keyLength / requests,
      staleness: this.#values === 0 ? [] : forecasts,
      provenTtl: provenTtl(forecasts, staleTolerance),
      leak: leak === undefined
        ? undefined
        : { dimension: leak.dimension, pairs: leak.other.compared, differing: leak.other.differing, compared: leak.compared },
      isNoise: this.leak.noise,
      cookieShare: this.#answers === 0 ? 0 : this.#cookies / this.#answers,
      storableShare: this.#answers === 0 ? undefined : this.#storable / this.#answers,
      compared: this.#values,
      ...loads
    }
  }
}
