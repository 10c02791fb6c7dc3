import { OptionInvalid } from '../contract/errors.js'
import { defaultsOf } from '../lib/schema-defaults.js'
import { rolloutSchema, type RolloutSettings } from './rollout-options.js'

export type { RolloutSettings }

const DEFAULTS = defaultsOf(rolloutSchema, 'percent', 'allow', 'salt')
const BUCKETS = 10_000
const encoder = new TextEncoder()

/**
 * Returns the bucket of a subject, 0 to 9999: FNV-1a (32 bit) over the UTF-8 bytes of `salt:subject`, modulo 10 000. The bucket is the
 * same in every process and on every day.
 */
export function bucketOf (subject: string, salt = DEFAULTS.salt): number {
  let hash = 0x811c9dc5
  for (const byte of encoder.encode(`${salt}:${subject}`)) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0) % BUCKETS
}

/** Decides which keys and subjects are cached. A higher percent adds subjects and removes none. */
export class Rollout {
  salt = DEFAULTS.salt
  #percent = DEFAULTS.percent
  #allow: ReadonlySet<string> = new Set(DEFAULTS.allow)
  readonly #changed: (percent: number) => void
  readonly #allowed: (patterns: readonly string[]) => void

  /**
   * Creates a rollout with the default settings.
   * @param allowed is called with the allowed patterns, before the first read of their keys
   */
  constructor (changed: (percent: number) => void = () => {}, allowed: (patterns: readonly string[]) => void = () => {}) {
    this.#changed = changed
    this.#allowed = allowed
  }

  get percent (): number { return this.#percent }

  /**
   * Sets the share of requests that use the cache, in percent.
   * @throws `CACHE_ERR_OPTION_INVALID` outside of 0 to 100
   */
  set percent (percent: number) {
    if (typeof percent !== 'number' || !(percent >= 0 && percent <= 100)) {
      throw new OptionInvalid('rollout.percent', String(percent), 'a number from 0 to 100')
    }
    if (percent === this.#percent) return
    this.#percent = percent
    this.#changed(percent)
  }

  get allow (): string[] { return [...this.#allow] }
  set allow (patterns: string[]) {
    this.#allow = new Set(patterns)
    this.#allowed(patterns)
  }

  /** Whether all keys and subjects are cached, so that no decision is needed. */
  get isComplete (): boolean { return this.#percent === 100 && this.#allow.has('*') }

  /** Whether the percent alone decides, so that no subject is needed. */
  get isAllOrNothing (): boolean { return this.#percent === 100 || this.#percent === 0 }

  allows (keyPattern: string): boolean {
    return this.#allow.has('*') || this.#allow.has(keyPattern)
  }

  includes (subject: string): boolean {
    if (this.#percent === 100) return true
    // The limit is rounded, since `0.07 * 100` is more than 7.
    return bucketOf(subject, this.salt) < Math.round(this.#percent * (BUCKETS / 100))
  }
}
