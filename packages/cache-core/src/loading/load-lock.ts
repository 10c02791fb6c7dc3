import type { Lock } from '../contract/cache.js'
import type { CacheError } from '../contract/errors.js'
import type { Result } from '../contract/result.js'
import type { LoadTarget } from './load-service.js'

/**
 * The ttl, in seconds, of the lock around a load. It is extended during the load, so a lock outlasts a process that died by at most this
 * time.
 */
const LOCK_TTL = 10
/** Milliseconds after which a waiter for the lock of a key loads the value without the lock. */
const WAIT_MS = 30_000

/** The outcome of a load, which is reported to the callers that wait for its lock. */
export type LoadOutcome = 'stored' | 'not-stored'

type Failed = (operation: string, error: CacheError) => void

/** How a load waits for the holder of its lock: for how long at most, and a callback for the begin of the wait. */
export interface LockWait { readonly timeoutMs?: number | undefined; readonly onWait?: () => void }

/** The lock around one load of a key, held across processes. */
export class LoadLock {
  readonly #timer: NodeJS.Timeout
  readonly #lock: Lock
  readonly #failed: Failed
  #isReleased = false

  private constructor (lock: Lock, failed: Failed) {
    this.#lock = lock
    this.#failed = failed
    this.#timer = setInterval(() => {
      // A lost lock cannot be acquired again: the load continues, and its snapshot of tags or its lease decides whether the value is
      // stored.
      void this.#report('lock.extend', lock.extend(LOCK_TTL))
    }, LOCK_TTL * 1000 / 3).unref()
  }

  /**
   * Acquires the lock of a key. `undefined`: the holder's load has ended, the wait was too long, or the store grants no lock now.
   * @param wait how to wait for the holder; `undefined`: do not wait
   */
  static async acquire (target: LoadTarget, key: string, wait: LockWait | undefined, failed: Failed): Promise<LoadLock | undefined> {
    let result = await target.lock(key, { ttl: LOCK_TTL })
    // A load waits for the lock only if the implementation replied that another caller holds it, not after an error.
    if (wait !== undefined && result.ok && result.value === null) {
      wait.onWait?.()
      result = await target.lock(key, { ttl: LOCK_TTL, waitMs: wait.timeoutMs ?? WAIT_MS })
    }
    if (!result.ok) {
      failed('lock', result.error)
      return undefined
    }
    return result.value === null ? undefined : new LoadLock(result.value, failed)
  }

  /** Releases the lock of a load; without an outcome the next waiter acquires it. A second release does nothing. */
  async release (outcome?: LoadOutcome): Promise<void> {
    if (this.#isReleased) return
    this.#isReleased = true
    clearInterval(this.#timer)
    await this.#report('lock.release', this.#lock.release(outcome))
  }

  async #report (operation: string, pending: Promise<Result<void>>): Promise<void> {
    const result = await pending
    if (!result.ok) this.#failed(operation, result.error)
  }
}
