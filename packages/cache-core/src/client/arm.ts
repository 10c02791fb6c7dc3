import { checkKey } from '../contract/arguments.js'
import type { Registration } from '../service/registration.js'
import type { CacheRegistry } from '../service/registry.js'

/**
 * The arm of the rollout for a client's calls: `cached` and `control` are the arms of requests; outside of requests (`by-key`) the bucket
 * of each key decides whether the key is cached.
 */
export type Arm = 'cached' | 'control' | 'by-key'

/** The arm of a call, and the bucket of the subject that the call is made for. */
export interface ArmOfCall { readonly arm: Arm; readonly bucket: number }

/**
 * Returns the registration for reads and stores of a key; `undefined`: the arm is `control`, or the key is outside of the rollout. A
 * complete rollout includes every key, and the form of the key is not checked; any other rollout excludes invalid keys.
 * @param bucket the bucket, 0 to 9999, of the request's subject; it decides whether keys of a pattern with a percent of its own are cached
 */
export function serving (registry: CacheRegistry, arm: Arm, key: string, bucket: number): Registration | undefined {
  const { active, rollout } = registry
  if (arm === 'control') return undefined
  if (rollout.isComplete) return active
  if (checkKey(key) !== undefined) return undefined
  const keyPattern = registry.stats.patterns.of(key)
  if (!rollout.allows(keyPattern)) return undefined
  if (arm === 'by-key' && !rollout.includes(key)) return undefined
  if (!rollout.hasPatternPercents) return active
  return rollout.includesPattern(keyPattern, arm === 'by-key' ? rollout.bucketOf(key) : bucket) ? active : undefined
}
