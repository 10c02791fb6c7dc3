import { OptionInvalid } from '../contract/errors.js'
import { shown } from '../contract/shown.js'
import { defaultsOf } from '../lib/schema-defaults.js'
import { settingsSchema, type RolloutSettings } from './rollout-options.js'

export type { RolloutSettings }

const DEFAULTS = defaultsOf(settingsSchema, 'percent', 'allow', 'salt')
/** The number of buckets to which the rollout assigns subjects. */
export const BUCKETS = 10_000
const OFFSET_BASIS = 0x811c9dc5
const PRIME = 0x01000193
const encoder = new TextEncoder()

/**
 * Returns the bucket of a subject, 0 to 9999: FNV-1a (32 bit) over the UTF-8 bytes of `salt:subject`, modulo 10 000. The bucket is the
 * same in every process and on every day.
 */
export function bucketOf (subject: string, salt = DEFAULTS.salt): number {
  return (hashOn(subject, hashOn(`${salt}:`, OFFSET_BASIS)) >>> 0) % BUCKETS
}

/** Continues an FNV-1a hash with the UTF-8 bytes of a further text. */
function hashOn (text: string, begun: number): number {
  let hash = begun
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    // The UTF-16 units of an ASCII text are its UTF-8 bytes, so that the text need not be encoded to bytes.
    if (unit > 0x7f) return hashBytes(text, begun)
    hash = Math.imul(hash ^ unit, PRIME)
  }
  return hash
}

function hashBytes (text: string, begun: number): number {
  let hash = begun
  for (const byte of encoder.encode(text)) hash = Math.imul(hash ^ byte, PRIME)
  return hash
}

/** Returns the number of buckets of subjects for a share in percent. The number is rounded, since `0.07 * 100` is slightly more than 7. */
export function bucketsOf (percent: number): number {
  return Math.round(percent * (BUCKETS / 100))
}

/** Decides which keys and subjects are cached. A higher percent adds subjects and removes none. */
export class Rollout {
  /** Whether the rollout caches all keys and subjects, so that no decision is needed. Stored, since every call of the cache reads it. */
  isComplete = true
  /** Whether all subjects are in one arm, for all key patterns, and no requests are measured, so that no subject must be known. */
  isAllOrNothing = true
  /** Whether any key pattern has a percent of its own. */
  hasPatternPercents = false
  #salt = DEFAULTS.salt
  #seed = hashOn(`${DEFAULTS.salt}:`, OFFSET_BASIS)
  #percent = DEFAULTS.percent
  #holdOut = 0
  #allow: ReadonlySet<string> = new Set(DEFAULTS.allow)
  #patternLimits: ReadonlyMap<string, number> = new Map()
  #patterns: Readonly<Record<string, number>> = {}
  #isMeasured = false
  /** The limit of the rollout: subjects whose bucket is below this number are in the cached arm. */
  #limit = BUCKETS
  readonly #changed: (percent: number) => void
  readonly #allowed: (patterns: readonly string[]) => void

  /**
   * Creates a rollout with the default settings.
   * @param changed receives the new percent after each change of the percent
   * @param allowed receives the key patterns that an operator allows, or gives a percent of their own, as soon as they are set
   */
  constructor (changed: (percent: number) => void = () => {}, allowed: (patterns: readonly string[]) => void = () => {}) {
    this.#changed = changed
    this.#allowed = allowed
  }

