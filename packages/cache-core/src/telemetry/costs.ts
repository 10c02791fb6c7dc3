/** The part of a cache's cost to which each measured operation of the implementation belongs. Operations on tags have no key, so none. */
const PARTS: Readonly<Record<string, 'read' | 'store' | 'remove'>> = {
  get: 'read',
  getEntry: 'read',
  getMany: 'read',
  'leases.isCurrent': 'read',
  set: 'store',
  setMany: 'store',
  touch: 'store',
  'tags.capture': 'store',
  'leases.take': 'store',
  'leases.release': 'store',
  del: 'remove',
  delMany: 'remove'
}

/** The seconds that a cache has cost on the keys of one pattern. They never fall, as the counters of metrics must not. */
export class Costs {
  /** Seconds of reads of the cache, whether they found a value or not. */
  read = 0
  /** Seconds of stores and of new lifetimes, with the leases and snapshots of tags that stores need. Callers of `getOrSet` do not wait for them. */
  store = 0
  /** Seconds of removals by key. */
  remove = 0
  /** Seconds of loads in the background, which refresh an entry that callers get without waiting. */
  refresh = 0
  /** The part of `store` in which the event loop was blocked: the implementation serialised, copied or froze the value. */
  serialize = 0

  /** Adds the duration of one operation; operations that belong to no part are left out. */
  note (operation: string, seconds: number): void {
    const part = PARTS[operation]
    if (part !== undefined) this[part] += seconds
  }

  /** The sum of all parts, in seconds. */
  get total (): number { return this.read + this.store + this.remove + this.refresh }
}
