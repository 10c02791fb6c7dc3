import type { CacheError, Err, Result } from '@x/cache-core'
import { causeOf, DONE, err, ok, timeout, unavailable } from '@x/cache-core/implementing'
import { Deadlines } from '@x/cache-core/suite'
import { Breaker, type BreakerOptions, type BreakerState } from './breaker.js'
import { InvalidationQueue, type Removal } from './invalidation-queue.js'
import { isOutage, toCacheError } from '../connection/redis-errors.js'

/** The settings of a `Service`: time limit, breaker and queue size. */
export interface ServiceOptions {
  readonly commandTimeoutMs: number
  readonly breaker: BreakerOptions
  readonly maxQueued: number
  readonly now: () => number
}

/** The functions that the `Service` in front of Redis calls. */
export interface ServiceDeps {
  /** Checks whether Redis can be used; rejects unless Redis answers and a master is known. */
  readonly ping: () => Promise<unknown>
  /** Applies a removal of entries in this process; must not throw. */
  readonly applyHere: (removal: Removal) => void
  /** Sends a removal of entries to Redis; resolves once it is acknowledged. */
  readonly send: (removal: Removal) => Promise<unknown>
  /** Called when Redis has acknowledged a removal that had waited; must not throw. */
  readonly replayed?: (removal: Removal) => void
  /** Called when the state of the circuit breaker or of the invalidation queue has changed. */
  readonly changed: () => void
}

const REPLAY_MS = 100

/**
 * Runs operations while Redis is in service. While Redis is out of service, reads and stores fail at once. Removals take effect in
 * this process, wait in a queue, and are replayed before the next read.
 */
