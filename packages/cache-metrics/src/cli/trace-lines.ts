import { AccessLog } from './access-log.js'
import { AdvisorError } from './errors.js'
import { FormatDetection, type DetectedFormat, type TraceLine } from './logs/format-detection.js'
import { LinePrefix } from './logs/line-prefix.js'
import type { LogFormat } from './logs/log-entry.js'
import { LOG_FORMATS } from './logs/log-formats.js'
import { isKeyShaped, PlainTrace } from './plain-trace.js'
import type { LineTaker } from './trace-file.js'
import type { TraceStudy } from './trace-study.js'

/** Matches the byte order mark: U+FEFF in UTF-8, read as one character per byte. */
const BOM = /^\xef\xbb\xbf/
const MAX_SHOWN = 100
const TOO_LONG = '(longer than 65536 characters)'

/** The name of the format of a file with one key per line. */
export const KEYS = 'keys'
/** The values of `--log-format`, the format of a trace file: a format of logs, or `keys`. */
export const INPUT_FORMATS: readonly string[] = [KEYS, ...LOG_FORMATS.map(({ name }) => name)]

/**
 * Receives the lines of a trace file, and ignores blank lines. A trace with a request in a log format, at any line, is a log, since no log
 * line has the form of a key. A line in neither form is unreadable, unless `format` is `keys`.
 */
export class TraceLines implements LineTaker {
  /** The number of lines of the trace that are not blank; `unreadable`: the number of lines that cannot be read. */
  lines = 0
  unreadable = 0
  /** The number of lines that were read so far, including blank lines. */
  #at = 0
  #firstUnreadable: TraceLine | undefined
  #trace: AccessLog | PlainTrace
  /** The detection of the log format, until it has decided; `undefined` for a file that is declared to contain keys. */
  #detection: FormatDetection | undefined
  readonly #newStudy: () => TraceStudy
  readonly #format: typeof KEYS | LogFormat | undefined
  readonly #prefix = new LinePrefix((line) => this.#take(line.trim()))

  /**
   * Makes a reader of lines.
   * @param format the format of the trace; `undefined`: the format is detected
   */
  constructor (newStudy: () => TraceStudy, rate: number, format?: typeof KEYS | LogFormat) {
    this.#newStudy = newStudy
    this.#format = format
    this.#trace = new PlainTrace(newStudy(), rate)
    if (format !== KEYS) this.#detection = new FormatDetection(format === undefined ? LOG_FORMATS : [format])
  }

  line (text: string): void {
    this.#at++
    const line = this.#at === 1 ? text.replace(BOM, '') : text
    if (this.#format === KEYS) this.#take(line.trim())
    else this.#prefix.line(line)
  }

  tooLong (): void {
    this.#prefix.end()
    this.#at++
    this.lines++
    this.#detection?.refuse({ at: this.#at, text: TOO_LONG })
    this.#refuse(TOO_LONG)
  }

  /**
   * Returns the parsed trace; call it after the last line.
   * @throws `CACHE_ERR_ADVISOR` with the first line that is not recognised, if the file is no trace
   */
  end (name: string): AccessLog | PlainTrace {
    this.#prefix.end()
    const best = this.#detection?.best
    if (best !== undefined) this.#decide(best)
    // At most one line in `tolerated` may be unreadable: every second line of a log, which can have banner lines, and of a file that the
    // user declared to be one of keys. An undeclared file with more than a tenth of unreadable lines is no file of keys.
    const tolerated = this.#trace.kind === 'route' || this.#format === KEYS ? 2 : 10
    if (this.unreadable * tolerated <= this.lines) return this.#trace
    const { at, text } = this.#firstUnreadable!
    throw new AdvisorError(`${name} is no trace: ${this.unreadable} of ${this.lines} lines are not recognised, the first is line ${at}: ${shown(text)}. ` +
      `Accepted are one key a line without blanks (keys) and logs: ${LOG_FORMATS.map(({ name, title }) => `${name} (${title})`).join(', ')}; ` +
      '--log-format forces one of them, --fields names the members of another JSON log')
  }

  #take (line: string): void {
    if (line === '') return
    this.lines++
    if (this.#trace.kind === 'route') {
      if (!this.#trace.take(line)) this.#refuse(line)
      return
    }
    const isKey = this.#format === undefined && isKeyShaped(line)
    const at = { at: this.#at, text: line }
    if (isKey) this.#detection?.refuse(at)
    else {
      const detected = this.#detection?.take(at)
      if (detected !== undefined) return this.#decide(detected)
    }
    if ((!isKey && this.#format !== KEYS) || !this.#trace.take(line)) this.#refuse(line)
  }

  #decide ({ format, read, entries, unreadable, firstUnreadable }: DetectedFormat): void {
    this.#detection = undefined
    this.unreadable = unreadable
    this.#firstUnreadable = firstUnreadable
    this.#trace = new AccessLog(this.#newStudy(), format, read)
    for (const entry of entries) this.#trace.note(entry)
  }

  #refuse (text: string): void {
    this.unreadable++
    this.#firstUnreadable ??= { at: this.#at, text }
  }
}

// Returns the text of a trace's line for an error message. The query is left out, since it may contain a secret. Control characters are
// escaped, since a terminal would execute them.
function shown (line: string): string {
  const text = line.replace(/\?[^\s"]*/g, '?…')
  return JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text)
}
