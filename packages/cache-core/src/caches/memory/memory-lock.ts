import { checkLockTtl } from '../../contract/arguments.js'
import type { Lock, LockOptions } from '../../contract/cache.js'
import { unavailable } from '../../contract/errors.js'
import { ownText } from '../../lib/own-text.js'
import { DONE, err, type Result } from '../../contract/result.js'

interface Waiter { take: (lock: Lock | null) => void; ttl: number; timer: NodeJS.Timeout | undefined }
interface Held { token: number; expiry: NodeJS.Timeout; waiters: Waiter[] }

/** Locks within this process; waiters acquire a lock in the order of their calls. A lock that is not released ends with its ttl. */
export class MemoryLocks {
  readonly #held = new Map<string, Held>()
  #token = 0

  acquire (key: string, options: LockOptions): Promise<Lock | null> {
    const held = this.#held.get(key)
    if (held === undefined) return Promise.resolve(this.#hold(ownText(key), options.ttl, []))
    const waitMs = options.waitMs ?? 0
    if (!(waitMs > 0)) return Promise.resolve(null)
    return new Promise((resolve) => {
      const waiter: Waiter = { take: resolve, ttl: options.ttl, timer: undefined }
      waiter.timer = setTimeout(() => {
        held.waiters.splice(held.waiters.indexOf(waiter), 1)
        resolve(null)
      }, toDelay(waitMs))
      held.waiters.push(waiter)
    })
  }

  /** Releases all locks; the pending calls of waiters resolve with `null`. */
  close (): void {
    for (const held of this.#held.values()) {
      clearTimeout(held.expiry)
      this.#dismiss(held)
    }
    this.#held.clear()
  }

  #hold (key: string, ttl: number, waiters: Waiter[]): Lock {
    const token = ++this.#token
    this.#held.set(key, { token, expiry: this.#expire(key, token, ttl), waiters })
    return {
      token,
      release: async (outcome) => this.#release(key, token, outcome !== undefined),
      extend: async (seconds) => this.#extend(key, token, seconds)
    }
  }

  #expire (key: string, token: number, ttl: number): NodeJS.Timeout {
    return setTimeout(() => this.#release(key, token, false), toDelay(ttl * 1000)).unref()
  }

  #extend (key: string, token: number, ttl: number): Result<void> {
    const error = checkLockTtl(ttl)
    if (error !== undefined) return err(error)
    const held = this.#held.get(key)
    if (held?.token !== token) return err(unavailable('lock.extend'))
    clearTimeout(held.expiry)
    held.expiry = this.#expire(key, token, ttl)
    return DONE
  }

  #release (key: string, token: number, hasOutcome: boolean): Result<void> {
    const held = this.#held.get(key)
    if (held?.token !== token) return DONE
    clearTimeout(held.expiry)
    this.#held.delete(key)
    if (hasOutcome) this.#dismiss(held)
    const next = held.waiters.shift()
    if (next !== undefined) {
      clearTimeout(next.timer)
      next.take(this.#hold(key, next.ttl, held.waiters))
    }
    return DONE
  }

  #dismiss (held: Held): void {
    for (const waiter of held.waiters.splice(0)) {
      clearTimeout(waiter.timer)
      waiter.take(null)
    }
  }
}

/** Returns the delay of a timer in milliseconds, at most 2^31-1: Node turns a longer delay into 1 ms. */
function toDelay (ms: number): number {
  return Math.min(ms, 0x7fffffff)
}
