import { checkKeys } from '../contract/arguments.js'
import type { Loader, ManyLoader } from '../contract/loader.js'
import { inSlices } from '../lib/slices.js'
import { LoadBatch } from '../loading/load-batch.js'
import type { ClientCalls } from './client-calls.js'

/** The client's part of a call of `getOrSetMany`. */
export interface ManyCall<T> {
  /** Whether the load of a key may be joined by other calls, and its value is stored. */
  readonly isServed: (key: string) => boolean
  /** Calls `getOrSet` for one of the keys. */
  readonly load: (key: string, loader: Loader<T>, batch?: LoadBatch<T>) => Promise<T>
}

/**
 * Carries out `getOrSetMany`: one call of `getOrSet` for each different key, whose loads are one batch. The loads outside of the rollout are
 * a batch of their own, which begins at once: it must not wait for the cache.
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
  // A copy, since the app may change its array before the loads end.
  const wanted = [...keys as readonly string[]]
  const different = [...new Set(wanted)]
  const served = different.filter(call.isServed)
  const batch = new LoadBatch(served, load, flights.scopes)
  const ofBatch = new Set(served)
  const observed = different.filter((key) => !ofBatch.has(key))
  const observedBatch = new LoadBatch(observed, load)
  const calls = new Map(observed.map((key) => [key, call.load(key, observedBatch.loader)]))
  const begun = inSlices(served, (key) => { calls.set(key, batch.follow(key, call.load(key, batch.loader, batch))) })
  await Promise.all([...calls.values(), begun])
  return Promise.all(wanted.map((key) => calls.get(key)!))
}
