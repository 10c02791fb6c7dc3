import { checkKeys } from '../contract/arguments.js'
import type { Loader, ManyLoader } from '../contract/loader.js'
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
 * second batch, which begins at once, since it must not wait for the cache.
 */
export async function loadMany<T> (
  calls: ClientCalls, keys: readonly string[], load: ManyLoader<T>, call: ManyCall<T>
): Promise<(T | undefined)[]> {
  const { active, flights } = calls.registry
  if (!Array.isArray(keys)) {
    const error = checkKeys(keys)!
    calls.fail(active.stats, 'getOrSetMany', error)
    throw error
  }
  // The app may change its array of keys before the loads end, so the array is copied.
  const wanted = [...keys as readonly string[]]
  const different = [...new Set(wanted)]
  const served = new Set(different.filter(call.isServed))
  const batch = new LoadBatch([...served], load, flights.scopes)
  const observed = new LoadBatch(different.filter((key) => !served.has(key)), load)
  const values = await Promise.all(different.map((key) =>
    served.has(key) ? batch.follow(key, call.load(key, batch.loader, batch)) : call.load(key, observed.loader)))
  const byKey = new Map(different.map((key, at) => [key, values[at]]))
  return wanted.map((key) => byKey.get(key))
}
