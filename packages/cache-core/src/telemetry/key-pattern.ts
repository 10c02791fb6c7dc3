import { isPromise } from '../lib/harmless.js'
import { ownText } from '../lib/own-text.js'

/** The default of option `maxKeyPatterns`: the number of key patterns with a metric label of their own. */
export const MAX_KEY_PATTERNS = 100
/** The metric label that all key patterns share which have no separate label. */
export const OTHER = 'other'

// A key pattern must start with a letter to be a metric label, since `12345:profile` or a UUID before the colon is an id. An id must never
// become a label, nor a part of a label (`user-12345`).
const LABEL = /^[A-Za-z][\w./-]{0,63}$/
const ID_LIKE = /\d{5,}|[0-9a-f]{8}-[0-9a-f]{4}-|[0-9a-f]{16,}/i

/** Whether a text contains a likely id: five digits in a row, the beginning of a UUID, or 16 hexadecimal digits. */
export function isIdLike (text: string): boolean {
  return ID_LIKE.test(text)
}

/** Whether a key pattern can be a metric label: a letter and up to 63 of `A-Z a-z 0-9 _ . / -`, without a likely id. */
export function isLabel (pattern: string): boolean {
  return LABEL.test(pattern) && !isIdLike(pattern)
}

/**
 * Returns the pattern of a key: the text before the first `:`. A key without a colon has the pattern `other`, since a whole key is never a
 * label.
 */
export function defaultKeyPattern (key: string): string {
  const colon = key.indexOf(':')
  return colon > 0 ? key.slice(0, colon) : OTHER
}

/** A function that is called when the app's own function `keyPattern` fails; `how`: `threw`, or `answered with a promise`. */
export type PatternFailed = (how: string, cause?: unknown) => void

/**
 * Maps keys to at most `max` metric labels, in the order in which their key patterns appear; further patterns get the label `other`. The
 * memory does not grow with the number of distinct keys.
 */
export class KeyPatterns {
  /** The known metric labels by their text. Each text is a copy, since a slice of a key would hold the key in memory. */
  readonly #known = new Map<string, string>()
  // The pattern, with its colon, of the last key that got a label. It is compared first, since most traffic has long runs of keys of one
  // pattern.
  #lastPrefix = ':'
  #lastPattern = OTHER
  max = MAX_KEY_PATTERNS
  patternOf: (key: string) => string = defaultKeyPattern
  readonly #failed: PatternFailed
  #hasFailed = false

  /**
   * Creates an empty table of metric labels.
   * @param failed is called once if the app's own pattern function throws or returns a promise
   */
  constructor (failed: PatternFailed = () => {}) {
    this.#failed = failed
  }

  /** Gives metric labels to key patterns that an operator listed, beyond `max` if other patterns came first. */
  reserve (patterns: readonly string[]): void {
    for (const pattern of patterns) {
      if (pattern !== OTHER && isLabel(pattern)) this.#add(pattern)
    }
  }

  /** Whether a key pattern has a metric label of its own: a key had it, or an operator listed it. */
  has (pattern: string): boolean {
    return this.#known.has(pattern)
  }

  /** Returns the metric label of a key. The label is `other` if the app's function `keyPattern` throws or returns no usable label. */
  of (key: string): string {
    const isDefault = this.patternOf === defaultKeyPattern
    if (isDefault && key.startsWith(this.#lastPrefix)) return this.#lastPattern
    const pattern = this.#find(key)
    if (isDefault && pattern !== OTHER) {
      this.#lastPrefix = `${pattern}:`
      this.#lastPattern = pattern
    }
    return pattern
  }

  #find (key: string): string {
    let pattern: unknown
    try {
      pattern = this.patternOf(key)
    } catch (cause) {
      this.#fail('threw', cause)
      return OTHER
    }
    if (typeof pattern !== 'string') {
      if (isPromise(pattern)) this.#fail('answered with a promise')
      return OTHER
    }
    return this.#known.get(pattern) ?? this.#admit(pattern)
  }

  /**
   * Reports only the first failure of the app's function `keyPattern`, to `failed`. The operation on the key does not fail, since only its
   * label is lost.
   */
  #fail (how: string, cause?: unknown): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    this.#failed(how, cause)
  }

  #admit (pattern: string): string {
    return this.#known.size >= this.max || pattern === OTHER || !isLabel(pattern) ? OTHER : this.#add(pattern)
  }

  #add (pattern: string): string {
    const label = ownText(pattern)
    this.#known.set(label, label)
    return label
  }
}
