import { randomUUID } from 'node:crypto'
import { RolloutConflict, RolloutUnavailable } from '../contract/errors.js'
import type { Clock } from '../lib/clock.js'
import type { Log } from '../lib/harmless.js'
import type { CanaryPlan } from './canary-options.js'
import type { CanaryState, Transition } from './canary-state.js'
import { statusOf, viewOf, type CanaryStatus, type CanaryView } from './canary-view.js'
import { Decider } from './decider.js'
import { MinuteRecorder, type ProcessCounts } from './minute-recorder.js'
import { actOn, checkAction } from './operator-action.js'
import type { Rollout } from './rollout.js'
import { MemoryRolloutStore, type RolloutStore } from './rollout-store.js'
import { SharedState } from './shared-state.js'
import { StoreCalls } from './store-calls.js'

/** Milliseconds between two reads of the state document: a process that has not read it for five seconds caches nothing. */
const READ_EVERY_MS = 2000
/** Milliseconds between two extensions of the lease by which one process is the decider. */
const LEAD_EVERY_MS = 5000
const TICK_MS = 1000
/** The number of attempts to carry out an operator's action while other processes replace the state document in between. */
const ATTEMPTS = 5

/** The functions and objects of the process that a canary uses. */
export interface CanaryHost {
  readonly rollout: Rollout
  readonly clock: () => Clock
  readonly log: Log
  /** Whether the implementation in service stores values; without one that does, the arms do not differ, so no stage is compared. */
  readonly isServing: () => boolean
  /** Returns the counts of all cache calls in this process since its start, by arm. */
  readonly totals: () => ProcessCounts
  /** Loads the warm items before a raise of the percent of cached subjects; resolves in bounded time and never rejects. */
  readonly warm: () => Promise<void>
}

/** The canary in one process: reports each minute to the rollout store, applies the shared state, and decides while it holds the lease. */
export class Canary {
  readonly plan: CanaryPlan
  readonly recorder: MinuteRecorder
  readonly #host: CanaryHost
  readonly #processId = randomUUID()
  readonly #shared: SharedState
  readonly #decider: Decider
  #calls: StoreCalls
  #stopWatching: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #readAt = -Infinity
  #leadAt = -Infinity
  #patternsOf: CanaryState | undefined
  #problem: string | undefined
  #deciding: Promise<void> | undefined
  #isClosed = false

