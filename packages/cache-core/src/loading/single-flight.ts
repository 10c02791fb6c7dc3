import type { Lease } from '../contract/cache.js'
import { isolate, read, type Isolated } from '../contract/isolation.js'
import { LoadScope, LoadScopes } from './load-scope.js'

/** Options of a flight. */
export interface FlightOptions {
  /** Further tags come from the loaded value. */
  hasLateTags?: boolean
  isBackground?: boolean
  isSuspected?: boolean
  /** The loader run that waits for this flight. */
  parent?: LoadScope | undefined
}

/** One load that is under way, or whose value is being stored. */
export class Flight<T = unknown> {
  /** What the load resolves to; set as soon as the load has begun. */
  loaded!: Promise<T>
  /** Its key or a tag of it was changed since it began: nobody joins it any more, and its value is not stored. */
  isSuperseded = false
  /** It failed since the caller that began it ended: the failure is no answer to the callers that joined. */
  isAbandoned = false
  /** It did not end within the time limit: superseded, and callers that joined may load on their own. */
  isOverdue = false
  /** Tags invalidated while it was under way; collected only if its tags are known after the load. */
  readonly invalidated: Set<string> | undefined
  readonly scope: LoadScope
  /**
   * The lease of the load, from the moment it is asked for: a caller that comes later has to prove it before it joins. `null`: the
   * load has none. Never rejects.
   */
  lease: Promise<Lease | null> | undefined
  /** Its place in the order in which the flights of the process began. */
  number = 0
  readonly key: string
  /** Known before the load begins. */
  readonly tags: readonly string[]
  /** Nobody waits for it: until it has loaded, callers are served the stale value. */
  isBackground: boolean
  /** It replaces a flight that is overdue: what it does is watched more closely, as its loader may wait for itself. */
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

  /** Called before the store is asked for what the flight rests on: callers that come later have to prove the lease. */
  closeToUnproven (): void {
    this.lease ??= new Promise((resolve) => { this.#setLease = resolve })
  }

  setLease (lease: Lease | null): void {
    this.closeToUnproven()
    this.#setLease?.(lease)
  }

  /** The loaded value as a copy of one's own: the first caller may change what it was given. */
  join (): Promise<T> {
    this.#hasJoiners = true
    return this.loaded.then((value) => this.copyOf(value))
  }

  /** Calls back when the time limit has passed, if it ever does; the callback must not throw. */
  onOverdue (callback: () => void): void {
    (this.#followers ??= []).push(callback)
  }

  /** The time limit has passed. */
  expire (): void {
    this.isSuperseded = true
    this.isOverdue = true
    for (const callback of this.#followers?.splice(0) ?? []) callback()
  }

  /**
   * Takes a snapshot of the value before its first owner can change it. Needed if somebody joined, or still may. What cannot be
   * serialised cannot be copied either: its callers share it, and it is not stored.
   */
  snapshotValue (value: T, mayBeJoinedYet: boolean): void {
    this.isBackground = false
    if (typeof value !== 'object' || value === null || !(this.#hasJoiners || mayBeJoinedYet)) return
    const isolated = isolate(value)
    if (!('error' in isolated)) this.#isolated = isolated
  }

  /** The value as it was when its snapshot was taken. */
  copyOf (value: T): T {
    return this.#isolated === undefined ? value : read(this.#isolated) as T
  }
}

/**
 * The loads under way in this process, or the runs of a handler: at most one per key that callers may join, and the stores of each key one after
 * the other, so that what was loaded earlier never lands on what came later.
 */
export class Flights<F extends Flight = Flight> {
  /** Which loader run a call is made in. */
  readonly scopes = new LoadScopes()
  /** Flights that have begun so far. */
  begun = 0
  readonly #joinable = new Map<string, F>()
  readonly #byTag = new Map<string, Set<F>>()
  readonly #open = new Set<F>()
  readonly #storing = new Map<string, Promise<unknown>>()

  /** The load that a call which starts now may join. */
  joinable (key: string): F | undefined {
    return this.#joinable.get(key)
  }

  begin (flight: F): void {
    flight.number = ++this.begun
    this.#joinable.set(flight.key, flight)
    this.#open.add(flight)
    for (const tag of flight.tags) {
      const flights = this.#byTag.get(tag)
      if (flights === undefined) this.#byTag.set(tag, new Set([flight]))
      else flights.add(flight)
    }
  }

  end (flight: F): void {
    if (this.#joinable.get(flight.key) === flight) this.#joinable.delete(flight.key)
    this.#open.delete(flight)
    for (const tag of flight.tags) {
      const flights = this.#byTag.get(tag)
      if (flights?.delete(flight) === true && flights.size === 0) this.#byTag.delete(tag)
    }
  }

  /** Keys were changed. */
  supersede (keys: readonly string[]): void {
    for (const key of keys) {
      const flight = this.#joinable.get(key)
      if (flight !== undefined) this.supersedeFlight(flight)
    }
  }

  /** Tags were invalidated. */
  supersedeTags (tags: readonly string[]): void {
    for (const tag of tags) {
      for (const flight of this.#byTag.get(tag) ?? []) this.supersedeFlight(flight)
    }
    for (const { invalidated } of this.#open) {
      if (invalidated !== undefined) for (const tag of tags) invalidated.add(tag)
    }
  }

  /** Everything was changed. */
  supersedeAll (): void {
    for (const flight of this.#open) this.supersedeFlight(flight)
  }

  /** Stores after the earlier stores of the keys have ended; `store` never rejects. */
  store<T> (keys: readonly string[], store: () => Promise<T>): Promise<T> {
    const before = this.storing(keys)
    const storing = (before === undefined ? store() : before.then(store)).finally(() => {
      for (const key of keys) if (this.#storing.get(key) === storing) this.#storing.delete(key)
    })
    for (const key of keys) this.#storing.set(key, storing)
    return storing
  }

  /** Resolves when the stores that are under way on these keys have ended; `undefined` if there are none. */
  storing (keys: readonly string[]): Promise<unknown> | undefined {
    if (this.#storing.size === 0) return undefined
    const storing = keys.flatMap((key) => this.#storing.get(key) ?? [])
    return storing.length === 0 ? undefined : Promise.all(storing)
  }

  /** Resolves when all stores that are under way have ended. */
  async allStored (): Promise<void> {
    await Promise.all(this.#storing.values())
  }

  /** Ends the joining of a flight whose key or tag was changed elsewhere; its value is not stored. */
  supersedeFlight (flight: F): void {
    flight.isSuperseded = true
    if (this.#joinable.get(flight.key) === flight) this.#joinable.delete(flight.key)
  }
}
