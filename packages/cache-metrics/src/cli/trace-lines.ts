import { AccessLog } from './access-log.js'
import { AdvisorError } from './errors.js'
import { formatOf, LOG_FORMATS } from './log-formats.js'
import { isKeyShaped, PlainTrace } from './plain-trace.js'
import type { LineTaker } from './trace-file.js'
import type { TraceStudy } from './trace-study.js'

/** Matches the byte order mark: U+FEFF in UTF-8, read as one character per byte. */
const BOM = /^\xef\xbb\xbf/
const MAX_SHOWN = 100
const TOO_LONG = '(longer than 65536 characters)'

/** The values of `--format-in`, the format of a trace file: a format of logs, or `keys`. */
export const INPUT_FORMATS: readonly string[] = ['keys', ...LOG_FORMATS.map(({ name }) => name)]

/**
 * Receives the lines of a trace file, and ignores blank lines. The first line in a log format, at any position, makes the trace a log,
 * since no log line has the form of a key. A line in neither form is unreadable, unless `format` is `keys`.
 */
export class TraceLines implements LineTaker {
  /** The number of lines of the trace that are not blank; `unreadable`: the number of lines that cannot be read. */
  lines = 0
  unreadable = 0
  /** The number of lines of the trace so far, including blank lines; `#first`: the first line that is not blank. */
  #at = 0
  #first = { at: 0, text: '' }
  #firstUnreadable: { readonly at: number, readonly text: string } | undefined
  #trace: AccessLog | PlainTrace
  readonly #newStudy: () => TraceStudy
  readonly #format: string | undefined

  constructor (newStudy: () => TraceStudy, rate: number, format?: string) {
    this.#newStudy = newStudy
    this.#format = format
    this.#trace = new PlainTrace(newStudy(), rate)
  }

  line (text: string): void {
    this.#at++
    const line = (this.#at === 1 ? text.replace(BOM, '') : text).trim()
    if (line === '') return
    this.lines++
    if (this.lines === 1) this.#first = { at: this.#at, text: line }
    if (this.#trace.kind === 'pattern' && this.#format !== 'keys') this.#detect(line)
    if (!this.#canBe(line) || !this.#trace.take(line)) this.#refuse(line)
  }

  tooLong (): void {
    this.#at++
    this.lines++
    if (this.lines === 1) this.#first = { at: this.#at, text: TOO_LONG }
    this.#refuse(TOO_LONG)
  }

  /**
   * Returns the parsed trace, after its last line.
   * @throws `CACHE_ERR_ADVISOR` with the first line that is not recognised, if the file is no trace
   */
  end (name: string): AccessLog | PlainTrace {
    // At most one line in `tolerated` may be unreadable: a file of keys has no banners, so a tenth of other lines means another kind of
    // file.
    const tolerated = this.#trace.kind === 'route' || this.#format === 'keys' ? 2 : 10
    if (this.unreadable * tolerated <= this.lines) return this.#trace
    const { at, text } = this.#firstUnreadable!
    throw new AdvisorError(`${name} is no trace: ${this.unreadable} of ${this.lines} lines are not recognised, the first is line ${at}: ${shown(text)}. ` +
      'Accepted are access logs in common, combined or vhost_combined format, the log of the nginx.conf of @x/cache-edge, and one key a line without blanks; ' +
      `--format-in forces one of ${INPUT_FORMATS.join(', ')}`)
  }

  #detect (line: string): void {
    const formats = LOG_FORMATS.filter(({ name }) => this.#format === undefined || name === this.#format)
    const format = formatOf(line, formats)
    if (format === undefined) return
    // All lines before the first line in a log format are a banner, and count as unreadable.
    this.unreadable = this.lines - 1
    this.#firstUnreadable = this.unreadable > 0 ? this.#first : undefined
    this.#trace = new AccessLog(this.#newStudy(), format)
  }

  #canBe (line: string): boolean {
    return this.#trace.kind === 'route' || this.#format === 'keys' || (this.#format === undefined && isKeyShaped(line))
  }

  #refuse (text: string): void {
    this.unreadable++
    this.#firstUnreadable ??= { at: this.#at, text }
  }
}

// The text of a trace's line for an error message. The query is left out, since it may contain a secret. Control characters are escaped,
// since a terminal would execute them.
function shown (line: string): string {
  const text = line.replace(/\?[^\s"]*/g, '?…')
  return JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text)
}
