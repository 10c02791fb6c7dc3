import { OptionInvalid } from '../../contract/errors.js'
import { SHADOW_GROUPS, ShadowStats } from '../../telemetry/shadow-stats.js'

/** The number of buckets to which keys are assigned: a percent with two decimals is a whole number of buckets. */
const BUCKETS = 10_000

/** The sample of keys that shadow reads compare, and the counts of their outcomes. The same keys are sampled in all processes. */
export class ShadowSettings {
  readonly stats = new ShadowStats()
  /** Whether shadow reads sample any key. A field and no getter, since every load of the control arm reads it. */
  isOn = false
  #percent = 0
  #limit = 0
  readonly #allows: (key: string) => boolean

  /**
   * Makes settings of shadow reads that sample no key.
   * @param allows whether the values of a key may be cached
   */
  constructor (allows: (key: string) => boolean) {
    this.#allows = allows
  }

  get percent (): number { return this.#percent }

  /**
   * Sets the share of keys that shadow reads sample, in percent.
   * @throws `CACHE_ERR_OPTION_INVALID` outside of 0 to 100
   */
  set percent (percent: number) {
    if (typeof percent !== 'number' || !(percent >= 0 && percent <= 100)) {
      throw new OptionInvalid('rollout.shadow.percent', String(percent), 'a number from 0 to 100')
    }
    this.#percent = percent
    this.#limit = Math.round(percent * (BUCKETS / 100))
    this.isOn = this.#limit > 0
  }

  /**
   * Returns the group, 0 to 63, in which the shadow reads of a sampled key are counted; `undefined`: shadow reads do not sample the key, or
   * its pattern is not in the rollout.
   */
  groupOf (key: string): number | undefined {
    if (!this.isOn) return undefined
    const hash = hashOf(key)
    return hash % BUCKETS < this.#limit && this.#allows(key) ? Math.floor(hash / BUCKETS) % SHADOW_GROUPS : undefined
  }
}

/**
 * Returns 32 well-mixed bits of a key: FNV-1a over its UTF-16 units, with the finaliser of MurmurHash3. The hash is independent of the
 * bucket of the rollout, otherwise all sampled keys would be in the same arm.
 */
function hashOf (key: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b)
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35)
  return (hash ^ hash >>> 16) >>> 0
}
