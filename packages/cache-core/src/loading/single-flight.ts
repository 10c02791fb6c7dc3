import type { Lease } from '../contract/cache.js'
import { isolate, readOr, type Isolated, type Serializer, type SerializerName } from '../contract/isolation.js'
import { LoadScope, LoadScopes } from './load-scope.js'

/** Options of a `Flight`. */
export interface FlightOptions {
  /** Whether the loaded value determines further tags of its entry, which are unknown until the load ends. */
  hasLateTags?: boolean
  isBackground?: boolean
  isSuspected?: boolean
  /** The loader run that waits for this flight; `undefined`: none. */
  parent?: LoadScope | undefined
}

/** One load of a key, from its begin until its value is stored. */
export class Flight<T = unknown> {
  /** The promise of the loaded value, which is set as soon as the load has begun. */
  loaded!: Promise<T>
  /** Whether the key, or a tag, of this flight was changed after the flight began: no caller joins it, and its value is not stored. */
  isSuperseded = false
  /**
   * Whether the load failed after the request of its first caller had ended: callers that joined the flight begin a new load and do not
   * fail.
   */
  isAbandoned = false
  /** Whether the load exceeded its time limit: the flight is superseded, and callers that joined it may begin a load of their own. */
  isOverdue = false
  /** Tags that were invalidated during the load; `undefined` unless the loaded value determines tags of the entry. */
  readonly invalidated: Set<string> | undefined
  readonly scope: LoadScope
  /**
   * The lease of the load, set when it is requested from the implementation. A caller that comes later joins only if the implementation
   * confirms the lease. `null`: the load has no lease. The promise never rejects.
   */
  lease: Promise<Lease | null> | undefined
  /** The ordinal number of this flight among all flights of the process, in the order of their beginnings. */
  number = 0
  readonly key: string
  /** The tags of the entry that are known before the load begins. */
  readonly tags: readonly string[]
  /** Whether no caller waits for this flight: until its value is loaded, callers get the stale value. */
  isBackground: boolean
  /**
   * Whether this flight replaces an overdue flight. The loader may be one that waits for itself, so calls of `getOrSet` that it makes after
   * its first `await` are attributed to it, too.
   */
  readonly isSuspected: boolean
  #setLease: ((lease: Lease | null) => void) | undefined
  #hasJoiners = false
  #isolated: Isolated | undefined
  #followers: (() => void)[] | undefined

  constructor (
    key: string, tags: readonly string[], { hasLateTags = false, isBackground = false, isSuspected = false, parent }: FlightOptions = {}
  ) {
    this.key = key
    this.tags = tags
    this.invalidated = hasLateTags ? new Set() : undefined
    this.isBackground = isBackground
    this.isSuspected = isSuspected
    this.scope = new LoadScope(key, parent)
  }

