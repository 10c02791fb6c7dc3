import type { TagSnapshot } from '../../contract/cache.js'
import type { Clock } from '../../lib/clock.js'
import { ownText } from '../../lib/own-text.js'
import type { Fail } from '../call.js'
import type { LoadTarget } from '../load-service.js'
import { LOAD_LIMIT_MS } from '../load.js'

/**
 * The maximum number of keys with an early lease. At the maximum, a new early lease replaces the one that was taken first, which is
 * released.
 */
const MAX_KEYS = 1000
/** Seconds for which an early lease waits for the next load of its key. */
const LEASE_TTL = 600
/** Milliseconds for which an early lease must still be valid when a load begins: the time limit of the load, and of storing its value. */
const SPARE_MS = LOAD_LIMIT_MS + 10_000

interface EarlyLease { readonly target: LoadTarget; readonly tags: string; readonly snapshot: TagSnapshot; readonly until: number }

/**
 * Early leases: leases, or snapshots of tags, that were taken after one load of a key, for the store of the next load. A load in the
 * control arm must not wait for a lease. A lease that is taken during the load would not show an invalidation between the begin of the load
 * and the lease.
 */
export class EarlyLeases {
  readonly #leases = new Map<string, EarlyLease>()
  readonly #owner: { readonly clock: Clock }
  readonly #fail: Fail

  constructor (owner: { readonly clock: Clock }, fail: Fail) {
    this.#owner = owner
    this.#fail = fail
  }

  /** Returns the early lease for a load that begins now; `null`: there is no early lease, so the loaded value must not be stored. */
  of (target: LoadTarget, key: string, tags: readonly string[]): TagSnapshot | null {
    const lease = this.#leases.get(key)
    if (lease === undefined) return null
    const isUsable = lease.target === target && lease.tags === textOf(tags) && lease.until - this.#owner.clock.now() > SPARE_MS
    return isUsable ? lease.snapshot : null
  }

  /** Takes an early lease for the next load of a key; it replaces the key's present early lease. */
  async take (target: LoadTarget, key: string, tags: string[]): Promise<void> {
    const until = this.#owner.clock.now() + LEASE_TTL * 1000
    const { leases } = target.impl
    const result = leases === undefined ? await target.capture(tags) : await target.takeLease(key, { tags, ttl: LEASE_TTL })
    if (!result.ok) return this.#fail(target.stats, leases === undefined ? 'shadow tags.capture' : 'shadow leases.take', result.error)
    this.forget(key)
    if (this.#leases.size >= MAX_KEYS) this.#release(this.#leases.keys().next().value!)
    this.#leases.set(ownText(key), { target, tags: textOf(tags), snapshot: result.value, until })
  }

  /** Forgets the early lease of a key, after it was used or has become invalid. */
  forget (key: string): void {
    this.#leases.delete(key)
  }

  /** Forgets all early leases without releasing them, since they expire in the cache's store. */
  clear (): void {
    this.#leases.clear()
  }

  #release (key: string): void {
    const { target, snapshot } = this.#leases.get(key)!
    this.#leases.delete(key)
    if (target.impl.leases === undefined) return
    void target.releaseLease(snapshot).then((result) => {
      if (!result.ok) this.#fail(target.stats, 'shadow leases.release', result.error)
    })
  }
}

function textOf (tags: readonly string[]): string {
  return JSON.stringify(tags)
}
