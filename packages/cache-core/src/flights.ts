import { keep, read, type Kept } from './isolation.js'

/** One load that is under way, or whose value is being stored. */
export class Flight<T = unknown> {
  /** What the load resolves to; set as soon as the load has begun. */
  loaded!: Promise<T>
  /** Its key or a tag of it was changed since it began: nobody joins it any more, and its value is not stored. */
  isOvertaken = false
  /** Tags invalidated while it was under way; kept only if its tags are known after the load. */
  readonly invalidated: Set<string> | undefined
  #hasJoiners = false
  #kept: Kept | undefined

  /**
   * @param tags known before the load begins
   * @param hasLateTags further tags come from the loaded value
   * @param isBackground nobody waits for it: until it has loaded, callers are served the stale value
   */
  constructor (readonly key: string, readonly tags: readonly string[], hasLateTags: boolean, public isBackground: boolean) {
    this.invalidated = hasLateTags ? new Set() : undefined
  }

  /** The loaded value as a copy of one's own: the first caller may change what it was given. */
  join (): Promise<T> {
    this.#hasJoiners = true
    return this.loaded.then((value) => this.copyOf(value))
  }

  /**
   * Takes the value down before its first owner can change it. Needed if somebody joined, or still may. What cannot be
   * serialised cannot be copied either: its callers share it, and it is not stored.
   */
  takeDown (value: T, mayBeJoinedYet: boolean): void {
    this.isBackground = false
    if (typeof value !== 'object' || value === null || !(this.#hasJoiners || mayBeJoinedYet)) return
    const kept = keep(value)
    if (!('error' in kept)) this.#kept = kept
  }

  /** The value as it was taken down. */
  copyOf (value: T): T {
    return this.#kept === undefined ? value : read(this.#kept) as T
  }
}

/**
 * The loads under way in this process: at most one per key that callers may join, and the stores of each key one after
 * the other, so that what was loaded earlier never lands on what came later.
 */
export class Flights {
  readonly #joinable = new Map<string, Flight>()
  readonly #byTag = new Map<string, Set<Flight>>()
  readonly #open = new Set<Flight>()
  readonly #storing = new Map<string, Promise<unknown>>()

  /** The load that a call which starts now may join. */
  joinable (key: string): Flight | undefined {
    return this.#joinable.get(key)
  }

  begin (flight: Flight): void {
    this.#joinable.set(flight.key, flight)
    this.#open.add(flight)
    for (const tag of flight.tags) {
      const flights = this.#byTag.get(tag)
      if (flights === undefined) this.#byTag.set(tag, new Set([flight]))
      else flights.add(flight)
    }
  }

  end (flight: Flight): void {
    if (this.#joinable.get(flight.key) === flight) this.#joinable.delete(flight.key)
    this.#open.delete(flight)
    for (const tag of flight.tags) {
      const flights = this.#byTag.get(tag)
      if (flights?.delete(flight) === true && flights.size === 0) this.#byTag.delete(tag)
    }
  }

  /** Keys were changed. */
  overtake (keys: readonly string[]): void {
    for (const key of keys) {
      const flight = this.#joinable.get(key)
      if (flight !== undefined) this.#overtake(flight)
    }
  }

  /** Tags were invalidated. */
  overtakeTags (tags: readonly string[]): void {
    for (const tag of tags) {
      for (const flight of this.#byTag.get(tag) ?? []) this.#overtake(flight)
    }
    for (const { invalidated } of this.#open) {
      if (invalidated !== undefined) for (const tag of tags) invalidated.add(tag)
    }
  }

  /** Everything was changed. */
  overtakeAll (): void {
    for (const flight of this.#open) this.#overtake(flight)
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

  #overtake (flight: Flight): void {
    flight.isOvertaken = true
    if (this.#joinable.get(flight.key) === flight) this.#joinable.delete(flight.key)
  }
}