  constructor (plan: CanaryPlan, host: CanaryHost) {
    this.plan = plan
    this.#host = host
    this.#calls = new StoreCalls(new MemoryRolloutStore(host.clock))
    this.#shared = new SharedState(() => this.#calls, host.clock, plan)
    host.rollout.holdOut = plan.holdOut
    host.rollout.percent = 0
    host.rollout.isMeasured = true
    this.recorder = new MinuteRecorder(plan.cohorts, host.rollout, host.totals)
    this.#decider = new Decider({
      plan,
      processId: this.#processId,
      shared: this.#shared,
      calls: () => this.#calls,
      warm: host.warm,
      decided: (transition) => this.#announce(transition)
    })
  }

  /** Whether this process holds the decider's lease, and therefore decides for all processes of the app. */
  get isLeading (): boolean { return this.#decider.isLeading }

  /** Uses the rollout store that all processes share; the percent is 0 until the state has been read from that store. */
  share (store: RolloutStore): void {
    this.#stopWatching?.()
    this.#stopWatching = undefined
    this.#calls = new StoreCalls(store)
    this.#shared.reset()
    this.#readAt = this.#leadAt = -Infinity
    if (this.#timer !== undefined) this.#watch()
  }

  /** Reads the state of the rollout and starts the canary's timer, which does not keep the process running. */
  async start (): Promise<void> {
    if (this.#timer !== undefined || this.#isClosed) return
    this.#timer = setInterval(() => { void this.tick() }, Math.min(TICK_MS, this.plan.minuteMs / 10))
    this.#timer.unref()
    this.#watch()
    await this.tick()
  }

  /** Stops the canary's timer and releases the decider's lease. Pending calls of the rollout store end by their time limit. */
  async close (): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#stopWatching?.()
    try {
      await this.#decider.resign()
    } catch {
      // A rollout store that cannot be reached must not make the close of the app fail; the lease then ends by itself.
    }
  }

  /** Carries out what is due: applies the percent, reports a minute's counts, reads the state, decides on the stage. Never rejects. */
  async tick (): Promise<void> {
    if (this.#isClosed) return
    this.#apply()
    const reporting = this.#report()
    const now = this.#host.clock().now()
    if (this.#shared.isAway || now - this.#readAt >= READ_EVERY_MS || now < this.#readAt) await this.#refresh(now)
    await reporting
    // Decisions on the stage run one at a time, since a raise of the percent waits for the warm items.
    await (this.#deciding ??= this.#decide().finally(() => { this.#deciding = undefined }))
  }

  /** Returns the status of the rollout without a call of its store; the counts of the arms are those of this process since its start. */
  status (): CanaryStatus {
    const { lastVerdict } = this.#decider
    const status = statusOf(this.plan, this.#shared, this.#host, this.recorder.arms())
    return lastVerdict === undefined ? status : { ...status, lastVerdict }
  }

  /** Returns the status of the rollout with the counts of all processes and the history, without both if its store cannot be reached. */
  async view (): Promise<CanaryView> {
    await this.#refresh()
    return viewOf(this.status(), this.plan, this.#shared, this.#calls)
  }

  /**
   * Carries out an operator's action for all processes, and returns the status of the rollout after it.
   * @throws `CACHE_ERR_ROLLOUT_ACTION`, `CACHE_ERR_ROLLOUT_CONFLICT`, `CACHE_ERR_ROLLOUT_UNAVAILABLE`
   */
  async act (body: unknown): Promise<CanaryView> {
    const action = checkAction(body, this.plan)
    const shared = this.#shared
    let isWarm = false
    let wasKilled: boolean | undefined
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (!await this.#refresh()) throw new RolloutUnavailable()
      // A raise of the percent must not undo the kill switch that an operator used while the warm items were loaded.
      if (wasKilled === false && shared.state?.killed === true) throw new RolloutConflict('the kill switch was used meanwhile', 'send the action again if the percent is to rise')
      const now = shared.now()!
      const transition = actOn(shared, action, this.plan, now)
      if (!isWarm && transition.state.ramp !== undefined && transition.state.since === now && action.pattern === undefined && action.action === 'to') {
        wasKilled = shared.state?.killed ?? false
        await this.#host.warm()
        isWarm = true
        continue
      }
      if (await this.#replace(transition)) return this.view()
    }
    throw new RolloutConflict('other processes kept changing the state', 'send the action again')
  }

  async #replace (transition: Transition): Promise<boolean> {
    let isReplaced: boolean
    try {
      isReplaced = await this.#shared.replace(transition)
    } catch (cause) {
      throw new RolloutUnavailable({ cause })
    }
    if (isReplaced) this.#announce(transition)
    return isReplaced
  }

  #watch (): void {
    try {
      this.#stopWatching = this.#calls.store.watch(() => { void this.#refresh() })
    } catch (err) {
      // Without notifications of the rollout store, a process sees a change of the state at its next read, within two seconds.
      this.#host.log.warn({ err }, 'Cache: the rollout\'s store cannot be watched; changes arrive later')
    }
  }

  async #refresh (now = this.#host.clock().now()): Promise<boolean> {
    if (this.#isClosed) return false
    this.#readAt = now
    const isRead = await this.#shared.refresh()
    if (this.#isClosed) return isRead
    this.#noteProblem()
    this.#apply()
    return isRead
  }

  /** Sets the percents of cached subjects in this process to those of the shared state. */
  #apply (): void {
    const { rollout, isServing } = this.#host
    const { state, percent } = this.#shared
    if (state !== undefined && state !== this.#patternsOf) {
      this.#patternsOf = state
      if (JSON.stringify(state.patterns) !== JSON.stringify(rollout.patterns)) rollout.patterns = state.patterns
    }
    rollout.percent = percent
    if (isServing()) this.recorder.notePercent()
    else this.recorder.markMixed()
  }

  /**
   * Stores the counts of an ended minute in the rollout store. If storing fails, the counts are lost: the other processes count the minute
   * without this process.
   */
  async #report (): Promise<void> {
    const now = this.#shared.now()
    const ended = now === undefined ? undefined : this.recorder.roll(Math.floor(now / this.plan.minuteMs))
    if (ended === undefined || ended.counts.limit === undefined) return
    const { minute, counts } = ended
    try {
      await this.#calls.call('report', (store) => store.report(minute, this.#processId, counts.encode()))
    } catch {
      // The next read of the state finds and reports that the rollout store cannot be reached.
    }
  }

  async #decide (): Promise<void> {
    const now = this.#host.clock().now()
    try {
      if (now - this.#leadAt >= LEAD_EVERY_MS || now < this.#leadAt) {
        this.#leadAt = now
        await this.#decider.lead()
      }
      if (!this.#isClosed) await this.#decider.look()
    } catch {
      // The next read of the state finds that the rollout store cannot be reached; the decision on the stage is then made again.
    }
    this.#apply()
  }

  #announce ({ record }: Transition): void {
    this.#apply()
    if (record === undefined) return
    const { from, to, reason, by, stage, pattern } = record
    const details = { from, to, stage, by, ...pattern === undefined ? {} : { pattern } }
    this.#host.log[to < from ? 'warn' : 'info'](details, `Cache: rollout: ${reason}`)
  }

  /** Logs once why this process does not take part in decisions on the stage, and once that it does again. */
  #noteProblem (): void {
    const { problem } = this.#shared
    if (problem?.kind === this.#problem) return
    this.#problem = problem?.kind
    if (problem !== undefined) this.#host.log.warn({ problem: problem.kind }, `Cache: rollout: ${problem.text}`)
    else this.#host.log.info({ percent: this.#shared.percent }, 'Cache: rollout: the state can be read, and is that of this process\'s stages')
  }
}
