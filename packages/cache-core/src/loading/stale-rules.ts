import type { Entry } from '../contract/cache.js'
import type { GetOrSetOptions } from '../contract/loader.js'

/** Whether a `getOrSet` call with these options needs the whole entry with its lifetimes, not only the value. */
export function needsEntry (options: GetOrSetOptions<never>): boolean {
  return options.staleWhileRevalidate !== undefined || options.staleIfError !== undefined || options.earlyRefresh !== undefined
}

/** Whether a stale entry is within a stale window of the given length, which begins at the end of the ttl. */
export function mayBeServed (entry: Entry<unknown>, window: number | undefined): boolean {
  return window !== undefined && window > 0 && entry.staleLeft > 0 && -entry.ttlLeft <= window
}

/** Whether a fresh entry should be refreshed now (XFetch). The chance grows towards the end of the ttl, and with the duration of a load. */
export function isEarlyRefreshDue (entry: Entry<unknown>, beta: number | undefined, loadSeconds: number): boolean {
  return beta !== undefined && -loadSeconds * beta * Math.log(1 - Math.random()) >= entry.ttlLeft
}