  get salt (): string { return this.#salt }

  /**
   * Sets the text that is hashed before each subject.
   * @throws `CACHE_ERR_OPTION_INVALID` for anything but a string
   */
  set salt (salt: string) {
    if (typeof salt !== 'string') throw new OptionInvalid('rollout.salt', shown(salt), 'a string')
    this.#salt = salt
    this.#seed = hashOn(`${salt}:`, OFFSET_BASIS)
  }

  get percent (): number { return this.#percent }

  /**
   * Sets the share of subjects that use the cache, in percent. The hold-out does not use it even at 100.
   * @throws `CACHE_ERR_OPTION_INVALID` outside of 0 to 100
   */
  set percent (percent: number) {
    check('rollout.percent', percent)
    if (percent === this.#percent) return
    this.#percent = percent
    this.#update()
    this.#changed(percent)
  }

  /** The number of buckets whose subjects are cached: 0 to 10 000, without the hold-out. */
  get limit (): number { return this.#limit }

  get holdOut (): number { return this.#holdOut }

  /**
   * Sets the share of subjects that never use the cache, in percent: those of the highest buckets.
   * @throws `CACHE_ERR_OPTION_INVALID` outside of 0 to 100
   */
  set holdOut (percent: number) {
    check('rollout.holdOut', percent)
    this.#holdOut = percent
    this.#update()
  }

  get allow (): string[] { return [...this.#allow] }

  /**
   * Sets the key patterns that are cached; `*` stands for all.
   * @throws `CACHE_ERR_OPTION_INVALID` for anything but an array of strings
   */
  set allow (patterns: string[]) {
    if (!Array.isArray(patterns) || !patterns.every((pattern) => typeof pattern === 'string')) {
      throw new OptionInvalid('rollout.allow', shown(patterns), 'an array of key patterns')
    }
    this.#allow = new Set(patterns)
    this.#allowed(patterns)
    this.#update()
  }

  /**
   * The percents of cached subjects for single key patterns. A pattern is cached for the subjects that both its own percent and the common
   * percent include.
   */
  get patterns (): Readonly<Record<string, number>> { return this.#patterns }

  /**
   * Sets the percents of cached subjects for single key patterns, in place of the earlier ones.
   * @throws `CACHE_ERR_OPTION_INVALID` for a percent outside of 0 to 100
   */
  set patterns (percents: Readonly<Record<string, number>>) {
    for (const percent of Object.values(percents)) check('rollout.patterns', percent)
    this.#patterns = Object.freeze({ ...percents })
    this.#patternLimits = new Map(Object.entries(percents).map(([pattern, percent]) => [pattern, bucketsOf(percent)]))
    this.#allowed(Object.keys(percents))
    this.#update()
  }

  /** Whether requests are measured by the bucket of their subject, so that every request needs its bucket. */
  get isMeasured (): boolean { return this.#isMeasured }
  set isMeasured (isMeasured: boolean) {
    this.#isMeasured = isMeasured
    this.#update()
  }

  allows (keyPattern: string): boolean {
    return this.#allow.has('*') || this.#allow.has(keyPattern)
  }

  /** Returns the bucket of a subject, computed with the salt of this rollout. */
  bucketOf (subject: string): number {
    return (hashOn(subject, this.#seed) >>> 0) % BUCKETS
  }

  includes (subject: string): boolean {
    return this.#limit === BUCKETS || this.includesBucket(this.bucketOf(subject))
  }

  includesBucket (bucket: number): boolean {
    return bucket < this.#limit
  }

  /** Whether a subject's bucket lies within the percent of a key pattern; `true` for a pattern without a percent of its own. */
  includesPattern (keyPattern: string, bucket: number): boolean {
    return bucket < (this.#patternLimits.get(keyPattern) ?? BUCKETS)
  }

  #update (): void {
    this.#limit = Math.min(bucketsOf(this.#percent), BUCKETS - bucketsOf(this.#holdOut))
    this.hasPatternPercents = this.#patternLimits.size > 0
    const isUniform = !this.hasPatternPercents && (this.#limit === BUCKETS || this.#limit === 0)
    this.isComplete = isUniform && this.#limit === BUCKETS && this.#allow.has('*')
    this.isAllOrNothing = isUniform && !this.#isMeasured
  }
}

function check (name: string, percent: unknown): void {
  if (typeof percent !== 'number' || !(percent >= 0 && percent <= 100)) {
    throw new OptionInvalid(name, shown(percent), 'a number from 0 to 100')
  }
}
