import { isPromise } from '../lib/harmless.js'
import { ownText } from '../lib/own-text.js'

/** Labels of key patterns, unless option `maxKeyPatterns` gives another number. */
export const MAX_KEY_PATTERNS = 100
/** The label of everything that has no label of its own. */
export const OTHER = 'other'

// Starts with a letter: `12345:profile` or a UUID before the colon is an id, and an id must never become a label, nor a
// part of one (`user-12345`).
const LABEL = /^[A-Za-z][\w./-]{0,63}$/
const ID_LIKE = /\d{5,}|[0-9a-f]{8}-[0-9a-f]{4}-|[0-9a-f]{16,}/i

/** Whether a text holds what looks like an id: five digits in a row, the beginning of a UUID, 16 hexadecimal digits. */
export function isIdLike (text: string): boolean {
  return ID_LIKE.test(text)
}

/** Whether a pattern can be a label: a letter and up to 63 of `A-Z a-z 0-9 _ . / -`, and nothing like an id. */
export function isLabel (pattern: string): boolean {
  return LABEL.test(pattern) && !isIdLike(pattern)
}

/** The text before the first `:`; a key without one has the pattern `other`, since the whole key is never a label. */
export function defaultKeyPattern (key: string): string {
  const colon = key.indexOf(':')
  return colon > 0 ? key.slice(0, colon) : OTHER
}

/** Is called with how the app's own pattern function failed. */
export type PatternFailed = (how: string, cause?: unknown) => void

/**
 * Turns keys into at most `max` labels: first come, first served, the rest is `other`. Nothing grows with the number of
 * distinct keys.
 */
export class KeyPatterns {
  /** Each label by its text: one that was cut from a key would keep the key alive, and what the key was cut from. */
  readonly #known = new Map<string, string>()
  // What the last key with a label began with, up to its colon. Most traffic has long runs of one pattern.
  #lastPrefix = ':'
  #lastPattern = OTHER
  max = MAX_KEY_PATTERNS
  patternOf: (key: string) => string = defaultKeyPattern
  readonly #failed: PatternFailed
  #hasFailed = false

  /** @param failed is called once if the app's own pattern function throws or answers with a promise */
  constructor (failed: PatternFailed = () => {}) {
    this.#failed = failed
  }

  /** Gives these patterns a label, beyond `max` if traffic took the places before: an operator named them. */
  reserve (patterns: readonly string[]): void {
    for (const pattern of patterns) {
      if (pattern !== OTHER && isLabel(pattern)) this.#add(pattern)
    }
  }

  /** The label of a key. An own pattern function that throws or returns no usable label makes it `other`. */
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

  /** Only a label is lost, so a function that keeps failing is no failure of every operation. */
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
