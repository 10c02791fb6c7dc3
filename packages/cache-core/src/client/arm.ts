import type { Registration } from '../service/registration.js'
import type { CacheRegistry } from '../service/registry.js'

/**
 * The arm of the rollout for a client's calls: `cached` and `control` are the arms of requests; outside of requests (`by-key`) the bucket
 * of each key decides.
 */
export type Arm = 'cached' | 'control' | 'by-key'

/** Returns the registration for reads and stores of a key; `undefined`: the key is outside of the rollout. */
export function serving (registry: CacheRegistry, arm: Arm, key: string): Registration | undefined {
  const { active, rollout, stats } = registry
  if (arm === 'control') return undefined
  if (rollout.isComplete) return active
  if (!rollout.allows(stats.patterns.of(key))) return undefined
  return arm === 'cached' || rollout.includes(key) ? active : undefined
}
