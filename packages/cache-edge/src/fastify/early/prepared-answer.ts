import type { FastifyReply } from 'fastify'
import type { OutgoingHttpHeaders } from 'node:http'
import type { Policy } from '../../rules/policy.js'
import { ageOf } from '../../rules/stored-state.js'
import type { StoredHead } from '../../store/stored-response.js'

/** The response object of Node, over HTTP/1 or HTTP/2. */
type Raw = FastifyReply['raw']

/** One head of a stored response as a flat list of names and values, without `Age` and `Cache-Status`. */
export interface HeadFields { readonly status: number; readonly headers: Readonly<Record<string, string | string[]>> }

/** A head that is ready to be sent. `Age` and `Cache-Status` are written once per second. */
class PreparedHead {
  readonly #status: number
  readonly #list: string[] = []
  /** The index of the value of `Age`, which is followed by `Cache-Status`. */
  readonly #ageAt: number
  #age = -1
  #ttl = NaN

  constructor ({ status, headers }: HeadFields) {
    this.#status = status
    for (const [name, value] of Object.entries(headers)) {
      for (const line of Array.isArray(value) ? value : [value]) this.#list.push(name, line)
    }
    this.#ageAt = this.#list.push('age', '', 'cache-status', '') - 3
  }

  write (raw: Raw, isHttp2: boolean, age: number, ttl: number, hitWith: (ttl: number) => string): void {
    const list = this.#list
    if (age !== this.#age || ttl !== this.#ttl) {
      this.#age = age
      this.#ttl = ttl
      list[this.#ageAt] = String(age)
      list[this.#ageAt + 2] = hitWith(ttl)
    }
    // The response object of HTTP/2 takes no flat list in every version of Node.
    if (isHttp2) raw.writeHead(this.#status, toObject(list))
    else raw.writeHead(this.#status, list)
  }
}

function toObject (list: readonly string[]): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = {}
  for (let at = 0; at < list.length; at += 2) {
    const [name, value] = [list[at]!, list[at + 1]!]
    const before = headers[name]
    headers[name] = before === undefined ? value : [before, value].flat()
  }
  return headers
}

/** A stored response in the form in which it is sent early. The body shares the memory of the stored bytes, and is never changed. */
export class PreparedAnswer {
  readonly policy: Policy<never>
  readonly head: StoredHead
  readonly #body: Buffer
  readonly #full: PreparedHead
  readonly #notModified: PreparedHead

  constructor (policy: Policy<never>, head: StoredHead, body: Buffer, full: HeadFields, notModified: HeadFields) {
    this.policy = policy
    this.head = head
    this.#body = body
    this.#full = new PreparedHead({ status: full.status, headers: hasLength(full.status) ? { ...full.headers, 'content-length': String(body.length) } : full.headers })
    this.#notModified = new PreparedHead(notModified)
  }

  /**
   * Sends the response, or 304 without its body.
   * @param now milliseconds of the epoch
   */
  send (raw: Raw, isHttp2: boolean, isNotModified: boolean, now: number, hitWith: (ttl: number) => string): void {
    const age = ageOf(this.head, now)
    const head = isNotModified ? this.#notModified : this.#full
    head.write(raw, isHttp2, Math.floor(age), Math.floor(this.head.freshness.lifetime - age), hitWith)
    if (isNotModified || this.#body.length === 0) raw.end()
    else raw.end(this.#body)
  }
}

/** Whether a response with this status has a `Content-Length` (RFC 9110 §8.6). */
function hasLength (status: number): boolean {
  return status !== 204
}
