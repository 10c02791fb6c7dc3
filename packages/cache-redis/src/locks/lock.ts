import type { Lock, LockOptions, Result } from '@x/cache-core'
import { checkLockTtl, DONE, err, MAX_TTL, ok, unavailable } from '@x/cache-core/implementing'
import type { Client } from '../connection/connection.js'
import { newToken, type Keys, type LockKeys } from '../entries/keys.js'
import type { Service } from '../service/service.js'
import type { Subscriber } from '../connection/subscriber.js'

/** Milliseconds between two attempts of a waiter to take a lock: it polls, since a holder that died publishes no release. */
const POLL_MS = 250
/**
 * Milliseconds for which the dismissal of a lock's waiters is stored, so that waiters which were not subscribed yet find it with a poll.
 */
const DISMISSED_MS = 10_000
/** The outcome of a lock's release after which the next waiter takes the lock; any other outcome dismisses the waiters. */
const FREE = 'free'

/** The result of an attempt to take a lock: the lock, or the fencing token of its holder; 0: the holder has dismissed its waiters. */
type Try = { readonly lock: Lock } | { readonly holder: number }

/**
 * Locks across processes. A lock is a Redis key with an expiry; its value is a random text that only the owner knows. Each owner gets a
 * fencing token higher than the last.
 */
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
    const names = this.#keys.lock(key)
    const first = await this.#try(names, ttl, 0)
    if (!first.ok) return first
    if ('lock' in first.value) return ok(first.value.lock)
    return waitMs > 0 ? this.#wait(names, first.value.holder, ttl, waitMs) : ok(null)
  }

  close (): void {
    this.#isClosed = true
    for (const waiter of this.#waiters) waiter.end()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  async #wait (names: LockKeys, holder: number, ttl: number, waitMs: number): Promise<Result<Lock | null>> {
    const waiter = new Waiter()
    this.#waiters.add(waiter)
    // The delay of the timer is limited, since Node treats a delay above 2^31-1 ms as 1 ms.
    const deadline = setTimeout(() => waiter.end(), Math.min(waitMs, 0x7fffffff))
    // The subscription to the lock's channel is not awaited: without it the waiter still polls. A message only makes the waiter try to take
    // the lock, since any client may publish on the channel.
    const listening = this.#subscriber.listen(names.channel, () => waiter.wake()).then((stop) => {
      // The lock is tried once after the subscription, since a release before the subscription has sent no message to this waiter.
      waiter.wake()
      return stop
    }, () => () => {})
    try {
      while (!waiter.hasEnded) {
        const result = await this.#try(names, ttl, holder)
        if (!result.ok) return result
        if ('lock' in result.value) return ok(result.value.lock)
        if (result.value.holder === 0) break
        await waiter.sleep(POLL_MS * (0.75 + Math.random() / 2))
      }
      return ok(null)
    } finally {
      clearTimeout(deadline)
      this.#waiters.delete(waiter)
      void listening.then((stop) => stop())
    }
  }

  async #try (names: LockKeys, ttl: number, waitedFor: number): Promise<Result<Try>> {
    const { lock, fencingCounter, dismissed } = names
    const mark = newToken()
    const isTried = this.#service.isUp
    const result = await this.#service.run('lock', () => this.#client.cacheLock(lock, fencingCounter, dismissed, mark, toMs(ttl), waitedFor))
    if (!result.ok) {
      // The attempt failed, perhaps by the loss of its reply. Redis may then have set the lock, which would block other callers until its
      // ttl has passed, so the lock is released.
      if (isTried) this.#freeLater(names, mark, FREE, performance.now() + toMs(ttl))
      return result
    }
    if (result.value <= 0) return ok({ holder: -result.value })
    return ok({
      lock: {
        token: result.value,
        release: (outcome) => this.#release(names, mark, outcome ?? FREE, toMs(ttl)),
        extend: (seconds) => this.#extend(lock, mark, seconds)
      }
    })
  }

  async #release (names: LockKeys, mark: string, outcome: string, ttlMs: number): Promise<Result<void>> {
    const result = await this.#unlock(names, mark, outcome)
    if (result.ok) return DONE
    this.#freeLater(names, mark, outcome, performance.now() + ttlMs)
    return result
  }

  #unlock ({ lock, fencingCounter, dismissed, channel }: LockKeys, mark: string, outcome: string): Promise<Result<number>> {
    const dismissMs = outcome === FREE ? 0 : DISMISSED_MS
    return this.#service.run('lock.release', () => this.#client.cacheUnlock(lock, fencingCounter, dismissed, mark, channel, outcome, dismissMs))
  }

  /** Retries the failed release of a lock until the lock has expired by its ttl, so that waiters need not wait for the expiry. */
  #freeLater (names: LockKeys, mark: string, outcome: string, until: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      void this.#unlock(names, mark, outcome).then((result) => {
        if (!result.ok && !this.#isClosed && performance.now() < until) this.#freeLater(names, mark, outcome, until)
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

/** A waiter for a lock, which sleeps between two attempts until it is woken. */
class Waiter {
  hasEnded = false
  #isAwake = false
  #resolve = (): void => {}

  wake (): void {
    this.#isAwake = true
    this.#resolve()
  }

  /** Ends the sleep of the waiter, which then makes no further attempt. */
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
