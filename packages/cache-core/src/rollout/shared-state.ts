import type { Clock } from '../lib/clock.js'
import type { CanaryPlan } from './canary-options.js'
import { parseState, rewritten, type CanaryState, type Transition } from './canary-state.js'
import { Ramp } from './ramp.js'
import { percentOf } from './stage-decision.js'
import type { StoreCalls } from './store-calls.js'

/** Milliseconds without a successful read of the rollout's state after which a process caches nothing (percent 0). */
const AWAY_MS = 5000

/** The reason why a process does not take part in decisions on the stage: a sentence for the status and the log. */
export interface Problem {
  readonly kind: 'away' | 'older' | 'newer' | 'corrupt' | 'other-plan'
  readonly text: string
}

/** The state document of a rollout as one process knows it. */
export class SharedState {
  /** The revision of the stored state document; `undefined`: none is stored. */
  storedRevision: number | undefined
  /** Set if the stored state document cannot be used: it has another format, or is damaged. */
  unreadable: Problem | undefined
  /**
   * The time by the local clock since which the rollout store has no state document and this process knows no state; `undefined`: the store
   * has a document, or the process knows a state.
   */
  #emptySince: number | undefined
  readonly #calls: () => StoreCalls
  readonly #clock: () => Clock
  readonly #plan: CanaryPlan
  readonly #ramp: Ramp
  #state: CanaryState | undefined
  /** The time by the local clock at which the present revision of the state document was first seen. */
  #changedAt = 0
  #offset: number | undefined
  #lastReadAt: number | undefined
  #hasFailed = false
  #reading: Promise<boolean> | undefined

  constructor (calls: () => StoreCalls, clock: () => Clock, plan: CanaryPlan) {
    this.#calls = calls
    this.#clock = clock
    this.#plan = plan
    this.#ramp = new Ramp(clock)
  }

  /**
   * The last state of the canary that was read or written, without a ramp that has ended. A damaged or lost document does not change the
   * known state.
   */
  get state (): CanaryState | undefined {
    if (this.#state?.ramp !== undefined && this.#ramp.isOver) {
      const { ramp: _over, ...settled } = this.#state
      this.#state = settled
    }
    return this.#state
  }

  /** Returns the present time of the rollout store's clock, derived from the last read; `undefined` before the first read. */
  now (): number | undefined {
    return this.#offset === undefined ? undefined : this.#offset + this.#clock().now()
  }

  /** Whether the state document was never read, or could not be read for more than five seconds. */
  get isAway (): boolean {
    return this.#lastReadAt === undefined || (this.#hasFailed && this.#clock().now() - this.#lastReadAt > AWAY_MS)
  }

