const BLANK = 32
const PLUS = 43
const MINUS = 45
const ZERO = 48

/**
 * Reads the fields of a log line one after the other. The caller must have checked that the line has the shape of its format. A regular
 * expression would make an array, and a text for each field, which costs more than the rest of the parsing.
 */
export class LineFields {
  #line = ''
  #at = 0

  /** Begins to read a line. */
  open (line: string): void {
    this.#line = line
    this.#at = 0
  }

  /** Skips the text up to the next character `end`, and that character. */
  skip (end: string): void {
    this.#at = this.#line.indexOf(end, this.#at) + 1
  }

  /** Skips blanks in the current log line. */
  skipBlanks (): void {
    while (this.#line.charCodeAt(this.#at) === BLANK) this.#at++
  }

  /** Returns the text up to the next character `end`, and skips that character. */
  until (end: string): string {
    const from = this.#at
    const to = this.#line.indexOf(end, from)
    this.#at = to + 1
    return this.#line.slice(from, to)
  }

  /** Returns an integer with or without a sign, and skips the character behind it. */
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
