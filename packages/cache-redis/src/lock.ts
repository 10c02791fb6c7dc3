import { checkLockTtl, DONE, err, MAX_TTL, ok, unavailable, type Lock, type LockOptions, type Result } from '@x/cache-core'
import type { Client } from './connection.js'
import { newToken, type Keys } from './keys.js'
import type { Service } from './service.js'
import type { Subscriber } from './subscriber.js'

/** How long a waiter trusts that it will be told; a holder that died tells nobody. */
const POLL_MS = 250
/** What a release says when the next waiter may take the lock. */
const FREE = 'free'

/** Locks across processes: a key with an end, a mark that only its owner knows, and a token that grows. */
export class RedisLocks {
  readonly #client: Client
  readonly #keys: Keys
  readonly #service: Service
  readonly #subscriber: Subscriber
  readonly #waiters = new Set<Waiter>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #isClosed = false

  constructor (client: Client, keys: Keys, service: Service, subscriber: Subscriber) {
    this.#client = client
    this.#keys = keys
    this.#service = service
    this.#subscriber = subscriber
  }

  async acquire (key: string, { ttl, waitMs = 0 }: LockOptions): Promise<Result<Lock | null>> {
    const first = await this.#try(key, ttl)
    if (!first.ok || first.value !== null || !(waitMs > 0)) return first
    return this.#wait(key, ttl, waitMs)
  }

  close (): void {
    this.#isClosed = true
    for (const waiter of this.#waiters) waiter.end()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  async #wait (key: string, ttl: number, waitMs: number): Promise<Result<Lock | null>> {
    const waiter = new Waiter()
    this.#waiters.add(waiter)
    // Node turns a delay above 2^31-1 ms into one of 1 ms.
    const deadline = setTimeout(() => waiter.end(), Math.min(waitMs, 0x7fffffff))
    // Not waited for: while the channel cannot be had, the polls are left.
    const listening = this.#subscriber.listen(this.#keys.lock(key).channel, (message) => {
      if (message === FREE) waiter.wake()
      else waiter.end()
    }).then((stop) => {
      // The release may have come in between.
      waiter.wake()
      return stop
    }, () => () => {})
    try {
      while (!waiter.hasEnded) {
        const result = await this.#try(key, ttl)
        if (!result.ok || result.value !== null) return result
        await waiter.sleep(POLL_MS * (0.75 + Math.random() / 2))
      }
      return ok(null)
    } finally {
      clearTimeout(deadline)
      this.#waiters.delete(waiter)
      void listening.then((stop) => stop())
    }
  }

  async #try (key: string, ttl: number): Promise<Result<Lock | null>> {
    const { lock, fence, channel } = this.#keys.lock(key)
    const mark = newToken()
    const isTried = this.#service.isUp
    const result = await this.#service.run('lock', () => this.#client.cacheLock(lock, fence, mark, toMs(ttl)))
    if (!result.ok) {
      // Redis may have done it all the same, and nobody else would get the lock until its ttl is over.
      if (isTried) this.#freeLater(lock, mark, channel, FREE, performance.now() + toMs(ttl))
      return result
    }
    if (result.value === null) return ok(null)
    return ok({
      token: Number(result.value),
      release: (outcome) => this.#release(lock, mark, channel, outcome ?? FREE, toMs(ttl)),
      extend: (seconds) => this.#extend(lock, mark, seconds)
    })
  }

  async #release (lock: string, mark: string, channel: string, outcome: string, ttlMs: number): Promise<Result<void>> {
    const result = await this.#service.run('lock.release', () => this.#client.cacheUnlock(lock, mark, channel, outcome))
    if (result.ok) return DONE
    this.#freeLater(lock, mark, channel, outcome, performance.now() + ttlMs)
    return result
  }

  /** Tries until the ttl has freed the lock anyway: who waits for it must not wait for a message that was lost. */
  #freeLater (lock: string, mark: string, channel: string, outcome: string, until: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      void this.#service.run('lock.release', () => this.#client.cacheUnlock(lock, mark, channel, outcome)).then((result) => {
        if (!result.ok && !this.#isClosed && performance.now() < until) this.#freeLater(lock, mark, channel, outcome, until)
      })
    }, POLL_MS).unref()
    this.#timers.add(timer)
  }

  async #extend (lock: string, mark: string, seconds: number): Promise<Result<void>> {
    const error = checkLockTtl(seconds)
    if (error !== undefined) return err(error)
    const result = await this.#service.run('lock.extend', () => this.#client.cacheHold(lock, mark, toMs(seconds)))
    if (!result.ok) return result
    return result.value === 1 ? DONE : err(unavailable('lock.extend'))
  }
}

function toMs (seconds: number): number {
  return Math.max(1, Math.round(Math.min(seconds, MAX_TTL) * 1000))
}

/** Sleeps between two tries, unless there is news. */
class Waiter {
  hasEnded = false
  #isAwake = false
  #resolve = (): void => {}

  /** There may be a lock to get. */
  wake (): void {
    this.#isAwake = true
    this.#resolve()
  }

  /** There is none to wait for any more. */
  end (): void {
    this.hasEnded = true
    this.wake()
  }

  async sleep (ms: number): Promise<void> {
    if (!this.#isAwake) {
      await new Promise<void>((resolve) => {
        const poll = setTimeout(resolve, ms)
        this.#resolve = () => {
          clearTimeout(poll)
          resolve()
        }
      })
    }
    this.#isAwake = false
  }
}
