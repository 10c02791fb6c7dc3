import type { Entry, Lease, SetOptions, TagSnapshot } from '../contract/cache.js'
import type { CacheError } from '../contract/errors.js'
import type { StaleValue } from '../contract/loader.js'
import type { Call, Fail, Proof } from './call.js'
import type { Flight } from './single-flight.js'
import { limitOf, LOAD_LIMIT_MS } from './load.js'
import { measured, storeMeasured } from '../telemetry/measure.js'
import { needsEntry } from './stale-rules.js'
import { checkTagOptions, knownTags, lifetimeOf } from './store-options.js'
import type { LoadService, LoadTarget } from './load-service.js'

/** Error codes after which one call of `getOrSet` makes no further operation on the store, which would fail or time out as well. */
const AWAY: ReadonlySet<string> = new Set(['CACHE_ERR_UNAVAILABLE', 'CACHE_ERR_TIMEOUT', 'CACHE_ERR_AUTH'])
/** Milliseconds by which a lease outlasts the time limit of its load, since storing the loaded value may have to wait. */
const LEASE_SPARE_MS = 10_000

/**
 * The operations of the implementation that `getOrSet` uses. Each operation is measured. A failure is counted and emitted, never thrown: a
 * failed read is a miss, and a load without the lease or snapshot that it needs stores nothing.
 */
export class LoadStore {
  readonly #service: LoadService
  readonly #fail: Fail

  constructor (service: LoadService, fail: Fail) {
    this.#service = service
    this.#fail = fail
  }

  fail (target: LoadTarget, operation: string, error: CacheError, key?: string): void {
    this.#fail(target.stats, operation, error, key)
  }

  /**
   * Reads the entry of a key, fresh or stale; `null`: there is none, or the read failed.
   * @param near `false`: the near cache is not used. After a lock was acquired, or a lease taken or checked, a copy in the near cache could
   * be too old.
   */
  async read<T> (call: Call<T>, near = true): Promise<Entry<T> | null> {
    const { target, key, options } = call
    const hint = { tags: knownTags(options), stale: needsEntry(options), near }
    const result = await this.#measured(call, 'get', target.lookup<T>(key, hint))
    if (result.ok) return result.value
    this.fail(target, 'get', result.error)
    if (AWAY.has(result.error.code)) call.isStoreAway = true
    return null
  }

  /**
   * Reads the stale value of a load again, after the lease or the snapshot of its tags: another process, or this one, may have removed the
   * value since it was read. A lease taken after the removal does not prevent that the loader keeps the value by its function `unchanged`,
   * which stores the value again.
   */
  async staleNow<T> (call: Call<T>): Promise<StaleValue | undefined> {
    const entry = await this.read(call, false)
    return entry === null ? undefined : { value: entry.value, age: entry.age }
  }

  /**
   * Takes a lease for the load, or a snapshot of its tags, before the load. `undefined`: none is needed; `null`: the loaded value must not
   * be stored.
   */
  async capture<T> (call: Call<T>, flight: Flight<T>): Promise<TagSnapshot | undefined | null> {
    const { target, options } = call
    const hasLeases = target.impl.leases !== undefined
    if (flight.isSuperseded || call.isStoreAway) {
      if (hasLeases) flight.setLease(null)
      return null
    }
    const error = checkTagOptions(options)
    if (error !== undefined) this.fail(target, 'tags.capture', error, call.key)
    const tags = error === undefined ? flight.tags as string[] : []
    if (hasLeases) {
      // A lease is taken even if option `tags` is malformed: by this lease the store reports to later callers whether the key was removed.
      flight.closeToUnproven()
      const lease = await this.#take(call, tags)
      flight.setLease(lease)
      return error === undefined ? lease : null
    }
    if (error !== undefined) return null
    // A snapshot is also taken without tags: another process may clear the cache during the load. A clear in this process supersedes the
    // flight.
    if (tags.length === 0 && (target.immediate !== undefined || target.impl.tags === undefined)) return undefined
    const result = await this.#measured(call, 'tags.capture', target.capture(tags))
    if (result.ok) return result.value
    this.fail(target, 'tags.capture', result.error)
    return null
  }

  /**
   * Asks the cache's store whether the load of a flight is current. A flight without a lease cannot be checked; for such a flight the
   * result is `changed` if the store grants leases again.
   */
  async prove<T> (call: Call<T>, flight: Flight<T>): Promise<Proof> {
    const { target } = call
    const lease = await flight.lease
    if (lease === null || lease === undefined) return await this.#take(call, []) === null ? 'unknown' : 'changed'
    const result = await this.#measured(call, 'leases.isCurrent', target.isCurrent(lease))
    if (result.ok) return result.value ? 'current' : 'changed'
    this.fail(target, 'leases.isCurrent', result.error)
    return 'unknown'
  }

  /**
   * Releases the lease of a load that stores nothing, unless the flight was superseded: the release could remove a mark in the store that
   * the next load of the key relies on.
   */
  release<T> (call: Call<T>, flight: Flight<T>): void {
    if (flight.isSuperseded) return
    // The lease of the flight is released, not the snapshot of the tags: a load with malformed tags has a lease and no snapshot.
    void flight.lease?.then(async (lease) => {
      if (lease === null) return
      const { target } = call
      const result = await this.#measured(call, 'leases.release', target.releaseLease(lease))
      if (!result.ok) this.fail(target, 'leases.release', result.error)
    })
  }

  /**
   * Stores a loaded value in the cache; returns whether it was stored. If the implementation refuses the value, the lease of the load is
   * released.
   */
  async set<T> (call: Call<T>, flight: Flight<T>, value: T, options: SetOptions): Promise<boolean> {
    const { target, key } = call
    const result = await storeMeasured(this.#service, target.stats, 'set', key, () => target.set(key, value, options))
    if (result.ok) {
      const counters = target.stats.of(key)
      counters.sets++
      this.#service.events.emit('stored', key, counters.keyPattern, value, options.tags, lifetimeOf(options))
      return true
    }
    this.fail(target, 'set', result.error, key)
    if (!AWAY.has(result.error.code)) this.release(call, flight)
    return false
  }

  /** Takes a lease for a load; `null`: the implementation grants no lease now. */
  async #take<T> (call: Call<T>, tags: string[]): Promise<Lease | null> {
    const { target, key, options } = call
    const ttl = ((limitOf(options.timeoutMs) ?? LOAD_LIMIT_MS) + LEASE_SPARE_MS) / 1000
    const result = await this.#measured(call, 'leases.take', target.takeLease(key, { tags, ttl }))
    if (result.ok) return result.value
    this.fail(target, 'leases.take', result.error)
    return null
  }

  #measured<T> ({ target, key }: Pick<Call<unknown>, 'target' | 'key'>, operation: string, pending: Promise<T>): Promise<T> {
    return measured(this.#service, target.stats, operation, pending, key)
  }
}