  /**
   * Closes the flight to callers that come later, unless the implementation confirms the lease of the flight. Called before the
   * implementation is asked for a lease or for the entry.
   */
  closeToUnproven (): void {
    this.lease ??= new Promise((resolve) => { this.#setLease = resolve })
  }

  setLease (lease: Lease | null): void {
    this.closeToUnproven()
    this.#setLease?.(lease)
  }

  /** Joins the flight: returns a copy of the loaded value, since the caller that began the load may change the original. */
  join (): Promise<T> {
    this.#hasJoiners = true
    return this.loaded.then((value) => this.copyOf(value))
  }

  /** Registers a callback that is called if the load exceeds its time limit; the callback must not throw. */
  onOverdue (callback: () => void): void {
    (this.#followers ??= []).push(callback)
  }

  /** Marks the flight as overdue when its load has exceeded its time limit, and calls the callbacks of `onOverdue`. */
  expire (): void {
    this.isSuperseded = true
    this.isOverdue = true
    for (const callback of this.#followers?.splice(0) ?? []) callback()
  }

  /**
   * Isolates a copy of the loaded value before the caller that began the load can change it, if other callers have joined the flight or, by
   * `mayBeJoinedYet`, may still join it. A value that cannot be serialised is shared by its callers, and is not stored.
   */
  snapshotValue (value: T, mayBeJoinedYet: boolean, serializer?: SerializerName | Serializer): void {
    this.isBackground = false
    if (typeof value !== 'object' || value === null || !(this.#hasJoiners || mayBeJoinedYet)) return
    const isolated = isolate(value, serializer)
    if (!('error' in isolated)) this.#isolated = isolated
  }

  /** Returns a copy of the loaded value as `snapshotValue` has isolated it, or the value itself if it was not isolated. */
  copyOf (value: T): T {
    return this.#isolated === undefined ? value : readOr(value, this.#isolated)
  }
}

/**
 * The pending loads of this process, or the pending runs of a handler: at most one per key that callers may join. Stores of one key run
 * one after another, so that an earlier value never overwrites a later one.
 */
export class Flights<F extends Flight = Flight> {
  /** Finds the loader run in which a call of `getOrSet` is made. */
  readonly scopes = new LoadScopes()
  /** The number of flights of this process that have begun so far. */
  begun = 0
  /** The number of calls so far that changed or removed values, and so supersede flights. */
  changes = 0
  readonly #joinable = new Map<string, F>()
  readonly #byTag = new Map<string, Set<F>>()
  readonly #open = new Set<F>()
  /** The flights that no caller joins (`beginApart`), by key. */
  readonly #apart = new Map<string, Set<F>>()
  readonly #storing = new Map<string, Promise<unknown>>()

  /** Returns the flight of a key that a call may join now; `undefined`: none. */
  joinable (key: string): F | undefined {
    return this.#joinable.size === 0 ? undefined : this.#joinable.get(key)
  }

  begin (flight: F): void {
    flight.number = ++this.begun
    this.#joinable.set(flight.key, flight)
    this.#admit(flight)
  }

  /** Begins a flight that no caller joins. It is superseded like any other flight, until `end` is called. */
  beginApart (flight: F): void {
    addTo(this.#apart, flight.key, flight)
    this.#admit(flight)
  }

  end (flight: F): void {
    if (this.#joinable.get(flight.key) === flight) this.#joinable.delete(flight.key)
    this.#open.delete(flight)
    for (const tag of flight.tags) removeFrom(this.#byTag, tag, flight)
    if (this.#apart.size > 0) removeFrom(this.#apart, flight.key, flight)
  }

  /** Supersedes the flights of keys that were changed. */
  supersede (keys: readonly string[]): void {
    this.changes++
    for (const key of keys) {
      const flight = this.#joinable.get(key)
      if (flight !== undefined) this.supersedeFlight(flight)
      if (this.#apart.size > 0) for (const apart of this.#apart.get(key) ?? []) apart.isSuperseded = true
    }
  }

  /**
   * Supersedes the flights that have one of the invalidated tags, and records the tags for flights whose tags are known only after the
   * load.
   */
  supersedeTags (tags: readonly string[]): void {
    this.changes++
    for (const tag of tags) {
      for (const flight of this.#byTag.get(tag) ?? []) this.supersedeFlight(flight)
    }
    for (const { invalidated } of this.#open) {
      if (invalidated !== undefined) for (const tag of tags) invalidated.add(tag)
    }
  }

  /** Supersedes all flights, since every entry was removed or the implementation was replaced. */
  supersedeAll (): void {
    this.changes++
    for (const flight of this.#open) this.supersedeFlight(flight)
  }

  /** Calls `store`, which stores a loaded value, after the earlier stores of the same keys have ended; `store` never rejects. */
  store<T> (keys: readonly string[], store: () => Promise<T>): Promise<T> {
    const before = this.storing(keys)
    const storing = (before === undefined ? store() : before.then(store)).finally(() => {
      for (const key of keys) if (this.#storing.get(key) === storing) this.#storing.delete(key)
    })
    for (const key of keys) this.#storing.set(key, storing)
    return storing
  }

  /** Resolves when the pending stores of values under these keys have ended; `undefined` if none is pending. */
  storing (keys: readonly string[]): Promise<unknown> | undefined {
    if (this.#storing.size === 0) return undefined
    const storing = keys.flatMap((key) => this.#storing.get(key) ?? [])
    return storing.length === 0 ? undefined : Promise.all(storing)
  }

  /** Resolves when all pending stores of loaded values have ended. */
  async allStored (): Promise<void> {
    await Promise.all(this.#storing.values())
  }

  /** Supersedes one flight, whose key or tag was changed: no caller joins it any more, and its value is not stored. */
  supersedeFlight (flight: F): void {
    flight.isSuperseded = true
    if (this.#joinable.get(flight.key) === flight) this.#joinable.delete(flight.key)
  }

  #admit (flight: F): void {
    this.#open.add(flight)
    for (const tag of flight.tags) addTo(this.#byTag, tag, flight)
  }
}

function addTo<F> (sets: Map<string, Set<F>>, name: string, flight: F): void {
  const flights = sets.get(name)
  if (flights === undefined) sets.set(name, new Set([flight]))
  else flights.add(flight)
}

function removeFrom<F> (sets: Map<string, Set<F>>, name: string, flight: F): void {
  const flights = sets.get(name)
  if (flights?.delete(flight) === true && flights.size === 0) sets.delete(name)
}
