import { OTHER } from '@x/cache-core'
import { hashKey } from '../advisor/hash.js'
import { routePattern } from './route-pattern.js'
import type { TraceStudy } from './trace-study.js'

// host ident user [time] "request" status bytes …; a user may have blanks in it, and some logs begin with the virtual host.
const LINE = /^\S+ \S+ (.+?) \[(\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "([^"\\]*(?:\\.[^"\\]*)*)" (\d{3}) (\d+|-)(?: |$)/
const REQUEST = /^([A-Z]+) (\S+)(?: HTTP\/[\d.]+)?$/
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const MAX_ROUTES = 100
/** Milliseconds; what is further behind comes from another log, or another clock. */
const MAX_BEHIND = 60_000

/** Whether a line is one of the common or combined log format. */
export function isLogLine (line: string): boolean {
  return LINE.test(line)
}

/** An access log: what GET and HEAD were answered with success, or with 304. */
export class AccessLog {
  readonly kind = 'route'
  /** Of all methods and statuses. */
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
  readonly #study: TraceStudy

  constructor (study: TraceStudy) {
    this.#study = study
  }

  get form (): string { return 'access log' }
  /** Milliseconds; a second is over when the next begins. */
  get end (): number { return this.#last + 1000 }
  get seconds (): number { return this.requests === 0 ? 0 : (this.end - this.#first) / 1000 }
  get notes (): string[] {
    const notes = ['The times of a log are whole seconds, so that a ttl of a few seconds is judged roughly.']
    const others = this.requests - this.#study.requests
    if (others > 0) notes.push(`${others} requests are left out: neither GET nor HEAD, or answered with neither success nor 304.`)
    if (this.#ofUsers > 0) notes.push(`${this.#ofUsers} requests were of users who had logged in: what they got may be theirs alone.`)
    if (this.#behind > 0) notes.push(`${this.#behind} lines are more than a minute older than the one before: is the log sorted by time?`)
    return notes
  }

  /** Whether the line is one of a log. */
  take (line: string): boolean {
    const match = LINE.exec(line)
    if (match === null) return false
    const time = this.#timeOf(match[2]!)
    if (Number.isNaN(time)) return false
    this.#advance(time)
    this.requests++
    const [, method, target] = REQUEST.exec(match[3]!) ?? []
    const status = Number(match[4])
    if (method !== 'GET' && method !== 'HEAD') return true
    if (status !== 304 && (status < 200 || status > 299)) return true
    if (status === 304) this.notModified++
    if (!match[1]!.endsWith('-')) this.#ofUsers++
    const bytes = Number(match[5])
    this.#study.note({
      name: this.#labelOf(`GET ${routePattern(target!)}`),
      keyLength: target!.length,
      hash: hashKey(target!),
      now: this.#now,
      // Of whole bodies; `-` is NaN.
      bytes: method === 'GET' && status !== 304 && status !== 206 && bytes > 0 ? bytes : undefined
    })
    return true
  }

  nameOf (route: string): string {
    return route
  }

  // A log is written as answers end, and its times are those at which requests began: slightly out of order.
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
      this.#time = parseTime(text)
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

/** `10/Oct/2000:13:55:36 -0700` in milliseconds; NaN: there is no such time. */
function parseTime (text: string): number {
  const part = (from: number, length: number): number => Number(text.slice(from, from + length))
  const month = MONTHS.indexOf(text.slice(3, 6))
  const [day, hours, minutes, seconds] = [part(0, 2), part(12, 2), part(15, 2), part(18, 2)]
  // 60 is a leap second.
  if (month === -1 || day < 1 || day > 31 || hours > 23 || minutes > 59 || seconds > 60) return NaN
  const offset = (part(22, 2) * 60 + part(24, 2)) * (text[21] === '-' ? -60_000 : 60_000)
  return Date.UTC(part(7, 4), month, day, hours, minutes, seconds) - offset
}
