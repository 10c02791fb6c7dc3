/**
 * The part of a cache's cost to which the duration of each operation of the implementation belongs. Operations that are missing here, such
 * as invalidations, which have no key, belong to none.
 */
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

/** The seconds that a cache has cost on the keys of one pattern. The numbers never fall, as counters of metrics require. */
export class Costs {
  /** Seconds of reads of the cache, whether they found a value or not. */
  read = 0
  /**
   * Seconds of stores and of `touch` calls, with the leases and snapshots of tags that stores need. Callers of `getOrSet` wait for the
   * leases and snapshots, but not for the stores.
   */
  store = 0
  /** Seconds of removals of entries by key. */
  remove = 0
  /** Seconds of loads in the background, which refresh an entry while its stale value is served. */
  refresh = 0
  /** The part of `store` in which the event loop was blocked: the implementation serialised, copied or froze the value. */
  serialize = 0

  /** Adds the duration of one operation; operations that belong to no part are left out. */
  note (operation: string, seconds: number): void {
    const part = PARTS[operation]
    if (part !== undefined) this[part] += seconds
  }

  /** The sum of the costs in seconds, without `serialize`, which is a part of `store`. */
  get total (): number { return this.read + this.store + this.remove + this.refresh }
}
