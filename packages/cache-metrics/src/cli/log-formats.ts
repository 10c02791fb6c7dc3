/** One request of an access log, parsed from its line. */
export interface LogEntry {
  /** The virtual host, in lower case; '' if the format has none. */
  readonly host: string
  /** Whether the log line names a user. */
  readonly hasUser: boolean
  readonly time: string
  /** The request line as logged: method, target and protocol. */
  readonly request: string
  readonly status: number
  /** Size of the response body in bytes; NaN if the log line has none. */
  readonly bytes: number
}

/** A format of access logs. It parses only log lines in this format. */
export interface LogFormat {
  readonly name: string
  readonly title: string
  /** Parses a log line; `undefined`: the line has another format. */
  readonly read: (line: string) => LogEntry | undefined
  /** Parses the time in a log line into milliseconds since 1970; NaN: there is no such time. */
  readonly parseTime: (text: string) => number
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
// The formats common, combined and vhost_combined: client, identity, user [time] "request" status bytes …
// A virtual host may precede the client, and a user may contain blanks.
const COMMON = /^(\S+) (\S+) (.+?) \[(\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "([^"\\]*(?:\\.[^"\\]*)*)" (\d{3}) (\d+|-)(?: |$)/
// The format `edge` of the nginx.conf of @x/cache-edge: client [time] "request" status arm, cache status, seconds.
const EDGE = /^\S+ \[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[+-]\d\d:\d\d|Z))\] "([^"\\]*(?:\\.[^"\\]*)*)" (\d{3}) \S+ \S+ [\d.-]+$/
const HOST_AND_PORT = /^(?:[\w.-]+|\[[\da-fA-F:.]+\]):\d{1,5}$/

/** The recognised formats of access logs, in the order in which they are tried. */
export const LOG_FORMATS: readonly LogFormat[] = [
  { name: 'common', title: 'access log', read: readCommon, parseTime: parseCommonTime },
  { name: 'edge', title: 'log of the nginx.conf of @x/cache-edge', read: readEdge, parseTime: parseIsoTime }
]

/** The first of `formats` that a log line has; `undefined`: the line has none of the formats. */
export function formatOf (line: string, formats: readonly LogFormat[] = LOG_FORMATS): LogFormat | undefined {
  return formats.find((format) => {
    const entry = format.read(line)
    return entry !== undefined && !Number.isNaN(format.parseTime(entry.time))
  })
}

function readCommon (line: string): LogEntry | undefined {
  const match = COMMON.exec(line)
  if (match === null) return undefined
  const [, first, second, rest, time, request, status, bytes] = match
  return {
    host: isVirtualHost(first!, second!, rest!) ? first!.toLowerCase() : '',
    hasUser: !rest!.endsWith('-'),
    time: time!,
    request: request!,
    status: Number(status),
    bytes: Number(bytes)
  }
}

// A virtual host is followed by client, identity and user. In a line without a virtual host the second field is the identity, `-`.
function isVirtualHost (first: string, second: string, rest: string): boolean {
  return second !== '-' && rest.includes(' ') && (HOST_AND_PORT.test(first) || rest.startsWith('- '))
}

function readEdge (line: string): LogEntry | undefined {
  const match = EDGE.exec(line)
  if (match === null) return undefined
  return { host: '', hasUser: false, time: match[1]!, request: match[2]!, status: Number(match[3]), bytes: NaN }
}

/** Parses a log time such as `10/Oct/2000:13:55:36 -0700`; NaN if there is no such time. */
function parseCommonTime (text: string): number {
  const part = (from: number, length: number): number => Number(text.slice(from, from + length))
  const month = MONTHS.indexOf(text.slice(3, 6))
  const [day, hours, minutes, seconds] = [part(0, 2), part(12, 2), part(15, 2), part(18, 2)]
  // Second 60 is a valid time, since it is a leap second.
  if (month === -1 || day < 1 || day > 31 || hours > 23 || minutes > 59 || seconds > 60) return NaN
  const offset = (part(22, 2) * 60 + part(24, 2)) * (text[21] === '-' ? -60_000 : 60_000)
  return Date.UTC(part(7, 4), month, day, hours, minutes, seconds) - offset
}

/** Parses a log time such as `2000-10-10T13:55:36-07:00`; NaN if there is no such time. */
function parseIsoTime (text: string): number {
  // The second 60 is a leap second, which `Date` does not parse.
  const isLeap = text.slice(17, 19) === '60'
  return Date.parse(isLeap ? `${text.slice(0, 17)}59${text.slice(19)}` : text) + (isLeap ? 1000 : 0)
}
