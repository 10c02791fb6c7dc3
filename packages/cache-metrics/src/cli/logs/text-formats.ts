import { isIP } from 'node:net'
import { entryOf, requestOf, requestOfLine, type LogEntry, type LogFormat } from './log-entry.js'
import { LineFields } from './line-fields.js'
import { ISO_TIME, timeParser, type TimeParser } from './log-times.js'

/** A text format with one request per line, whose shape is a regular expression. */
interface TextShape {
  readonly name: string
  readonly title: string
  readonly pattern: RegExp
  /** Makes the log entry of a line that matches the shape; the time of the entry is NaN if the line has another format after all. */
  readonly entry?: (match: RegExpExecArray, time: TimeParser) => LogEntry
  /** Makes the log entry from the fields of the line, in place of `entry`, for shapes with many fields. */
  readonly read?: (fields: LineFields, time: TimeParser) => LogEntry
}

// Matches text in quotes that escapes its own quotes by a backslash, as nginx, Apache and Varnish write it.
const QUOTED = String.raw`"([^"\\]*(?:\\.[^"\\]*)*)"`
const COMMON_TIME = String.raw`\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d`
// Matches a host with or without its port. `X-Forwarded-For` may be a list or `unknown`, and `-` stands for a header that is absent.
const HOST = /^(?!-$|unknown$)(?:[^\s:[\]/,]+|\[[\da-fA-F:.]+\])(?::\d{1,5})?$/
const HOST_AND_PORT = /:(\d{1,5})$/
// The ports from 1024 on at which servers listen. Clients connect from ephemeral ports, which are above 1024.
const SERVER_PORTS = new Set([3000, 8000, 8080, 8443])
// Matches the identity and the user behind the addresses of client and proxies.
const IDENTITY = /^(?:(?:[\da-fA-F:.[\]]+|unknown),? )*- /
// Matches the end of a line of Traefik: number of the request, router, server, and whole milliseconds.
const TRAEFIK = / \d+ "[^"]*" "[^"]*" (\d+)ms$/
/** Matches the results of a proxy whose response needed no load by the app. */
const FROM_CACHE = /^(?:HIT|STALE|UPDATING)$|^(?!TCP_REFRESH)[A-Z_]*HIT/

/**
 * The characters that end the skipped fields of a line of HAProxy, in the order of the fields. The captured cookies are skipped field by
 * field, since a cookie may contain the quote that begins the request.
 */
const TO_SERVER = [' ', ' ', '/']
const TO_WAIT = ['/', '/', '/']
const COOKIES_TO_QUEUE = [' ', ' ', ' ', ' ', ' ']

const SHAPES: readonly TextShape[] = [
  {
    name: 'common',
    title: 'access log',
    // A virtual host may precede the client address, and a user name may contain blanks.
    pattern: new RegExp(String.raw`^(\S+) (\S+) (.+?) \[(${COMMON_TIME} [+-]\d{4})\] ${QUOTED} (\d{3}) (\d+|-)(?: |$)`),
    entry: ({ 1: first, 2: second, 3: rest, 4: at, 5: request, 6: status, 7: bytes, input }, time) => entryOf(requestOfLine(request!, isVirtualHost(first!, second!, rest!) ? first!.toLowerCase() : ''), {
      hasUser: !rest!.endsWith('-'),
      time: time(at),
      status: Number(status),
      bytes: Number(bytes),
      seconds: input.endsWith('ms') ? Number(TRAEFIK.exec(input)?.[1]) / 1000 : NaN
    })
  },
  {
    name: 'edge',
    title: 'log of the nginx.conf of @x/cache-edge',
    pattern: new RegExp(String.raw`^\S+ \[(${ISO_TIME})\] ${QUOTED} (\d{3}) \S+ (\S+) ([\d.]+|-)$`),
    entry: ([, at, request, status, result, seconds], time) => entryOf(requestOfLine(request!), {
      hasUser: false,
      time: time(at),
      status: Number(status),
      bytes: NaN,
      seconds: FROM_CACHE.test(result!) ? NaN : Number(seconds)
    })
  },
  {
    name: 'haproxy',
    title: 'HAProxy httplog',
    // HAProxy escapes quotes in captured headers and in the request, so the first quote begins the request. The time is a local time
    // without a time zone.
    pattern: new RegExp(String.raw`^\S+:\d+ \[${COMMON_TIME}\.\d{3}\] \S+ [^\s/]+/\S+ -?\d+/-?\d+/-?\d+/-?\d+/\+?-?\d+ -?\d+ \+?\d+ \S+ \S+ \S{4} [\d/+]+ \d+/\d+ [^"]*"[^"]*"`),
    read: (fields, time) => {
      fields.skip(' ')
      fields.skip('[')
      const at = time(fields.until(']'))
      for (const end of TO_SERVER) fields.skip(end)
      const isFromCache = fields.until(' ') === '<CACHE>'
      for (const end of TO_WAIT) fields.skip(end)
      const wait = fields.integer()
      fields.skip(' ')
      const status = fields.integer()
      const bytes = fields.integer()
      for (const end of COOKIES_TO_QUEUE) fields.skip(end)
      fields.skip('"')
      return entryOf(requestOfLine(fields.until('"')), { hasUser: false, time: at, status, bytes, seconds: isFromCache ? NaN : secondsOf(wait) })
    }
  },
  {
    name: 'squid',
    title: 'native log of Squid or Traffic Server',
    pattern: /^[1-9]\d{9}\.\d{3} +-?\d+ \S+ [A-Z_]+\/\d{3} \d+ [A-Z_-]+ \S+ \S+ [A-Z_]+\/\S+ \S/,
    read: (fields) => {
      const time = fields.integer() * 1000 + fields.integer()
      fields.skipBlanks()
      const took = fields.integer()
      fields.skip(' ')
      const result = fields.until('/')
      const status = fields.integer()
      const bytes = fields.integer()
      const request = requestOf(fields.until(' '), fields.until(' '))
      return entryOf(request, { hasUser: fields.until(' ') !== '-', time, status, bytes, seconds: FROM_CACHE.test(result) ? NaN : secondsOf(took) })
    }
  },
  {
    name: 'envoy',
    title: 'default log of Envoy',
    // Istio adds three fields behind the flags. A client's User-Agent may contain quotes, so the authority is searched from the end of the
    // line.
    pattern: new RegExp(String.raw`^\[(${ISO_TIME})\] "(\S+) (\S+) \S+" (\d{1,3}) \S+ (?:\S+ \S+ "[^"]*" )?\d+ (\d+) (\d+) (\d+|-) ".*" "([^"]*)" "[^"]*"(?: [^"]*)?$`),
    entry: ([, at, method, target, status, bytes, took, upstream, host], time) => entryOf(requestOf(method!, target!, host === '-' ? '' : host), {
      hasUser: false,
      time: time(at),
      status: Number(status),
      bytes: Number(bytes),
      seconds: secondsOf(Number(upstream === '-' ? took : upstream))
    })
  },
  {
    name: 'alb',
    title: 'AWS ALB log',
    pattern: new RegExp(String.raw`^(?:https?|h2|grpcs|wss?) (${ISO_TIME}) \S+ \S+ \S+ \S+ (-?[\d.]+) \S+ (\d{3}|-) \S+ \d+ (\d+) "(\S+) (\S+) [^"]*"`),
    entry: ([, at, took, status, bytes, method, target], time) => entryOf(requestOf(method!, target!), {
      hasUser: false,
      time: time(at),
      status: Number(status),
      bytes: Number(bytes),
      seconds: Number(took) >= 0 ? Number(took) : NaN
    })
  }
]

/** The text formats with one request per line. */
export const TEXT_FORMATS: readonly LogFormat[] = SHAPES.map(({ name, title, pattern, entry, read }) => ({
  name,
  title,
  open: () => {
    const time = timeParser()
    const fields = new LineFields()
    const entryIn = (line: string): LogEntry | undefined => {
      if (read === undefined) {
        const match = pattern.exec(line)
        return match === null ? undefined : entry!(match, time)
      }
      if (!pattern.test(line)) return undefined
      fields.open(line)
      return read(fields, time)
    }
    return (line) => {
      const found = entryIn(line)
      return found === undefined || Number.isNaN(found.time) ? undefined : found
    }
  }
}))

/** Converts milliseconds in a log to seconds; `-` and negative numbers stand for a time that is not known. */
function secondsOf (milliseconds: number): number {
  return milliseconds >= 0 ? milliseconds / 1000 : NaN
}

// A virtual host is followed by client, identity and user. In a line without a virtual host the second field is the identity, which is `-`.
// A prefix that a tool wrote, such as a time, is not taken for a host: the host is part of the key, so each line would have its own key. The
// same holds for an address with the ephemeral port of a client of `X-Forwarded-For`, whatever follows.
function isVirtualHost (first: string, second: string, rest: string): boolean {
  if (second === '-' || !rest.includes(' ') || !HOST.test(first)) return false
  const port = HOST_AND_PORT.exec(first)?.[1]
  if (isAddress(first)) return port !== undefined && (Number(port) < 1024 || SERVER_PORTS.has(Number(port)))
  return port !== undefined || IDENTITY.test(rest)
}

/** Whether a field is an IP address, which may have a port or brackets, and a comma behind it. */
function isAddress (field: string): boolean {
  const address = field.replace(/,$/, '')
  return isIP(address) !== 0 || isIP(address.replace(/:\d{1,5}$/, '').replace(/^\[(.*)\]$/, '$1')) !== 0
}
