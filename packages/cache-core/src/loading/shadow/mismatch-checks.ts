import { Deadlines, type Watched } from '../../lib/deadlines.js'
import type { Flight } from '../single-flight.js'
import type { Serializer, SerializerName } from '../../contract/isolation.js'
import type { LoadTarget } from '../load-service.js'
import { formOf, printOf } from './form.js'
import type { Evidence, VolatileMembers } from './volatile-members.js'

/** Milliseconds within which an invalidation explains why an entry differed from a loaded value. */
export const EXPLAIN_MS = 5000
/** Milliseconds for which equal mismatches of one key are collected; they are checked together, once. */
const TOGETHER_MS = 500
/** Milliseconds after which a mismatch is counted even if it is still unknown whether its members differ on every load. */
const DECIDE_MS = 60_000
const MAX_CHECKS = 4096

/** A value that was loaded in the control arm and that differed from the cache's entry. */
export interface Mismatch {
  readonly target: LoadTarget
  readonly key: string
  readonly keyPattern: string
  readonly group: number
  /** The flight of the load, which records the removals of this process since the load began. */
  readonly flight: Flight
  /** The fingerprint of the cache entry that differed from the loaded value. */
  readonly print: string
  /** Seconds since the entry was stored, and until its ttl ends; `NaN` and `Infinity` if they are not known. */
  readonly age: number
  readonly ttlLeft: number
  readonly paths: readonly string[]
  readonly evidence: readonly Evidence[]
}

/** The mismatches of one key within half a second that have the same entry and the same differing members; they get one outcome. */
interface Check { readonly first: Mismatch; readonly at: number; readonly evidence: Evidence[]; count: number }

/** Receives the outcome of a mismatch. `path`: the path of the first differing member; `times`: the number of equal mismatches. */
export type Decided = (mismatch: Mismatch, outcome: 'mismatch' | 'explained' | 'differs' | 'undecided' | 'failed', path: string, times: number) => void

/** The functions and objects that the checks of mismatches use. */
export interface ChecksDeps {
  readonly now: () => number
  readonly serializerOf: (target: LoadTarget) => SerializerName | Serializer
  readonly members: VolatileMembers
  readonly read: (target: LoadTarget, key: string) => ReturnType<LoadTarget['lookup']>
  /** Stops the flight of a load from recording removals. */
  readonly end: (flight: Flight) => void
  readonly decided: Decided
}

/**
 * Decides whether a mismatch shows a stale entry. Three cases show none: this process invalidated the entry within 5 s; the entry is gone
 * or replaced after 5 s, although its ttl has not ended; or the differing members differ on every load.
 */
export class MismatchChecks {
  readonly #deps: ChecksDeps
  /** The last check of a mismatch for each combination of key and differing members; equal mismatches join it. */
  readonly #recent = new Map<string, Check>()
  readonly #explaining = new Deadlines(EXPLAIN_MS + TOGETHER_MS, { holdsProcess: false })
  readonly #deciding = new Deadlines(DECIDE_MS, { holdsProcess: false })
  readonly #pending = new Set<Check>()
  /** The checks of mismatches that only wait until it is known whether their members differ on every load. */
  readonly #waiting = new Map<Check, Watched>()

  constructor (deps: ChecksDeps) {
    this.#deps = deps
  }

  /** Adds a mismatch to be checked; returns `false`, and ignores it, if the maximum number of mismatches is being checked. */
  add (mismatch: Mismatch): boolean {
    const { now, end } = this.#deps
    const id = [mismatch.key, ...mismatch.paths].join('\n')
    const recent = this.#recent.get(id)
    const isSame = recent?.first.print === mismatch.print && recent.first.target === mismatch.target
    if (recent !== undefined && isSame && now() - recent.at < TOGETHER_MS) {
      recent.count++
      recent.evidence.push(...mismatch.evidence)
      end(mismatch.flight)
      return true
    }
    if (this.#pending.size >= MAX_CHECKS) return false
    const check: Check = { first: mismatch, at: now(), evidence: [...mismatch.evidence], count: 1 }
    this.#recent.set(id, check)
    this.#pending.add(check)
    this.#explaining.watch(() => {
      if (this.#recent.get(id) === check) this.#recent.delete(id)
      void this.#explain(check)
    })
    return true
  }

  /** Drops all checks of mismatches and their timers. */
  stop (): void {
    this.#explaining.clear()
    this.#deciding.clear()
    for (const { first } of this.#pending) this.#deps.end(first.flight)
    this.#pending.clear()
    this.#waiting.clear()
    this.#recent.clear()
  }

  async #explain (check: Check): Promise<void> {
    const { first } = check
    const { key, target, flight } = first
    const result = flight.isSuperseded ? undefined : await this.#deps.read(target, key)
    this.#deps.end(flight)
    // `stop` was called during the read of the entry, so the check has no outcome.
    if (!this.#pending.has(check)) return
    if (flight.isSuperseded || result === undefined) return this.#decide(check, 'explained')
    if (!result.ok) return this.#decide(check, 'failed')
    const entry = result.value
    if (entry !== null && entry.fresh && this.#isSame(entry.value, check)) return this.#decide(check, undefined)
    const hasEnded = (this.#deps.now() - check.at) / 1000 >= first.ttlLeft
    // Another process may have removed an entry that is gone after the end of its ttl. If no other process uses the cache's store,
    // `isSuperseded` has shown that the entry was not removed.
    this.#decide(check, !hasEnded ? 'explained' : target.isLocal ? undefined : 'undecided')
  }

  #isSame (value: unknown, { first: { print, target } }: Check): boolean {
    const form = formOf(value, this.#deps.serializerOf(target))
    return typeof form !== 'string' && printOf(form) === print
  }

  /**
   * Ends the check of a mismatch with an outcome. `undefined`: the mismatch counts as a stale entry, unless its members differ on every
   * load; the check then waits until that is known.
   */
  #decide (check: Check, outcome: 'explained' | 'undecided' | 'failed' | undefined): void {
    const { keyPattern, paths } = check.first
    if (outcome !== undefined) return this.#end(check, outcome, paths[0]!)
    this.#waiting.set(check, this.#deciding.watch(() => {
      const stale = this.#settledOf(check)[0]
      this.#end(check, stale === undefined ? 'differs' : 'mismatch', stale ?? paths[0]!)
    }))
    this.#deps.members.learn(keyPattern, check.evidence)
    for (const waiting of this.#waiting.keys()) if (waiting.first.keyPattern === keyPattern) this.#settle(waiting)
  }

  /** Ends the check of a mismatch if it is already known whether the differing members differ on every load; otherwise the check waits. */
  #settle (check: Check): void {
    const { first: { keyPattern, paths } } = check
    const settled = this.#settledOf(check)
    if (settled.length === 0) this.#end(check, 'differs', paths[0]!)
    else if (settled.some((path) => this.#deps.members.isVolatile(keyPattern, path) === false)) this.#end(check, 'mismatch', settled[0]!)
  }

  /** The differing members of a mismatch, without those that are known to differ on every load. */
  #settledOf ({ first: { keyPattern, paths } }: Check): string[] {
    return paths.filter((path) => this.#deps.members.isVolatile(keyPattern, path) !== true)
  }

  #end (check: Check, outcome: Parameters<Decided>[1], path: string): void {
    const watched = this.#waiting.get(check)
    if (watched !== undefined) this.#deciding.unwatch(watched)
    this.#waiting.delete(check)
    this.#pending.delete(check)
    this.#deps.decided(check.first, outcome, path, check.count)
  }
}
