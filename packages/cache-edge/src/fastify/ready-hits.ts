import type { FastifyReply, FastifyRequest } from 'fastify'
import { areEqual } from '../lib/are-equal.js'
import { DROPPED_FROM_304, isConditional } from '../rules/conditional.js'
import type { Policy } from '../rules/policy.js'
import type { StoredHead } from '../store/stored-response.js'
import type { Servable } from '../store/variants.js'
import { setComputed } from './body-tags.js'
import type { EdgeHeaders } from './edge-headers.js'
import { OF_RESPONSE } from './failed-response.js'
import { HeaderReply } from './header-reply.js'
import { HitTimes } from './hit-times.js'
import { mayChangeBody } from './hook-order.js'
import { fieldsOf, serializerOf } from './patches.js'
import { sentType } from './sent-type.js'
import { setStoredFields } from './serve.js'
import { setFromStore } from './written-headers.js'

type FieldValue = string | string[]
type Fields = Record<string, FieldValue>

const kLast = Symbol('@x/cache-edge.last-fields')
type ReadyReply = FastifyReply & { [kLast]?: readonly (readonly [string, FieldValue])[] | undefined }

/**
 * Header fields that rule out a prepared hit if a hook has set one of them on the reply: they affect which other fields are written, or
 * their values are joined with others.
 */
const DECIDING = new Set([...OF_RESPONSE, ...DROPPED_FROM_304, 'vary', 'set-cookie', 'cache-control', 'cache-status'])

/** The header fields of a stored response with one status, with `Age` and `Cache-Status`. */
class TimedFields {
  readonly #fields: Fields
  readonly #times = new HitTimes()

  constructor (fields: Readonly<Fields>) {
    this.#fields = { ...fields, age: '', 'cache-status': '' }
  }

  /**
   * Returns the header fields, with `Age` and `Cache-Status` for the given time.
   * @param now milliseconds of the epoch
   */
  at (head: StoredHead, now: number, hitWith: (ttl: number) => string): Readonly<Fields> {
    if (this.#times.update(head, now, hitWith)) {
      this.#fields.age = this.#times.age
      this.#fields['cache-status'] = this.#times.cacheStatus
    }
    return this.#fields
  }
}

/** The header fields with which one stored response is sent as a hit, to requests with this policy and these tags of the policy. */
interface ReadyHit {
  readonly policy: Policy<FastifyRequest>
  readonly tags: readonly string[]
  readonly full: TimedFields
  readonly notModified: TimedFields
  /** The header fields that the last onSend hook writes; `undefined`: that hook removes fields, so that hits are not prepared. */
  readonly last: readonly (readonly [string, FieldValue])[] | undefined
  /** Whether Fastify sends the same `Content-Type` with the body as text and with the body as bytes, so that either form may be sent. */
  readonly isTypeKept: boolean
}

/**
 * Hits whose header fields are prepared at the first hit on a stored response (prepared hits), as the normal path writes them. A prepared
 * hit is used only if no hook of the app has set a field that affects these fields, and no hook may change the body.
 */
export class ReadyHits {
  readonly #headers: EdgeHeaders
  readonly #addsTags: boolean
  readonly #hitWith: (ttl: number) => string
  readonly #ready = new WeakMap<StoredHead, ReadyHit>()

  /**
   * Makes the table of an app's prepared hits.
   * @param addsTags whether a response without an entity tag gets one that is computed from its body
   * @param hitWith the member of this cache in `Cache-Status` for a hit
   */
  constructor (headers: EdgeHeaders, addsTags: boolean, hitWith: (ttl: number) => string) {
    this.#headers = headers
    this.#addsTags = addsTags
    this.#hitWith = hitWith
  }

