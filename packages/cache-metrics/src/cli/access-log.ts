import { OTHER } from '@x/cache-core/suite'
import { hashKey } from '../advisor/hash.js'
import { LOG_FORMATS, type LogFormat } from './log-formats.js'
import { routePattern } from './route-pattern.js'
import type { TraceStudy } from './trace-study.js'

const REQUEST = /^([A-Z]+) (\S+)(?: HTTP\/[\d.]+)?$/
const MAX_ROUTES = 100
/**
 * Milliseconds by which the time of a log line may be before the latest time in the log; older lines come from another log or another
 * clock.
 */
const MAX_BEHIND = 60_000

/** The requests of an access log: GET and HEAD requests that were answered with success or 304. */
export class AccessLog {
  readonly kind = 'route'
  /** The number of requests in the log, of all methods and statuses. */
  requests = 0
  notModified = 0
  #ofUsers = 0
  #behind = 0
  #first = Infinity
  #last = -Infinity
  #now = 0
  #timeText = ''
  #time = 0
  readonly #routes = new Set<string>()
  readonly study: TraceStudy
  readonly #format: LogFormat

  constructor (study: TraceStudy, format: LogFormat = LOG_FORMATS[0]!) {
    this.study = study
    this.#format = format
  }

  get form (): string { return this.#format.title }
  /** The end of the log in milliseconds: the end of the second of its last line, since log times are whole seconds. */
  get end (): number { return this.#last + 1000 }
  get seconds (): number { return this.requests === 0 ? 0 : (this.end - this.#first) / 1000 }
  get notes (): string[] {
    const notes = ['The times of a log are whole seconds, so that a ttl of a few seconds is judged roughly.']
    const others = this.requests - this.study.requests
    if (others > 0) notes.push(`${others} requests are left out: neither GET nor HEAD, or answered with neither success nor 304.`)
    if (this.#ofUsers > 0) notes.push(`${this.#ofUsers} requests were of users who had logged in: what they got may be theirs alone.`)
    if (this.#behind > 0) notes.push(`${this.#behind} lines are more than a minute older than the one before: is the log sorted by time?`)
    return notes
  }

  /** Adds the request of a log line; `false`: the line does not have the format of the log. */
  take (line: string): boolean {
    const entry = this.#format.read(line)
    if (entry === undefined) return false
    const time = this.#timeOf(entry.time)
    if (Number.isNaN(time)) return false
    this.#advance(time)
    this.requests++
    const [, method, target] = REQUEST.exec(entry.request) ?? []
    const { status, bytes, host } = entry
    if (method !== 'GET' && method !== 'HEAD') return true
    if (status !== 304 && (status < 200 || status > 299)) return true
    if (status === 304) this.notModified++
    if (entry.hasUser) this.#ofUsers++
    // The key of a request includes the virtual host, since the same path of two hosts is two resources.
    const key = host + target!
    this.study.note({
      name: this.#labelOf(`GET ${routePattern(target!)}`),
      keyLength: key.length,
      hash: hashKey(key),
      now: this.#now,
      // The size of a response is known only from a complete body: a GET with a status other than 206 and 304.
      bytes: method === 'GET' && status !== 304 && status !== 206 && bytes > 0 ? bytes : undefined
    })
    return true
  }

  nameOf (route: string): string {
    return route
  }

  // Lines are written when responses end, but have the times at which requests began, so lines are slightly out of order.
  #advance (time: number): void {
    this.#first = Math.min(this.#first, time)
    this.#last = Math.max(this.#last, time)
    if (time < this.#now - MAX_BEHIND) this.#behind++
    else if (time < this.#now) return
    this.#now = time
  }

  #timeOf (text: string): number {
    if (text !== this.#timeText) {
      this.#timeText = text
      this.#time = this.#format.parseTime(text)
    }
    return this.#time
  }

  #labelOf (route: string): string {
    if (this.#routes.has(route)) return route
    if (this.#routes.size >= MAX_ROUTES) return OTHER
    this.#routes.add(route)
    return route
  }
}
