import { MAX_KEY_LENGTH } from '@x/cache-core/implementing'
import { KeyPatterns, OTHER } from '@x/cache-core/suite'
import { hashKey } from '../advisor/hash.js'
import type { TraceStudy } from './trace-study.js'

/** The pattern of all keys, where none has a pattern of its own. */
export const ALL = 'all'

// One character per byte: no control characters but the tab, whatever the encoding.
const KEY = /^[\t -~\x80-\xff]+$/

// A line of a log has one of these: blanks, quotes, brackets, separators of columns, or a date at its beginning.
const NO_KEY = /[\s"{}[\]<>,;|]|^\d{4}-\d\d-\d\d[T_]/

/** Whether a line has the form of a key. */
export function isKeyShaped (line: string): boolean {
  return !NO_KEY.test(line)
}

/** One key a line, evenly spaced; patterns are those of the cache: the text before the first `:`. */
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
  /** Milliseconds from the first request to the one that would come next. */
  get end (): number { return this.study.requests * 1000 / this.#rate }
  get seconds (): number { return this.end / 1000 }
  get notes (): string[] { return [] }

  /** Whether the line is a key. */
  take (line: string): boolean {
    if (line.length > 4 * MAX_KEY_LENGTH || !KEY.test(line)) return false
    this.study.note({ name: this.#patterns.of(line), keyLength: line.length, hash: hashKey(line), now: this.end, bytes: undefined })
    return true
  }

  /** The name of a pattern in the report; a single pattern `other` gets the name of all keys. */
  nameOf (pattern: string): string {
    return pattern === OTHER && this.study.patterns.length === 1 ? ALL : pattern
  }
}
