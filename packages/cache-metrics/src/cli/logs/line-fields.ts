const BLANK = 32
const PLUS = 43
const MINUS = 45
const ZERO = 48

/**
 * Reads the fields of a log line one after the other. The line must have the shape of its format. A match of a regular expression would make
 * an array and a text of each field, which costs more than all of the parsing.
 */
export class LineFields {
  #line = ''
  #at = 0

  /** Begins with a line. */
  open (line: string): void {
    this.#line = line
    this.#at = 0
  }

  /** Skips the text up to the next such character, and that. */
  skip (end: string): void {
    this.#at = this.#line.indexOf(end, this.#at) + 1
  }

  /** Skips blanks. */
  skipBlanks (): void {
    while (this.#line.charCodeAt(this.#at) === BLANK) this.#at++
  }

  /** The text in front of the next such character, which is skipped as well. */
  until (end: string): string {
    const from = this.#at
    const to = this.#line.indexOf(end, from)
    this.#at = to + 1
    return this.#line.slice(from, to)
  }

  /** A number of digits, with or without a sign; the character behind it is skipped as well. */
  integer (): number {
    const first = this.#line.charCodeAt(this.#at)
    if (first === MINUS || first === PLUS) this.#at++
    let value = 0
    for (let digit = this.#digit(); digit >= 0 && digit <= 9; digit = this.#digit()) value = value * 10 + digit
    return first === MINUS ? -value : value
  }

  #digit (): number {
    return this.#line.charCodeAt(this.#at++) - ZERO
  }
}
