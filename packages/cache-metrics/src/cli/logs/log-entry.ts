/** One request of an access log, parsed from its line. */
export interface LogEntry {
  /** The virtual host in lower case; '' if the log has none. */
  readonly host: string
  /** Whether the log line names a user. */
  readonly hasUser: boolean
  /** Milliseconds since 1970; of a log without a time zone as if in UTC. */
  readonly time: number
  /** The method; '' if the log line has no request that can be read. */
  readonly method: string
  /** Path and query of the request target. */
  readonly target: string
  readonly status: number
  /** Bytes of the response, in some logs with its header; NaN if the log line has none. */
  readonly bytes: number
  /** Seconds that the app took for the response; NaN if the log has none, or if a cache in front of the app sent it. */
  readonly seconds: number
}

/** Parses the lines of one log in their order. `null`: a line of the format without a request; `undefined`: a line of another format. */
export type LogReader = (line: string) => LogEntry | null | undefined

/** A format of access logs. */
export interface LogFormat {
  readonly name: string
  readonly title: string
  /** Creates a reader, which may depend on earlier lines of the log, in bounded memory. */
  readonly open: () => LogReader
}

const REQUEST_LINE = /^([A-Z]+) (\S+)(?: HTTP\/[\d.]+)?$/i
const ABSOLUTE = /^(https?):\/\/([^/?#]*)/i
const DEFAULT_PORT: Readonly<Record<string, string>> = { http: ':80', https: ':443' }

/** Makes an entry. Its members are written one by one, since a spread object costs more than all of the parsing. */
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

/** Method, target and host of a request, with the host of a target in absolute form. */
export function requestOf (method: string, target: string, host = ''): Pick<LogEntry, 'method' | 'target' | 'host'> {
  if (target.startsWith('/')) return { method, target, host: host.toLowerCase() }
  const match = ABSOLUTE.exec(target)
  if (match === null) return { method, target, host: host.toLowerCase() }
  const [origin, scheme, authority] = match
  const named = authority!.toLowerCase()
  const port = DEFAULT_PORT[scheme!.toLowerCase()]!
  const path = target.slice(origin.length)
  return { method, target: path.startsWith('/') ? path : `/${path}`, host: named.endsWith(port) ? named.slice(0, -port.length) : named }
}

/** The same of a request line, such as `GET /a HTTP/1.1`; the method is '' if the text is no request line. */
export function requestOfLine (line: string, host = ''): Pick<LogEntry, 'method' | 'target' | 'host'> {
  const match = REQUEST_LINE.exec(line)
  return match === null ? { method: '', target: '', host } : requestOf(match[1]!, match[2]!, host)
}
