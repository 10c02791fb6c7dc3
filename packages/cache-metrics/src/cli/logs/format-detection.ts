import type { LogEntry, LogFormat, LogReader } from './log-entry.js'

/**
 * The number of requests in one format after which that format is taken for the format of the log. The requests are stored until then; if
 * their lines exceed `MAX_CHARACTERS` in all, the format with the most requests is taken earlier.
 */
const DECIDING_REQUESTS = 1000
const MAX_CHARACTERS = 4 * 1024 * 1024

/** A line of a trace: its number, from 1 on, and its text. */
export interface TraceLine { readonly at: number, readonly text: string }

/** A format in which the trace has requests, with the data that its reader has read so far. */
export interface DetectedFormat {
  readonly format: LogFormat
  /** Reads the lines of the trace that follow. */
  readonly read: LogReader
  readonly entries: readonly LogEntry[]
  /** The number of lines that the format cannot read; `firstUnreadable` is the first of them. */
  readonly unreadable: number
  readonly firstUnreadable: TraceLine | undefined
}

/**
 * Detects the format of a log by its lines: the format with the most requests when one of them has 1000, or at the end of a shorter log. A
 * few lines of another format therefore do not decide. Memory is bounded, since only requests are stored until the decision, up to a number
 * of characters.
 */
export class FormatDetection {
  readonly #candidates: Candidate[]
  #characters = 0

  constructor (formats: readonly LogFormat[]) {
    this.#candidates = formats.map((format) => new Candidate(format))
  }

  /** Adds a line. Returns the format of the log once enough lines have decided on it. */
  take (line: TraceLine): DetectedFormat | undefined {
    let isRequest = false
    for (const candidate of this.#candidates) if (candidate.take(line)) isRequest = true
    if (!isRequest) return undefined
    this.#characters += line.text.length
    const { best } = this
    return this.#characters > MAX_CHARACTERS || best!.entries.length >= DECIDING_REQUESTS ? best : undefined
  }

  /** Counts a line that no format can read. */
  refuse (line: TraceLine): void {
    for (const candidate of this.#candidates) candidate.refuse(line)
  }

  /** The format with the most requests so far; `undefined`: there is no request. */
  get best (): DetectedFormat | undefined {
    const best = this.#candidates.reduce((one, other) => other.entries.length > one.entries.length ? other : one)
    return best.entries.length > 0 ? best : undefined
  }
}

class Candidate implements DetectedFormat {
  readonly entries: LogEntry[] = []
  readonly read: LogReader
  unreadable = 0
  firstUnreadable: TraceLine | undefined

  constructor (readonly format: LogFormat) {
    this.read = format.open()
  }

  /** Adds a line to the requests of this format; returns whether the line has a request. */
  take (line: TraceLine): boolean {
    const entry = this.read(line.text)
    if (entry === undefined) this.refuse(line)
    else if (entry !== null) this.entries.push(entry)
    return entry !== undefined && entry !== null
  }

  refuse (line: TraceLine): void {
    this.unreadable++
    this.firstUnreadable ??= line
  }
}
