import { OTHER } from '@x/cache-core/suite'
import { hashKey, HASHES, mix } from '../advisor/hash.js'
import type { LogEntry, LogFormat, LogReader } from './logs/log-entry.js'
import { routePattern } from './route-pattern.js'
import type { TraceStudy } from './trace-study.js'

const MAX_ROUTES = 100
/**
 * Milliseconds by which the time of a log line may be before the latest time in the log. Lines that are older come from another log or
 * another clock.
 */
const MAX_BEHIND = 60_000

/** The requests of an access log: GET and HEAD requests that were answered with success or 304. */
export class AccessLog {
  readonly kind = 'route'
  /** The number of requests in the log, with any method and status. */
  requests = 0
  notModified = 0
  #ofUsers = 0
  #behind = 0
  #first = Infinity
  #last = -Infinity
  #now = 0
  /** Whether at least one time in the log has a fraction of a second. */
  #isFine = false
  #cutQueries = 0
  /** Whether at least one counted request has a virtual host. */
  #hasHost = false
  /** The second of the last request. The next fields have the number of requests in that second so far, and in the second before it. */
  #second = NaN
  #inSecond = 0
  #perSecond = 0
  readonly #routes = new Set<string>()
  readonly study: TraceStudy
  readonly #format: LogFormat
  readonly #read: LogReader

  constructor (study: TraceStudy, format: LogFormat, read: LogReader = format.open()) {
    this.study = study
    this.#format = format
    this.#read = read
  }

  get form (): string { return this.#format.title }
  /** The end of the log in milliseconds. In a log with whole seconds it is the end of the second of the last line. */
  get end (): number { return this.#last + (this.#isFine ? 1 : 1000) }
  get seconds (): number { return this.requests === 0 ? 0 : (this.end - this.#first) / 1000 }
  get notes (): string[] {
    const notes = this.#isFine ? [] : ['The times of the log are whole seconds, so that a ttl of a few seconds is judged roughly.']
    const others = this.requests - this.study.requests
    if (others > 0) notes.push(`${others} requests are left out: neither GET nor HEAD, or answered with neither success nor 304.`)
    if (this.#ofUsers > 0) notes.push(`${this.#ofUsers} requests were of users who had logged in: what they got may be theirs alone.`)
    if (!this.#hasHost && this.study.requests > 0) notes.push('The log has no host: if several sites write it, equal paths of two sites count as one resource.')
    if (this.#cutQueries * 100 > this.study.requests) notes.push(`${this.#cutQueries} requests end with an empty query, as Squid cuts queries unless it has \`strip_query_terms off\`: different resources may count as one.`)
    if (this.#behind > 0) notes.push(`${this.#behind} lines are more than a minute older than the one before: is the log sorted by time?`)
    return notes
  }

  /** Adds the request of a log line; `false`: the line does not have the format of the log. */
  take (line: string): boolean {
    const entry = this.#read(line)
    if (entry === undefined) return false
    if (entry !== null) this.note(entry)
    return true
  }

  /** Adds a request of the log to the study. */
  note ({ host, hasUser, time, method, target, status, bytes, seconds }: LogEntry): void {
    this.#advance(time)
    this.requests++
    if (method !== 'GET' && method !== 'HEAD') return
    // A status that the log does not have is NaN, which is in no range.
    if (status !== 304 && !(status >= 200 && status <= 299)) return
    if (status === 304) this.notModified++
    if (hasUser) this.#ofUsers++
    if (host !== '') this.#hasHost = true
    if (target.endsWith('?')) this.#cutQueries++
    // The virtual host is part of the key of a request, since the same path of two hosts is two resources.
    const key = host + target
    // Size and load time of a response are known only if its body is complete, as for a GET with a status other than 206 and 304.
    const isWhole = method === 'GET' && status !== 304 && status !== 206
    this.study.note({
      name: this.#labelOf(`GET ${routePattern(target)}`),
      keyLength: key.length,
      hash: hashKey(key),
      now: this.#now,
      bytes: isWhole && bytes > 0 ? bytes : undefined,
      seconds: isWhole && seconds >= 0 ? seconds : undefined
    })
  }

  nameOf (route: string): string {
    return route
  }

  // Times may go back a little: a line is written when the response ends, but may contain the time at which the request began.
  #advance (time: number): void {
    if (time % 1000 !== 0) this.#isFine = true
    this.#first = Math.min(this.#first, time)
    this.#last = Math.max(this.#last, time)
    const now = this.#spread(time)
    if (time < this.#now - MAX_BEHIND) this.#behind++
    else if (now < this.#now) return
    this.#now = now
  }

  // A time in whole seconds would shorten each ttl by half a second on average. The requests of one second are therefore spread over that
  // second, at distances that assume as many requests as in the second before. The hash of a request's number moves its time by a random
  // share of one distance, which is the same in every run.
  #spread (time: number): number {
    if (this.#isFine) return time
    if (time !== this.#second) {
      this.#perSecond = this.#inSecond
      this.#inSecond = 0
      this.#second = time
    }
    const share = (this.#inSecond + mix(this.requests) / HASHES) / Math.max(this.#perSecond, this.#inSecond + 1)
    this.#inSecond++
    return time + Math.floor(share * 1000)
  }

  #labelOf (route: string): string {
    if (this.#routes.has(route)) return route
    if (this.#routes.size >= MAX_ROUTES) return OTHER
    this.#routes.add(route)
    return route
  }
}
