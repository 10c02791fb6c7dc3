import { objectOf, textOf } from './json-formats.js'
import { entryOf, requestOf, type LogEntry, type LogFormat, type LogReader } from './log-entry.js'
import { timeParser } from './log-times.js'

/** The limits for requests whose second log line has not come: the maximum number of requests, and of characters of their targets. */
const MAX_PENDING = 10_000
const MAX_CHARACTERS = 4 * 1024 * 1024

type Begun = Pick<LogEntry, 'method' | 'target' | 'host' | 'time'>

/** A line of pino as Fastify writes it. Each member may have any type, since other loggers use the same names. */
interface PinoLine {
  readonly level?: unknown
  readonly time?: unknown
  readonly pid?: unknown
  readonly hostname?: unknown
  readonly reqId?: unknown
  readonly req?: { readonly method?: unknown, readonly url?: unknown, readonly host?: unknown, readonly hostname?: unknown } | null
  readonly res?: { readonly statusCode?: unknown } | null
  readonly responseTime?: unknown
  readonly msg?: unknown
}

/**
 * The log of a Fastify app. Its lines `incoming request` and `request completed` are joined by `reqId` and by process, since each process
 * counts from 1. All other lines of pino are lines without a request.
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
    const id = `${String(one.hostname)} ${String(one.pid)} ${String(one.reqId)}`
    if (one.reqId === undefined) return null
    const { req, res } = one
    if (typeof req?.method === 'string' && typeof req.url === 'string') {
      take(id)
      const { method, target, host } = requestOf(req.method, req.url, textOf(req.host ?? req.hostname))
      const begun = { method, target, host, time: at }
      pending.set(id, begun)
      characters += begun.target.length
      // The requests that began first are dropped: most of them were aborted, so that their second log line never comes.
      for (const oldest of pending.keys()) {
        if (pending.size <= MAX_PENDING && characters <= MAX_CHARACTERS) break
        take(oldest)
      }
      return null
    }
    if (typeof res?.statusCode !== 'number') return null
    const begun = take(id)
    if (begun === undefined) return null
    const took = one.responseTime
    return entryOf(begun, { hasUser: false, time: begun.time, status: res.statusCode, bytes: NaN, seconds: typeof took === 'number' && took >= 0 ? took / 1000 : NaN })
  }
}
