import { isCacheError, type CacheError } from '../../contract/errors.js'
import type { Entry, SetOptions, TagSnapshot } from '../../contract/cache.js'
import type { GetOrSetOptions } from '../../contract/loader.js'
import { DONE, type Result } from '../../contract/result.js'
import { Deadlines } from '../../lib/deadlines.js'
import type { ShadowOutcome } from '../../telemetry/shadow-stats.js'
import type { Fail } from '../call.js'
import { LOAD_LIMIT_MS } from '../load.js'
import type { LoadService, LoadTarget } from '../load-service.js'
import { Flight } from '../single-flight.js'
import { checkTagOptions, knownTags, storeOptions } from '../store-options.js'
import { differences } from './differences.js'
import { EarlyLeases } from './early-leases.js'
import { comparable, formOf, isSame, printOf, read, type Form } from './form.js'
import { EXPLAIN_MS, MismatchChecks, type Mismatch } from './mismatch-checks.js'
import { SeenEntries } from './seen-entries.js'
import { VolatileMembers } from './volatile-members.js'

/** The maximum number of loads and comparisons of shadow reads in flight; further ones are dropped and counted. */
const MAX_IN_FLIGHT = 256
/**
 * Seconds that must remain of an entry's ttl, if other processes write to the store: after the ttl an entry that they removed looks like
 * one that has expired.
 */
const MIN_TTL_LEFT = EXPLAIN_MS / 1000 + 1

/** One load in the control arm whose value will be compared with the cache's entry. */
export interface ShadowLoad {
  /** Called when the loader returned a value that would be stored, before the caller gets the value. Never throws. */
  readonly loaded: (value: unknown) => void
  /** Called if the load failed, or if its value must not be stored, so that nothing is compared. */
  readonly end: () => void
}

/** A load whose value is to be compared with the cache's entry, with the data for storing the value. */
interface Pending {
  readonly target: LoadTarget
  readonly key: string
  readonly keyPattern: string
  readonly group: number
  readonly options: GetOrSetOptions<unknown>
  readonly flight: Flight
  readonly tags: string[]
  /** The lease or snapshot of tags from before the load; `undefined`: none is needed, `null`: the loaded value must not be stored. */
  readonly snapshot: Promise<TagSnapshot | undefined | null>
  readonly began: number
}

/**
 * Compares the values that are loaded in the control arm with the entries of the cache. A comparison runs after the load, and the caller of
 * the load does not wait for it. A key without an entry gets the loaded value, as in the cached arm; an existing entry stays until its ttl
 * ends, as in the cached arm.
 */
export class ShadowLoads {
  readonly #service: LoadService
  readonly #fail: Fail
  readonly #ttlFor: (ttl: number | undefined) => number
  readonly #leases: EarlyLeases
  readonly #members: VolatileMembers
  readonly #seen = new SeenEntries()
  readonly #checks: MismatchChecks
  readonly #limit = new Deadlines(LOAD_LIMIT_MS, { holdsProcess: false })
  readonly #inFlight = new Set<Flight>()
  #isClosed = false

