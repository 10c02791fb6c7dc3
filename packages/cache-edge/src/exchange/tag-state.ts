import type { TagSnapshot } from '@x/cache-core'
import type { CacheRequest } from './cache-request.js'
import type { HandlerFlight } from './handler-flight.js'

/**
 * Whether the tags of a handler run are as they were before it; `true` while the cache fails, so that an outage does not run every handler.
 */
export async function isCurrent ({ cache }: CacheRequest, { snapshot }: HandlerFlight): Promise<boolean> {
  if (snapshot === undefined) return true
  const current = await cache.tags.isCurrent(snapshot)
  return !current.ok || current.value
}

/**
 * The snapshot with which a response is stored; `undefined`: it is not stored, since the store could not detect an invalidation during the
 * handler run. The tags of its cache groups were unknown before the run, so all tags are captured again. That snapshot is as old as the
 * first one, if neither a tag of the first nor any group of the origin has changed after it was captured.
 */
export async function snapshotFor (
  { cache, tags: known }: CacheRequest, flight: HandlerFlight, tags: readonly string[]
): Promise<TagSnapshot | undefined> {
  const { snapshot } = flight
  if (snapshot === undefined || tags.length === known.length) return snapshot
  const again = await cache.tags.capture([...tags])
  const current = await cache.tags.isCurrent(snapshot)
  // In a store of this process alone, an invalidation has superseded the flight.
  const isUnchanged = current.ok ? current.value : current.error.code === 'CACHE_ERR_UNSUPPORTED'
  return again.ok && isUnchanged && !flight.isSuperseded ? again.value : undefined
}
