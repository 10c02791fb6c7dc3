import { entryOf, requestOf, requestOfLine, type LogEntry, type LogFormat } from './log-entry.js'
import { ISO_TIME, timeParser, type TimeParser } from './log-times.js'

/** A format of one request a line, whose shape is a regular expression. */
interface TextShape {
  readonly name: string
  readonly title: string
  readonly pattern: RegExp
  /** Makes the entry of a line from its match; its time is NaN if the line has another shape after all. */
  readonly entry: (match: RegExpExecArray, time: TimeParser) => LogEntry
}

// Text in quotes whose own quotes have a backslash, as nginx, Apache and Varnish write it.
const QUOTED = String.raw`"([^"\\]*(?:\\.[^"\\]*)*)"`
const COMMON_TIME = String.raw`\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d`
const HOST_AND_PORT = /^(?:[\w.-]+|\[[\da-fA-F:.]+\]):\d{1,5}$/
// The end of a line of Traefik: number of the request, router, server, and whole milliseconds.
const TRAEFIK = / \d+ "[^"]*" "[^"]*" (\d+)ms$/
/** The results of a proxy whose response needed no load by the app. */
const FROM_CACHE = /^(?:HIT|STALE|UPDATING)$|^(?!TCP_REFRESH)[A-Z_]*HIT/

const SHAPES: readonly TextShape[] = [
  {
    name: 'common',
    title: 'access log',
    // A virtual host may precede the client, and a user may contain blanks.
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
    // HAProxy escapes quotes in captured headers and in the request, so that the first quote begins the request. The local time has no zone.
    pattern: new RegExp(String.raw`^\S+:\d+ \[(${COMMON_TIME}\.\d{3})\] \S+ [^\s/]+/(\S+) -?\d+/-?\d+/-?\d+/(-?\d+)/\+?-?\d+ (-?\d+) \+?(\d+) \S+ \S+ \S{4} [\d/+]+ \d+/\d+ [^"]*"([^"]*)"`),
    entry: ([, at, server, wait, status, bytes, request], time) => entryOf(requestOfLine(request!), {
      hasUser: false,
      time: time(at),
      status: Number(status),
      bytes: Number(bytes),
      seconds: server === '<CACHE>' ? NaN : milliseconds(wait)
    })
  },
  {
    name: 'squid',
    title: 'native log of Squid or Traffic Server',
    pattern: /^(\d{9,10}\.\d{3}) +(-?\d+) \S+ ([A-Z_]+)\/(\d{3}) (\d+) ([A-Z_-]+) (\S+) (\S+) [A-Z_]+\/\S+ \S/,
    entry: ([, at, took, result, status, bytes, method, target, user], time) => entryOf(requestOf(method!, target!), {
      hasUser: user !== '-',
      time: time(at),
      status: Number(status),
      bytes: Number(bytes),
      seconds: FROM_CACHE.test(result!) ? NaN : milliseconds(took)
    })
  },
  {
    name: 'envoy',
    title: 'default log of Envoy',
    // Istio adds three fields behind the flags. A client's User-Agent may have quotes, so the authority is found from the end.
    pattern: new RegExp(String.raw`^\[(${ISO_TIME})\] "(\S+) (\S+) \S+" (\d{1,3}) \S+ (?:\S+ \S+ "[^"]*" )?\d+ (\d+) (\d+) (\d+|-) ".*" "([^"]*)" "[^"]*"(?: [^"]*)?$`),
    entry: ([, at, method, target, status, bytes, took, upstream, host], time) => entryOf(requestOf(method!, target!, host === '-' ? '' : host), {
      hasUser: false,
      time: time(at),
      status: Number(status),
      bytes: Number(bytes),
      seconds: milliseconds(upstream === '-' ? took : upstream)
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
      seconds: milliseconds(took) * 1000
    })
  }
]

/** The formats with one request a line in text. */
export const TEXT_FORMATS: readonly LogFormat[] = SHAPES.map(({ name, title, pattern, entry }) => ({
  name,
  title,
  open: () => {
    const time = timeParser()
    return (line) => {
      const match = pattern.exec(line)
      if (match === null) return undefined
      const read = entry(match, time)
      return Number.isNaN(read.time) ? undefined : read
    }
  }
}))

/** The seconds of milliseconds in a log, where `-` and a negative number stand for a time that is not known. */
function milliseconds (text: string | undefined): number {
  const value = Number(text)
  return value >= 0 ? value / 1000 : NaN
}

// A virtual host is followed by client, identity and user. In a line without a virtual host the second field is the identity, `-`.
function isVirtualHost (first: string, second: string, rest: string): boolean {
  return second !== '-' && rest.includes(' ') && (HOST_AND_PORT.test(first) || rest.startsWith('- '))
}