export class Service {
  /** The number of operations that have begun; health checks do not count. */
  operations = 0
  readonly #deps: ServiceDeps
  readonly #breaker: Breaker
  readonly #queue: InvalidationQueue
  readonly #deadlines: Deadlines
  /** The reason why the last probe of Redis failed; `undefined` once a probe succeeded. */
  #problem: CacheError | undefined
  #replaying: Promise<boolean> | undefined
  #replayTimer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor (options: ServiceOptions, deps: ServiceDeps) {
    this.#deps = deps
    this.#queue = new InvalidationQueue(options.maxQueued)
    this.#deadlines = new Deadlines(options.commandTimeoutMs)
    this.#breaker = new Breaker(options.breaker, {
      now: options.now,
      probe: () => this.#probe(),
      changed: (state) => {
        // The invalidation queue is replayed again, since a removal may have been added after the probe replayed the queue.
        if (state === 'closed' && this.#queue.size > 0) this.#replayLater()
        deps.changed()
      }
    }, 'open')
  }

  get isUp (): boolean { return !this.#breaker.isOpen && this.#queue.size === 0 }
  get breakerState (): BreakerState { return this.#breaker.state }
  get queued (): number { return this.#queue.size }
  /** The reason why Redis is out of service although it answers; `undefined`: there is no such reason. */
  get problem (): CacheError | undefined {
    const isAway = this.#problem?.code === 'CACHE_ERR_UNAVAILABLE' || this.#problem?.code === 'CACHE_ERR_TIMEOUT'
    return this.isUp || isAway ? undefined : this.#problem
  }

  /** Probes Redis now instead of after `probeMs`; called when a connection shows that Redis is back. */
  probeNow (): void {
    if (this.#isClosed) return
    if (this.#breaker.isOpen) void this.#breaker.probe()
    else if (this.#queue.size > 0) void this.#replay()
  }

  /**
   * Runs a read or a write of Redis within `commandTimeoutMs`; while Redis is out of service, the result is an error at once. Never
   * rejects.
   */
  run<T, R = Result<T>> (operation: string, start: () => Promise<T>, toAnswer: (value: T) => R = plain): Promise<R | Err> {
    this.operations++
    if (!this.isUp) return Promise.resolve(err(this.#outOfService(operation)))
    return this.#bounded(operation, start, toAnswer)
  }

  /**
   * Runs removals of entries. The result is `ok` if Redis acknowledged all removals. Otherwise the removals took effect in this process,
   * the error has `queued: true`, and unacknowledged removals are replayed later.
   */
  async remove (operation: string, removals: readonly Removal[]): Promise<Result<void>> {
    this.operations++
    for (const removal of removals) this.#deps.applyHere(removal)
    if (!this.isUp) return this.#enqueue(operation, removals, this.#outOfService(operation))
    const results = await Promise.all(removals.map((removal) => this.#bounded(operation, () => this.#deps.send(removal))))
    const left = removals.filter((_removal, at) => !results[at]!.ok)
    const failure = results.find((result) => !result.ok)
    return failure === undefined || failure.ok ? DONE : this.#enqueue(operation, left, failure.error)
  }

  /** Pings Redis within `commandTimeoutMs`; while Redis is out of service, the result is an error at once. Never rejects. */
  async check (): Promise<Result<void>> {
    if (!this.isUp) return err(this.#outOfService('health'))
    return this.#bounded('health', this.#deps.ping, () => DONE)
  }

  /** Sends the waiting removals to Redis once more; resolves with the number of lost removals. */
  async close (): Promise<number> {
    this.#isClosed = true
    this.#breaker.close()
    clearTimeout(this.#replayTimer)
    if (this.#queue.size > 0) await this.#replay()
    return this.#queue.size
  }

  #enqueue (operation: string, removals: readonly Removal[], error: CacheError): Result<void> {
    this.#queue.add(removals)
    this.#deps.changed()
    this.#replayLater()
    return err(Object.assign(error, { queued: true }))
  }

  #bounded<T, R = Result<T>> (operation: string, start: () => Promise<T>, toAnswer: (value: T) => R = plain): Promise<R | Err> {
    return this.#deadlines.bound<T, R | Err>(start(),
      (value) => {
        this.#breaker.success()
        return toAnswer(value)
      },
      (ms) => {
        this.#breaker.failure()
        return err(timeout(operation, ms))
      },
      (cause) => {
        const error = toCacheError(operation, cause)
        if (isOutage(error)) this.#breaker.failure()
        else this.#breaker.success()
        return err(error)
      })
  }

  async #probe (): Promise<boolean> {
    const result = await this.#bounded('health', this.#deps.ping)
    this.#problem = result.ok ? undefined : result.error
    return result.ok && await this.#replay()
  }

  #outOfService (operation: string): CacheError {
    // Redis refuses the credentials until an operator changes them, so the caller receives that error and not only the error of the
    // breaker.
    const cause = this.#problem?.code === 'CACHE_ERR_AUTH' ? causeOf(this.#problem) : undefined
    return cause === undefined ? unavailable(operation) : toCacheError(operation, cause)
  }

  #replay (): Promise<boolean> {
    clearTimeout(this.#replayTimer)
    this.#replayTimer = undefined
    return (this.#replaying ??= this.#queue
      .replay(async (removal) => {
        const { ok: isAcknowledged } = await this.#bounded('replay', () => this.#deps.send(removal))
        if (isAcknowledged) this.#deps.replayed?.(removal)
        return isAcknowledged
      })
      .finally(() => {
        this.#replaying = undefined
        if (this.#queue.size > 0) this.#replayLater()
        else this.#deps.changed()
      }))
  }

  // While the circuit breaker is open no timer is needed, since the probe replays the invalidation queue.
  #replayLater (): void {
    if (this.#isClosed || this.#breaker.isOpen || this.#replayTimer !== undefined) return
    this.#replayTimer = setTimeout(() => {
      this.#replayTimer = undefined
      void this.#replay()
    }, REPLAY_MS)
    this.#replayTimer.unref()
  }
}

// The type `any` is safe here: this function is only the default of the parameter `toAnswer`, and without that argument R is `Result<T>`.
function plain (value: any): any {
  return ok(value)
}