  /**
   * Sends a prepared hit, or its 304. `false`: nothing was changed, so the header fields of this hit must be written one by one.
   * @param now milliseconds of the epoch
   */
  serve (reply: FastifyReply, answer: Servable, now: number, policy: Policy<FastifyRequest>, tags: readonly string[]): boolean {
    const { head } = answer
    const { request } = reply
    const { headers } = request.raw
    const isNotModified = head.status === 200 && this.#headers.hasTag(request, head.etag)
    // A range must be cut from the body in the last onSend hook, which only the normal path does.
    if (headers.range !== undefined && !isNotModified) return false
    if ((!isNotModified && isConditional(headers)) || mayChangeBody(request) || serializerOf(reply) !== null) return false
    const fields = fieldsOf(reply)
    if (fields === undefined || hasDeciding(fields, reply)) return false
    const hit = this.#of(request, head, policy, tags)
    if (hit?.last === undefined) return false
    const own = (isNotModified ? hit.notModified : hit.full).at(head, now, this.#hitWith)
    reply.code(isNotModified ? 304 : head.status)
    // The header fields are not copied by a spread: V8 needs more than a microsecond for each field that is added to such a copy.
    Object.assign(fields, own)
    ;(reply as ReadyReply)[kLast] = hit.last
    if (isNotModified) reply.send()
    else reply.send(bodyFor(reply, answer, hit))
    return true
  }

  #of (request: FastifyRequest, head: StoredHead, policy: Policy<FastifyRequest>, tags: readonly string[]): ReadyHit | undefined {
    const known = this.#ready.get(head)
    if (known !== undefined && known.policy === policy && areEqual(known.tags, tags)) return known
    // A response without a type or a body is not prepared, nor is one whose entity tag is computed from its body at each hit; the normal
    // path sends both.
    if (head.headers['content-type'] === undefined || (head.etag === undefined && this.#addsTags)) return undefined
    const hit = this.#prepare(request, head, policy, tags)
    this.#ready.set(head, hit)
    return hit
  }

  /** Prepares the header fields of hits as the normal path writes them: those before the app's hooks, and those of the last onSend hook. */
  #prepare (request: FastifyRequest, head: StoredHead, policy: Policy<FastifyRequest>, tags: readonly string[]): ReadyHit {
    const described = new HeaderReply()
    const reply = described.asReply
    setFromStore(reply, true)
    setStoredFields(reply, head, false)
    const served = { ...described.getHeaders() }
    if (head.isTagOfBody === true) setComputed(reply)
    this.#headers.describeStored(request, reply, policy, { vary: [], tags })
    const finished = described.getHeaders()
    const isRemoving = Object.keys(served).some((name) => finished[name] === undefined)
    return {
      policy,
      tags,
      full: new TimedFields(served),
      notModified: new TimedFields(Object.fromEntries(Object.entries(served).filter(([name]) => !DROPPED_FROM_304.has(name)))),
      last: isRemoving ? undefined : Object.entries(finished).filter(([name, value]) => served[name] !== value),
      // Fastify adds a `charset` to the type of a JSON body only if it gets the body as text, so such a body is not sent as bytes.
      isTypeKept: !head.isText || sentType(head) === head.headers['content-type']
    }
  }
}

/**
 * The body of a prepared hit in the form that costs least to send, since no hook of the app receives it. A function of the app in place of
 * `send`, `write` or `end` receives a text or a copy, as an onSend hook does.
 */
function bodyFor (reply: FastifyReply, answer: Servable, { isTypeKept }: ReadyHit): string | Buffer {
  const { raw } = reply
  if (isTypeKept && !Object.hasOwn(reply, 'send') && !Object.hasOwn(raw, 'write') && !Object.hasOwn(raw, 'end')) return answer.sendable()
  return answer.head.isText ? answer.text() : answer.body()
}

/** Whether the header fields of a reply are those of a prepared hit, except the fields of the last onSend hook. */
export function isReady (reply: FastifyReply): boolean {
  return (reply as ReadyReply)[kLast] !== undefined
}

/** Writes the header fields of a prepared hit that the last onSend hook writes. */
export function finishReady (reply: FastifyReply): void {
  for (const [name, value] of (reply as ReadyReply)[kLast]!) reply.header(name, value)
}

/** Records that an error is sent in place of a prepared hit, whose fields are then not finished. */
export function forgetReady (reply: FastifyReply): void {
  (reply as ReadyReply)[kLast] = undefined
}

/** Whether a hook has set a header field that affects other fields, or has set any field by `reply.raw`. */
function hasDeciding (fields: object, { raw }: FastifyReply): boolean {
  for (const name in fields) if (DECIDING.has(name)) return true
  return raw.getHeaderNames().length > 0
}
