import { AccessLog, isLogLine } from './access-log.js'
import { AdvisorError } from './errors.js'
import { PlainTrace } from './plain-trace.js'
import type { LineTaker } from './trace-file.js'
import type { TraceStudy } from './trace-study.js'

/** By how many lines it is told what kind of file it is. */
const FIRST_LINES = 100
/** U+FEFF in UTF-8, one character per byte. */
const BOM = /^\xef\xbb\xbf/

/** Takes the lines of a trace, whichever of the two kinds it is; blank lines are nothing. */
export class TraceLines implements LineTaker {
  /** Lines that are not blank, and how many of them cannot be read. */
  lines = 0
  unreadable = 0
  readonly #study: TraceStudy
  readonly #rate: number
  #first: string[] | undefined = []
  #kind: AccessLog | PlainTrace

  constructor (study: TraceStudy, rate: number) {
    this.#study = study
    this.#rate = rate
    this.#kind = new PlainTrace(study, rate)
  }

  line (text: string): void {
    const line = (this.lines === 0 ? text.replace(BOM, '') : text).trim()
    if (line === '') return
    this.lines++
    if (this.#first === undefined) this.#take(line)
    else if (this.#first.push(line) === FIRST_LINES) this.#decide()
  }

  tooLong (): void {
    this.lines++
    this.unreadable++
  }

  /** What was read, after the last line; throws if most of it is no trace. */
  end (name: string): AccessLog | PlainTrace {
    this.#decide()
    if (this.unreadable * 2 > this.lines) {
      throw new AdvisorError(`${name} is no trace: ${this.unreadable} of ${this.lines} lines are neither a key nor a line of an access log`)
    }
    return this.#kind
  }

  #decide (): void {
    const first = this.#first ?? []
    this.#first = undefined
    if (first.filter(isLogLine).length * 2 > first.length) this.#kind = new AccessLog(this.#study)
    for (const line of first) this.#take(line)
  }

  #take (line: string): void {
    if (!this.#kind.take(line)) this.unreadable++
  }
}
