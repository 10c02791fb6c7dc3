import type { Lock } from '../contract/cache.js'
import type { CacheError } from '../contract/errors.js'
import type { Result } from '../contract/result.js'
import type { LoadTarget } from './load-service.js'

/** Seconds for which a lock is taken; extended while the load lasts, so it outlives a dead holder by no more. */
const LOCK_TTL = 10
/** Waiters load on their own after so long. */
const WAIT_MS = 30_000

/** The outcome of a load, for the callers that wait for its lock. */
export type LoadOutcome = 'stored' | 'not-stored'

type Failed = (operation: string, error: CacheError) => void

/** The lock around one load across processes, or the reason to load without it. */
export class LoadLock {
  readonly #timer: NodeJS.Timeout
  readonly #lock: Lock
  readonly #failed: Failed
  #isReleased = false

  private constructor (lock: Lock, failed: Failed) {
    this.#lock = lock
    this.#failed = failed
    this.#timer = setInterval(() => {
      // A lock that was lost cannot be won back: the load goes on, and the tags decide what may be served.
      void this.#tell('lock.extend', lock.extend(LOCK_TTL))
    }, LOCK_TTL * 1000 / 3).unref()
  }

  /**
   * `undefined`: the holder's load has ended, the wait was too long, or locks cannot be had now.
   * @param mayWait whether to queue behind the holder
   */
  static async acquire (target: LoadTarget, key: string, mayWait: boolean, timeoutMs: number | undefined, failed: Failed): Promise<LoadLock | undefined> {
    let result = await target.lock(key, { ttl: LOCK_TTL })
    // Only a cache that answers, and says that another holds the lock, may make a request wait for it.
    if (mayWait && result.ok && result.value === null) {
      result = await target.lock(key, { ttl: LOCK_TTL, waitMs: timeoutMs ?? WAIT_MS })
    }
    if (!result.ok) {
      failed('lock', result.error)
      return undefined
    }
    return result.value === null ? undefined : new LoadLock(result.value, failed)
  }

  /** Without an outcome the next in line gets the lock. A second release does nothing. */
  async release (outcome?: LoadOutcome): Promise<void> {
    if (this.#isReleased) return
    this.#isReleased = true
    clearInterval(this.#timer)
    await this.#tell('lock.release', this.#lock.release(outcome))
  }

  async #tell (operation: string, pending: Promise<Result<void>>): Promise<void> {
    const result = await pending
    if (!result.ok) this.#failed(operation, result.error)
  }
}
