import { checkKeys } from '../contract/arguments.js'
import { ok, type Result } from '../contract/result.js'
import { serving, type ArmOfCall } from './arm.js'
import type { ClientCalls } from './client-calls.js'

/** Carries out `getMany`: keys outside of the rollout are misses, and the implementation reads the others. */
export async function getMany<T> (calls: ClientCalls, { arm, bucket }: ArmOfCall, wanted: string[]): Promise<Result<(T | null)[]>> {
  const error = checkKeys(wanted)
  if (error !== undefined) return calls.refuse('getMany', error)
  // The app may change its array of keys before the read ends, so the array is copied.
  const keys = [...wanted]
  const { registry } = calls
  const { active, controlStats } = registry
  const served = keys.filter((key) => serving(registry, arm, key, bucket) !== undefined)
  const found = new Map<string, T | null>()
  if (served.length > 0) {
    const result = await calls.timed(active, 'getMany', active.getMany<T>(served), served)
    if (!result.ok) return calls.failed(active.stats, 'getMany', result)
    served.forEach((key, at) => found.set(key, result.value[at] ?? null))
  }
  return ok(keys.map((key) => {
    const value = found.get(key) ?? null
    const counters = (found.has(key) ? active.stats : controlStats).of(key)
    registry.observer.read(counters, key, value === null ? 'miss' : 'hit')
    return value
  }))
}
