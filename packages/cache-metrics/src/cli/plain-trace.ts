import { MAX_KEY_LENGTH } from '@x/cache-core/implementing'
import { KeyPatterns, OTHER } from '@x/cache-core/suite'
import { hashKey } from '../advisor/hash.js'
import type { TraceStudy } from './trace-study.js'

/** The name in the report of the only key pattern, if all keys have the pattern `other`. */
export const ALL = 'all'

// Matches a key in any encoding, read as one character per byte: any text without control characters, except that tabs are allowed.
const KEY = /^[\t -~\x80-\xff]+$/

// Matches a log line rather than a key, by characters that every log line contains (blanks, quotes, brackets, column separators), or by a
// date at its beginning.
const NO_KEY = /[\s"{}[\]<>,;|]|^\d{4}-\d\d-\d\d[T_]/

/** Whether a line of a trace file has the form of a key, not of a log line. */
export function isKeyShaped (line: string): boolean {
  return !NO_KEY.test(line)
}

/**
 * The requests of a trace file with one key a line, at evenly spaced times. The pattern of a key is the text before the first `:`, as in
 * the cache.
 */
export class PlainTrace {
  readonly kind = 'pattern'
  readonly study: TraceStudy
  readonly #rate: number
  readonly #patterns = new KeyPatterns()

  constructor (study: TraceStudy, rate: number) {
    this.study = study
    this.#rate = rate
  }

  get form (): string { return `one key a line, ${this.#rate} requests per second` }
  /** The duration of the trace in milliseconds, up to the time that its next request would have. */
  get end (): number { return this.study.requests * 1000 / this.#rate }
  get seconds (): number { return this.end / 1000 }
  get notes (): string[] { return [] }

  /** Adds a request for the key in a line of the trace; `false`: the line has no key. */
  take (line: string): boolean {
    if (line.length > 4 * MAX_KEY_LENGTH || !KEY.test(line)) return false
    this.study.note({ name: this.#patterns.of(line), keyLength: line.length, hash: hashKey(line), now: this.end, bytes: undefined })
    return true
  }

  /** Returns the name of a key pattern for the report; if `other` is the only pattern, the name is `all`. */
  nameOf (pattern: string): string {
    return pattern === OTHER && this.study.patterns.length === 1 ? ALL : pattern
  }
}
