import { checkKeys } from '../contract/arguments.js'
import type { Loader, ManyLoader } from '../contract/loader.js'
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
  calls: ClientCalls, keys: readonly string[], load: ManyLoader<T>, call: ManyCall<T>
): Promise<(T | undefined)[]> {
  const { active, flights } = calls.registry
  if (!Array.isArray(keys)) {
    const error = checkKeys(keys)!
    calls.fail(active.stats, 'getOrSetMany', error)
    throw error
  }
  // A copy, since the app may change its array before the loads end.
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