  constructor (service: LoadService, fail: Fail, ttlFor: (ttl: number | undefined) => number) {
    this.#service = service
    this.#fail = fail
    this.#ttlFor = ttlFor
    this.#leases = new EarlyLeases(service, fail)
    this.#members = new VolatileMembers(() => service.clock.now())
    this.#checks = new MismatchChecks({
      now: () => service.clock.now(),
      serializerOf: (target) => service.serializerOf(target),
      members: this.#members,
      read: (target, key) => this.#read(target, key, []),
      end: (flight) => service.flights.end(flight),
      decided: ({ keyPattern, group, age }, outcome, path, times) => {
        const isNamed = outcome === 'mismatch' || outcome === 'differs'
        for (let time = 0; time < times; time++) this.#note(keyPattern, group, outcome, age, isNamed ? path : undefined)
      }
    })
  }

  /** Begins the comparison of a load; `undefined`: the key is not sampled, or too many comparisons are in flight. */
  begin (target: LoadTarget, key: string, keyPattern: string, options: GetOrSetOptions<never>): ShadowLoad | undefined {
    const group = this.#isClosed ? undefined : this.#service.shadow.groupOf(key)
    if (group === undefined) return undefined
    if (this.#inFlight.size >= MAX_IN_FLIGHT) {
      this.#note(keyPattern, group, 'dropped')
      return undefined
    }
    const tagError = checkTagOptions(options)
    if (tagError !== undefined) this.#fail(target.stats, 'shadow tags.capture', tagError)
    const tags = tagError === undefined ? [...knownTags(options)] : []
    const flight = new Flight(key, tags, { hasLateTags: typeof options.tags === 'function' })
    this.#service.flights.beginApart(flight)
    this.#inFlight.add(flight)
    const began = this.#service.clock.now()
    const pending: Pending = {
      target,
      key,
      keyPattern,
      group,
      flight,
      tags,
      began,
      options: options as GetOrSetOptions<unknown>,
      snapshot: tagError === undefined ? this.#snapshot(target, key, tags) : Promise.resolve(null)
    }
    const end = (): void => this.#end(flight)
    const watched = this.#limit.watch(end)
    return {
      loaded: (value) => { if (this.#limit.unwatch(watched)) this.#loaded(pending, value) },
      end: () => { if (this.#limit.unwatch(watched)) end() }
    }
  }

  /** Drops all loads and comparisons of shadow reads in flight. */
  close (): void {
    this.#isClosed = true
    this.#limit.clear()
    this.#checks.stop()
    this.#leases.clear()
    for (const flight of this.#inFlight) this.#end(flight)
  }

  /** Returns the lease or snapshot of tags for storing a loaded value; a cache in this process takes the snapshot synchronously. */
  async #snapshot (target: LoadTarget, key: string, tags: string[]): Promise<TagSnapshot | undefined | null> {
    const { leases, tags: ofImpl } = target.impl
    if (target.immediate === undefined) return leases === undefined && ofImpl === undefined ? undefined : this.#leases.of(target, key, tags)
    if (tags.length === 0 || ofImpl === undefined) return undefined
    const result = await target.capture(tags)
    if (result.ok) return result.value
    this.#fail(target.stats, 'shadow tags.capture', result.error)
    return null
  }

  #loaded (pending: Pending, value: unknown): void {
    const { target, flight, keyPattern, group } = pending
    const form = formOf(value, this.#service.serializerOf(target))
    if (typeof form === 'string') {
      this.#note(keyPattern, group, form === 'none' ? 'failed' : 'dropped')
      return this.#end(flight)
    }
    // Option functions of the caller, such as `ttl` and `tags`, are called before the caller gets the value, as in the cached arm.
    const stored = storeOptions(pending.options, flight as Flight<unknown>, value, undefined, this.#ttlFor)
    if (isError(stored)) this.#fail(target.stats, 'shadow set', stored)
    void this.#compare(pending, form, isError(stored) ? undefined : stored)
  }

  async #compare (pending: Pending, form: Form, stored: SetOptions | undefined): Promise<void> {
    const { target, key, keyPattern, group, flight } = pending
    const result = await this.#read(target, key, pending.tags)
    if (this.#isClosed) return
    if (!result.ok) this.#note(keyPattern, group, 'failed')
    else if (result.value === null || !result.value.fresh) {
      this.#note(keyPattern, group, 'absent')
      this.#members.forget(key)
      await this.#store(pending, form, stored)
    } else {
      this.#leases.forget(key)
      // A mismatch that is being checked still needs the flight of its load, which records removals; the check ends the flight.
      if (this.#judge(pending, form, result.value)) {
        this.#inFlight.delete(flight)
        return
      }
    }
    this.#end(flight)
  }

  /** Compares an entry with the loaded value; `true`: their mismatch is to be checked further, so the flight must record removals. */
  #judge ({ target, key, keyPattern, group, flight, began }: Pending, form: Form, { value, age, ttlLeft }: Entry<unknown>): boolean {
    const now = this.#service.clock.now()
    const entry = formOf(value, this.#service.serializerOf(target))
    if (typeof entry === 'string') {
      this.#note(keyPattern, group, entry === 'none' ? 'failed' : 'dropped')
      return false
    }
    // An implementation that does not return the remaining ttl does not return a usable age either. The time since the entry was first seen
    // is used in place of the age.
    const known = ttlLeft === Infinity || Number.isNaN(age) ? this.#seen.ageOf(key, printOf(entry), now) : age
    const paths = isSame(entry, form) ? [] : differences(comparable(entry), comparable(form))
    if (!target.isLocal && ttlLeft < MIN_TTL_LEFT) this.#note(keyPattern, group, 'undecided', known)
    else if (paths.length === 0) {
      this.#members.forget(key)
      this.#note(keyPattern, group, 'match', known)
    } else if (flight.isSuperseded) this.#note(keyPattern, group, 'explained', known)
    // An entry that was stored after the load began may be newer than the loaded value, so that their difference shows nothing.
    else if (!(known * 1000 > now - began)) this.#note(keyPattern, group, 'undecided', known)
    else {
      const print = printOf(entry)
      const evidence = this.#members.differ(key, print, form, paths)
      if (paths.every((path) => this.#members.isVolatile(keyPattern, path))) {
        this.#members.learn(keyPattern, evidence)
        this.#note(keyPattern, group, 'differs', known, paths[0])
        return false
      }
      const mismatch: Mismatch = { target, key, keyPattern, group, flight, print, age: known, ttlLeft, paths, evidence }
      if (this.#checks.add(mismatch)) return true
      this.#note(keyPattern, group, 'dropped')
    }
    return false
  }

  /**
   * Stores a loaded value whose key has no entry, unless the key or a tag was changed since the load began. If the load had no lease or
   * snapshot, takes a lease for the next load instead.
   */
  async #store (pending: Pending, form: Form, stored: SetOptions | undefined): Promise<void> {
    const { target, key, keyPattern, flight, tags } = pending
    const snapshot = await pending.snapshot
    const { flights, shadow } = this.#service
    if (stored === undefined || this.#service.active !== target) return
    if (snapshot === null) {
      if (checkTagOptions(pending.options) === undefined) await this.#leases.take(target, key, tags)
      return
    }
    // A pending load or write of the cached arm has a newer value, so the value of this load is not stored.
    if (flights.joinable(key) !== undefined || flights.storing([key]) !== undefined) return
    this.#leases.forget(key)
    if (snapshot !== undefined) stored.snapshot = snapshot
    const isCurrent = (): boolean => !flight.isSuperseded && stored.tags?.some((tag) => flight.invalidated?.has(tag)) !== true
    const store = async (): Promise<Result<void>> => isCurrent() ? target.set(key, read(form), stored) : DONE
    const result = await (target.immediate === undefined ? flights.store([key], store) : store())
    if (result.ok) shadow.stats.of(keyPattern).stored++
    else this.#fail(target.stats, 'shadow set', result.error)
  }

  async #read (target: LoadTarget, key: string, tags: string[]): Promise<Result<Entry<unknown> | null>> {
    const result = await target.lookup(key, { tags, stale: true, near: false })
    if (!result.ok) this.#fail(target.stats, 'shadow get', result.error)
    return result
  }

  #note (keyPattern: string, group: number, outcome: ShadowOutcome, age = NaN, path?: string): void {
    const { events, shadow } = this.#service
    shadow.stats.of(keyPattern).note({ outcome, age, group, path })
    events.emit('shadowed', keyPattern, outcome, age)
  }

  #end (flight: Flight): void {
    this.#service.flights.end(flight)
    this.#inFlight.delete(flight)
  }
}

function isError (stored: SetOptions | CacheError | undefined): stored is CacheError {
  return stored !== undefined && isCacheError(stored)
}
