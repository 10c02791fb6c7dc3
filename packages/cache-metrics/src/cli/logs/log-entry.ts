/** One request of an access log, parsed from its line. */
export interface LogEntry {
  /** The virtual host in lower case; '' if the log has none. */
  readonly host: string
  /** Whether the log line names a user. */
  readonly hasUser: boolean
  /** Milliseconds since 1970. The times of a log without a time zone count as UTC. */
  readonly time: number
  /** The method; '' if the log line has no request that can be read. */
  readonly method: string
  /** The path and the query of the request target. */
  readonly target: string
  /** The status; NaN if the log line has none. */
  readonly status: number
  /** Bytes of the response, in some log formats including its header; NaN if the log line has no size. */
  readonly bytes: number
  /** Seconds that the app took for the response; NaN if the log has no such time, or if a cache in front of the app sent the response. */
  readonly seconds: number
}

/** Parses the lines of one log in their order. `null`: a line of the format without a request; `undefined`: a line of another format. */
export type LogReader = (line: string) => LogEntry | null | undefined

/** A format of access logs, with its name and its reader. */
export interface LogFormat {
  readonly name: string
  readonly title: string
  /** Creates a reader for one log. Its result for a line may depend on earlier lines; its memory is bounded. */
  readonly open: () => LogReader
}

const REQUEST_LINE = /^[A-Z]+ \S+(?: HTTP\/[\d.]+)?$/i
const SCHEME = /^https?:\/\//i
const HTTP = 'http://'
/** The character codes that end the authority in an absolute request target: slash, question mark, number sign. */
const ENDS_OF_AUTHORITY: ReadonlySet<number> = new Set([47, 63, 35])

/** Makes a log entry. Its members are written one by one, since a spread object costs more than the rest of the parsing. */
export function entryOf (request: Pick<LogEntry, 'method' | 'target' | 'host'>, rest: Omit<LogEntry, 'method' | 'target' | 'host'>): LogEntry {
  return {
    host: request.host,
    method: request.method,
    target: request.target,
    hasUser: rest.hasUser,
    time: rest.time,
    status: rest.status,
    bytes: rest.bytes,
    seconds: rest.seconds
  }
}

/** Returns method, target and host of a request. If the target is in absolute form, its host is used. */
export function requestOf (method: string, target: string, host = ''): Pick<LogEntry, 'method' | 'target' | 'host'> {
  const start = target.startsWith('/') ? 0 : schemeLength(target)
  if (start === 0) return { method, target, host: host.toLowerCase() }
  let end = start
  while (end < target.length && !ENDS_OF_AUTHORITY.has(target.charCodeAt(end))) end++
  const path = target.slice(end)
  const named = target.slice(start, end).toLowerCase()
  const port = start === HTTP.length ? ':80' : ':443'
  return { method, target: path.startsWith('/') ? path : `/${path}`, host: named.endsWith(port) ? named.slice(0, -port.length) : named }
}

/** Returns method, target and host of a request line, such as `GET /a HTTP/1.1`; the method is '' if the text is no request line. */
export function requestOfLine (line: string, host = ''): Pick<LogEntry, 'method' | 'target' | 'host'> {
  if (!REQUEST_LINE.test(line)) return { method: '', target: '', host }
  const blank = line.indexOf(' ')
  const end = line.indexOf(' ', blank + 1)
  return requestOf(line.slice(0, blank), line.slice(blank + 1, end === -1 ? undefined : end), host)
}

/** Returns the length of `http://` or `https://` at the start of a target; 0: the target has neither. */
function schemeLength (target: string): number {
  return target.startsWith(HTTP) ? HTTP.length : SCHEME.exec(target)?.[0].length ?? 0
}
