import { checkKeys } from '../contract/arguments.js'
import type { Loader, ManyLoader } from '../contract/loader.js'
import { inSlices } from '../lib/slices.js'
import { LoadBatch } from '../loading/load-batch.js'
import type { ClientCalls } from './client-calls.js'

/** The functions of a cache client that one call of `getOrSetMany` uses. */
export interface ManyCall<T> {
  /** Whether a key is cached by the rollout, so that its value is stored and other calls may join its load. */
  readonly isServed: (key: string) => boolean
  /** Calls `getOrSet` for one of the keys. */
  readonly load: (key: string, loader: Loader<T>, batch?: LoadBatch<T>) => Promise<T>
}

/**
 * Carries out `getOrSetMany`: one call of `getOrSet` for each different key, whose loads are one batch. Keys outside of the rollout are a
 * second batch, which begins at once, since its loads must not wait for the cache.
 */
export async function loadMany<T> (
  client: ClientCalls, keys: readonly string[], load: ManyLoader<T>, call: ManyCall<T>
): Promise<(T | undefined)[]> {
  const { active, flights } = client.registry
  if (!Array.isArray(keys)) {
    const error = checkKeys(keys)!
    client.fail(active.stats, 'getOrSetMany', error)
    throw error
  }
  // The app may change its array of keys before the loads end, so the array is copied.
  const wanted = [...keys as readonly string[]]
  const { doubts, stats } = client.registry
  const loadChecked: ManyLoader<T> = async (missing, context) => {
    const loaded = await load(missing, context)
    // All keys of the call are looked for: a loader may return the values of hits, too, and nothing for the keys that it gets.
    doubts.lookAtLoadedMany(wanted, loaded, (key) => stats.patterns.of(key))
    return loaded
  }
  const different = [...new Set(wanted)]
  const served = different.filter(call.isServed)
  const batch = new LoadBatch(served, loadChecked, flights.scopes)
  const ofBatch = new Set(served)
  const observed = different.filter((key) => !ofBatch.has(key))
  const observedBatch = new LoadBatch(observed, loadChecked)
  const calls = new Map(observed.map((key) => [key, call.load(key, observedBatch.loader)]))
  const begun = inSlices(served, (key) => { calls.set(key, batch.follow(key, call.load(key, batch.loader, batch))) })
  await Promise.all([...calls.values(), begun])
  return Promise.all(wanted.map((key) => calls.get(key)!))
}