  /** Returns the reason why this process does not take part in decisions on the stage; `undefined`: it does. */
  get problem (): Problem | undefined {
    if (this.isAway) return { kind: 'away', text: 'the state cannot be read: this process caches nothing until it can' }
    if (this.unreadable !== undefined) return this.unreadable
    if (this.state === undefined || this.state.plan === this.#plan.hash) return undefined
    const until = this.mayAdopt ? '' : `; an operator's action "to" with one of ${ownPercents(this.#plan).join(', ')} sets a percent of its own stages`
    return { kind: 'other-plan', text: `the state is that of other stages or criteria, of another version of the app or of another app with this key prefix: this process follows its percent and decides nothing${until}` }
  }

  /** Returns the percent of subjects that this process caches now; 0 while the state cannot be read. */
  get percent (): number {
    return this.isAway ? 0 : this.rampPercent
  }

  /**
   * The percent of cached subjects in the last known state; during a ramp it lies between the percents of two stages; 0 if there is no
   * state, or if the kill switch was used.
   */
  get rampPercent (): number {
    const { state } = this
    return state === undefined || state.killed ? 0 : this.#ramp.percentOf(state)
  }

  /**
   * Whether this process may continue a rollout that was begun under other options (another plan). With `advance: 'manual'` it may do so
   * only if its own plan gives the same percent.
   */
  get mayAdopt (): boolean {
    return this.#plan.advance === 'auto' || this.state === undefined || ownPercents(this.#plan).includes(this.state.percent)
  }

  /** Returns the milliseconds, by the local clock, since the revision of the state document last changed. */
  unchangedForMs (): number {
    return this.#clock().now() - this.#changedAt
  }

  /** Forgets everything that was read from the rollout store, since another store will be used. */
  reset (): void {
    this.#state = this.storedRevision = this.unreadable = this.#emptySince = this.#offset = this.#lastReadAt = undefined
    this.#hasFailed = false
  }

  /**
   * Returns the milliseconds for which the rollout store has had no state document and this process has known no state; 0: the store has a
   * document, or the process knows a state.
   */
  emptyForMs (): number {
    return this.#emptySince === undefined ? 0 : this.#clock().now() - this.#emptySince
  }

  /** Reads the state document; `false`: the rollout store cannot be reached. Calls during a read share its result. Never rejects. */
  refresh (): Promise<boolean> {
    return (this.#reading ??= this.#refresh().finally(() => { this.#reading = undefined }))
  }

  /**
   * Replaces the stored state document by the state of a transition; `false`: another process has replaced it first. Rejects if the rollout
   * store cannot be reached.
   */
  async replace ({ state, record }: Transition): Promise<boolean> {
    const expected = this.storedRevision
    const isReplaced = await this.#calls().call('replace', (store) =>
      store.replace(JSON.stringify(state), state.revision, expected, record === undefined ? undefined : JSON.stringify(record)))
    if (!isReplaced) return false
    this.#take(state)
    return true
  }

  async #refresh (): Promise<boolean> {
    const calls = this.#calls()
    try {
      const [text, now] = await Promise.all([calls.call('read', (store) => store.read()), calls.call('now', (store) => store.now())])
      // The canary got another rollout store during the read, so the result of this read is ignored.
      if (calls !== this.#calls()) return false
      const local = this.#clock().now()
      this.#offset = now - local
      this.#lastReadAt = local
      this.#hasFailed = false
      this.#interpret(text)
      const lost = this.#lost()
      if (lost !== undefined) await this.replace(lost)
      return true
    } catch {
      // The status and the log report failed reads once the last successful one is more than five seconds old (`isAway`).
      if (calls === this.#calls()) this.#hasFailed = true
      return false
    }
  }

  #interpret (text: string | undefined): void {
    this.unreadable = undefined
    if (text === undefined) {
      this.storedRevision = undefined
      if (this.state === undefined) this.#emptySince ??= this.#clock().now()
      return
    }
    this.#emptySince = undefined
    const parsed = parseState(text)
    this.#see(parsed.kind === 'state' ? parsed.state.revision : parsed.revision)
    if (parsed.kind === 'state' && this.#contradicts(parsed.state)) {
      this.unreadable = { kind: 'corrupt', text: unreadableText('the stored state has a stage or percent that these stages do not have') }
      return
    }
    if (parsed.kind === 'state') {
      if (!this.#isBefore(parsed.state)) this.#take(parsed.state)
      return
    }
    this.unreadable = { kind: parsed.kind, text: unreadableText(parsed.problem) }
  }

  /**
   * Whether a state of the canary claims to be of this plan, but has a stage or percent that the plan lacks, so that it must have been
   * edited by hand.
   */
  #contradicts ({ plan, stage, percent }: CanaryState): boolean {
    return plan === this.#plan.hash && (stage > this.#plan.stages.length || percentOf(this.#plan, stage) !== percent)
  }

  /**
   * Whether the stored state of the canary is older than the known one: the rollout store has lost its last writes, as after a failover.
   */
  #isBefore (stored: CanaryState): boolean {
    return this.state !== undefined && stored.revision < this.state.revision && stored.decidedAt < this.state.decidedAt
  }

  /**
   * Returns the transition that stores the canary's known state again if the rollout store has lost it; `undefined`: it is stored, or none
   * is known.
   */
  #lost (): Transition | undefined {
    const { state, storedRevision, unreadable } = this
    const now = this.now()
    if (state === undefined || now === undefined || unreadable !== undefined || storedRevision === state.revision) return undefined
    return rewritten(state, now)
  }

  #see (revision: number | undefined): void {
    if (revision !== this.storedRevision) this.#changedAt = this.#clock().now()
    this.storedRevision = revision
  }

  #take (state: CanaryState): void {
    this.#see(state.revision)
    this.#state = state
    this.#ramp.follow(state, this.now()!)
    this.#emptySince = undefined
    this.unreadable = undefined
  }
}

function ownPercents (plan: CanaryPlan): number[] {
  return [0, ...plan.stages.map((stage) => stage.percent)]
}

function unreadableText (problem: string): string {
  return `${problem}: this process keeps its percent and decides nothing; the action "to" or "off" writes the state anew`
}
