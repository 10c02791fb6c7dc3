import type { TagSnapshot } from '@x/cache-core'
import type { CacheRequest } from './cache-request.js'
import type { HandlerFlight } from './handler-flight.js'

/**
 * Whether no tag of a handler run was invalidated since before the run; `true` while the cache fails, so that an outage does not make every
 * request run its handler.
 */
export async function isCurrent ({ cache }: CacheRequest, { snapshot }: HandlerFlight): Promise<boolean> {
  if (snapshot === undefined) return true
  const current = await cache.tags.isCurrent(snapshot)
  return !current.ok || current.value
}

/**
 * Returns the snapshot with which a response is stored; `undefined`: the response is not stored, since the store could not detect an
 * invalidation during the handler run. The tags of the response's cache groups were unknown before the run, so all tags are captured again
 * after it. The second snapshot may replace the first one if no tag of the first, and no group of the origin, has changed before the second
 * capture.
 */
export async function snapshotFor (
  { cache, tags: known }: CacheRequest, flight: HandlerFlight, tags: readonly string[]
): Promise<TagSnapshot | undefined> {
  const { snapshot } = flight
  if (snapshot === undefined || tags.length === known.length) return snapshot
  const again = await cache.tags.capture([...tags])
  const current = await cache.tags.isCurrent(snapshot)
  // A store that holds its entries in this process alone may lack `isCurrent` (`CACHE_ERR_UNSUPPORTED`). An invalidation in such a store
  // supersedes the flight, which `isSuperseded` shows.
  const isUnchanged = current.ok ? current.value : current.error.code === 'CACHE_ERR_UNSUPPORTED'
  return again.ok && isUnchanged && !flight.isSuperseded ? again.value : undefined
}
