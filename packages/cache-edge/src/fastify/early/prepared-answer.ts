import type { FastifyReply } from 'fastify'
import type { OutgoingHttpHeader, OutgoingHttpHeaders } from 'node:http'
import { areEqual } from '../../lib/are-equal.js'
import type { Policy } from '../../rules/policy.js'
import type { StoredHead } from '../../store/stored-response.js'
import { HitTimes } from '../hit-times.js'
import type { EarlyRequest } from './early-request.js'

/** The response object of Node, over HTTP/1 or HTTP/2. */
type Raw = FastifyReply['raw']

type FieldValue = string | string[]

/** The approximate number of bytes that the objects of a prepared answer use, besides those of the stored head and the texts. */
const ANSWER_BYTES = 1000

/** The status and the header fields of a response, without `Age` and `Cache-Status`. */
export interface HeadFields { readonly status: number; readonly headers: Readonly<Record<string, FieldValue>> }

/** The heads of a prepared response: `full`, and `notModified` for the 304 in its place. */
interface Heads { readonly full: HeadFields; readonly notModified: HeadFields }

/** A response head (status and fields) that is ready to be sent, with `Age` and `Cache-Status`. */
class PreparedHead {
  readonly #status: number
  /** The names and values of the header fields in turn, as `writeHead` accepts them; the value of a field in several lines is an array. */
  readonly #list: FieldValue[]
  /** The index in `#list` of the value of `Age`; the name and the value of `Cache-Status` follow. */
  readonly #ageAt: number
  readonly #times = new HitTimes()

  constructor ({ status, headers }: HeadFields) {
    this.#status = status
    this.#list = Object.entries(headers).flatMap(([name, value]) => [name, value])
    this.#ageAt = this.#list.push('age', '', 'cache-status', '') - 3
  }

  /**
   * Writes the status and the fields to a response.
   * @param isPlain whether the method `writeHead` is that of Node over HTTP/1, so that it accepts the list and changes nothing in it
   * @param now milliseconds of the epoch
   */
  write (raw: Raw, isPlain: boolean, stored: StoredHead, now: number, hitWith: (ttl: number) => string): void {
    const list = this.#list
    if (this.#times.update(stored, now, hitWith)) {
      list[this.#ageAt] = this.#times.age
      list[this.#ageAt + 2] = this.#times.cacheStatus
    }
    if (isPlain) raw.writeHead(this.#status, list as OutgoingHttpHeader[])
    else raw.writeHead(this.#status, toObject(list))
  }
}

function toObject (list: readonly FieldValue[]): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {}
  for (let at = 0; at < list.length; at += 2) {
    const value = list[at + 1]
    headers[list[at] as string] = Array.isArray(value) ? [...value] : value
  }
  return headers
}

/** The number of characters in header fields. */
function lengthOf (headers: HeadFields['headers']): number {
  return Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + String(value).length, 0)
}

/** The requests that a prepared answer is for: those with this policy and these tags. */
interface Audience { readonly policy: Policy<never>; readonly tags: readonly string[] }

/** A stored response in the form in which it is sent early. The body shares the memory of the stored bytes, and is never changed. */
export class PreparedAnswer {
  readonly head: StoredHead
  /** The entity tag with which the prepared response is sent; `undefined`: none. */
  readonly etag: FieldValue | undefined
  /** The approximate size of the prepared form in the heap in bytes, without the body, which shares the memory of the stored bytes. */
  readonly bytes: number
  readonly #audience: Audience
  readonly #body: Buffer
  readonly #full: PreparedHead
  readonly #notModified: PreparedHead

  /**
   * Prepares a stored response.
   * @param headBytes the bytes of the stored form of `head`
   * @param body the body that is sent; empty for HEAD
   */
  constructor (audience: Audience, head: StoredHead, headBytes: number, body: Buffer, { full, notModified }: Heads) {
    this.head = head
    this.etag = full.headers.etag
    this.#audience = audience
    this.#body = body
    this.#full = new PreparedHead(full)
    this.#notModified = new PreparedHead(notModified)
    // The objects and texts that were parsed from the JSON of the head need three times its bytes, as in `KnownHead`. Both lists of fields
    // are made of the same texts.
    this.bytes = ANSWER_BYTES + 3 * headBytes + lengthOf(full.headers)
  }

  /**
   * Whether the answer is for the policy and the tags of this request, since the tags of a policy may change while a response is stored.
   */
  isFor ({ target: { place: { route: { policy } } }, tags }: EarlyRequest): boolean {
    return this.#audience.policy === policy && areEqual(this.#audience.tags, tags)
  }

  /**
   * Sends the response, or 304 without its body.
   * @param now milliseconds of the epoch
   */
  send ({ raw, response }: EarlyRequest, isNotModified: boolean, now: number, hitWith: (ttl: number) => string): void {
    const head = isNotModified ? this.#notModified : this.#full
    // In some versions of Node the response object of HTTP/2 does not accept a flat list of names and values, nor does a function that a
    // hook before `cacheEdge` has put in place of `writeHead`, as the package on-headers does.
    head.write(response, raw.httpVersionMajor < 2 && !Object.hasOwn(response, 'writeHead'), this.head, now, hitWith)
    if (isNotModified || this.#body.length === 0) response.end()
    else if (!Object.hasOwn(response, 'write') && !Object.hasOwn(response, 'end')) response.end(this.#body)
    // A function in place of `write` or `end` receives a text or a copy, as in the normal path, since it could change the stored bytes.
    else response.end(this.head.isText ? this.#body.toString() : Buffer.from(this.#body))
  }
}
