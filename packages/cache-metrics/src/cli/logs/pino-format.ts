import { objectOf, textOf } from './json-formats.js'
import { entryOf, requestOf, type LogEntry, type LogFormat, type LogReader } from './log-entry.js'
import { timeParser } from './log-times.js'

/** The limits for requests whose line `request completed` has not come: maximum number of requests, and of characters of their targets. */
const MAX_PENDING = 10_000
const MAX_CHARACTERS = 4 * 1024 * 1024

type Begun = Pick<LogEntry, 'method' | 'target' | 'host' | 'time'>

/** The usual names of the member with the id of a request: Fastify's default, and texts of its option `requestIdLogLabel`. */
const ID_LABELS = ['reqId', 'requestId', 'request_id', 'req_id', 'traceId', 'trace_id', 'correlationId', 'correlation_id']

/** A line of pino as Fastify writes it. Each member may have any type, since other loggers use the same names. */
interface PinoLine {
  readonly level?: unknown
  readonly time?: unknown
  readonly pid?: unknown
  readonly hostname?: unknown
  readonly req?: {
    readonly method?: unknown
    readonly url?: unknown
    readonly host?: unknown
    readonly hostname?: unknown
    readonly headers?: { readonly host?: unknown } | null
  } | null
  readonly res?: { readonly statusCode?: unknown } | null
  readonly responseTime?: unknown
  readonly msg?: unknown
}

/**
 * The log of a Fastify app. Its lines `incoming request` and `request completed` are joined by the id of the request and by process, since
 * the ids of each process start at 1. A line with request, response and response time, as an app or pino-http writes it, is a request of
 * its own. All other lines of pino are lines without a request.
 */
export const PINO_FORMAT: LogFormat = { name: 'pino', title: 'log of Fastify by pino', open: openPino }

function openPino (): LogReader {
  const time = timeParser()
  const pending = new Map<string, Begun>()
  let characters = 0
  const take = (id: string): Begun | undefined => {
    const begun = pending.get(id)
    if (begun === undefined) return undefined
    pending.delete(id)
    characters -= begun.target.length
    return begun
  }
  return (line) => {
    const one = objectOf(line) as PinoLine | undefined
    if (one?.level === undefined || (typeof one.msg !== 'string' && one.req === undefined && one.res === undefined)) return undefined
    const at = time(one.time)
    if (Number.isNaN(at)) return undefined
    const reqId = idIn(one)
    const id = `${String(one.hostname)} ${String(one.pid)} ${String(reqId)}`
    const { req, res } = one
    const { statusCode } = res ?? {}
    if (typeof req?.method === 'string' && typeof req.url === 'string') {
      take(id)
      const { method, target, host } = requestOf(req.method, req.url, textOf(req.host ?? req.hostname ?? req.headers?.host))
      const begun = { method, target, host, time: at }
      // A line with status and response time is a whole request, as an app itself may write it. A line of Fastify about an error has a
      // status as well, but no response time.
      if (typeof statusCode === 'number' && typeof one.responseTime === 'number') return ended(begun, statusCode, one.responseTime)
      if (reqId === undefined) return null
      pending.set(id, begun)
      characters += begun.target.length
      // The requests that began first are dropped: most of them were aborted, so that their second log line never comes.
      for (const oldest of pending.keys()) {
        if (pending.size <= MAX_PENDING && characters <= MAX_CHARACTERS) break
        take(oldest)
      }
      return null
    }
    if (reqId === undefined || typeof statusCode !== 'number') return null
    const begun = take(id)
    return begun === undefined ? null : ended(begun, statusCode, one.responseTime)
  }
}

function idIn (line: PinoLine): unknown {
  for (const label of ID_LABELS) {
    const id = (line as Readonly<Record<string, unknown>>)[label]
    if (id !== undefined) return id
  }
  return undefined
}

function ended (begun: Begun, status: number, took: unknown): LogEntry {
  return entryOf(begun, { hasUser: false, time: begun.time, status, bytes: NaN, seconds: typeof took === 'number' && took >= 0 ? took / 1000 : NaN })
}
