import { objectOf } from './json-formats.js'
import { ISO_TIME } from './log-times.js'

/** The maximum length of a line that a container runtime has split, in characters. */
const MAX_LINE = 64 * 1024
// Matches the line prefix of Kubernetes' container runtime interface (CRI): a time, a stream, and F for the end of a line or P for a part
// of it.
const CRI = new RegExp(`^${ISO_TIME} (stdout|stderr) ([FP])(?::\\S+)? `)
const DOCKER = '{"log":"'
// Matches the beginning of a log line: a brace, or a word with a blank behind it. In front of a single word, which may be a key, no prefix
// is removed, so that keys with names or times in front are not read as a list of keys.
const LINE = String.raw`(?=\{|\S+\s)`
// Matches the prefix by which commands name the container of a line: `kubectl logs --prefix`, and `docker compose logs`.
const CONTAINER = new RegExp(String.raw`^(?:\[pod/\S+\] |[\w.-]+ +\| )${LINE}`)
// Matches the time that `kubectl logs --timestamps` and `docker logs --timestamps` write in front of a line.
const TIMESTAMP = new RegExp(`^${ISO_TIME} ${LINE}`)
// Matches the line prefix of syslog: RFC 3164 as written to files and sockets and by journalctl, with or without the host, and RFC 5424
// with structured data.
const SYSLOG = new RegExp(String.raw`^(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?|${ISO_TIME}) (?:[\w.:-]+ )?[\w./()-]+(?:\[\d+\])?: `)
const SYSLOG_5424 = new RegExp(String.raw`^<\d{1,3}>1 (?:${ISO_TIME}|-) \S+ \S+ \S+ \S+ (?:-|(?:\[(?:[^\]\\]|\\.)*\])+) ?(?:\xef\xbb\xbf)?`)

/** Receives a log line after the prefix of a container runtime or syslog was removed. */
export type TakeLine = (line: string) => void

/**
 * Removes the prefixes that a container runtime (Kubernetes, Docker), its commands and syslog write in front of a log line. Joins the parts
 * of a line that the runtime has split. A part is joined only with the next line of the same stream; every other line is passed on
 * separately.
 */
export class LinePrefix {
  #parts = ''
  #stream = ''
  readonly #take: TakeLine

  constructor (take: TakeLine) {
    this.#take = take
  }

  line (text: string): void {
    const inner = innerOf(text)
    if (inner === undefined || inner.stream !== this.#stream || this.#parts.length > MAX_LINE) this.end()
    if (inner === undefined) return this.#take(withoutPrefix(text))
    if (inner.isPart) {
      this.#parts += inner.text
      this.#stream = inner.stream
      return
    }
    const whole = this.#parts + inner.text
    this.#parts = ''
    this.#take(withoutPrefix(whole.trim()))
  }

  /** Ends the log: passes on a line of which a logger has written some parts, but not the last. */
  end (): void {
    if (this.#parts === '') return
    const whole = this.#parts.trim()
    this.#parts = ''
    this.#take(withoutPrefix(whole))
  }
}

interface Inner { readonly text: string, readonly stream: string, readonly isPart: boolean }

/** Returns the text that a container wrote, from a line of its runtime; `undefined`: no container runtime wrote the line. */
function innerOf (text: string): Inner | undefined {
  if (text.startsWith(DOCKER)) {
    const { log, stream } = (objectOf(text) ?? {}) as { log?: unknown, stream?: unknown }
    return typeof log !== 'string' ? undefined : { text: log, stream: String(stream), isPart: !log.endsWith('\n') }
  }
  const code = text.charCodeAt(0)
  if (code < 48 || code > 57) return undefined
  const match = CRI.exec(text)
  return match === null ? undefined : { text: text.slice(match[0].length), stream: match[1]!, isPart: match[2] === 'P' }
}

/** Removes the prefixes of a line that stand in the line itself: the name of its container, its time, and that of syslog. */
function withoutPrefix (text: string): string {
  if (text.startsWith('{')) return text
  const line = withoutMatch(text, CONTAINER.exec(text))
  return withoutMatch(line, SYSLOG_5424.exec(line) ?? SYSLOG.exec(line) ?? TIMESTAMP.exec(line))
}

function withoutMatch (text: string, match: RegExpExecArray | null): string {
  return match === null ? text : text.slice(match[0].length)
}
