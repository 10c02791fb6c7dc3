import { decode, type StoredHead, type StoredResponse } from '../../store/stored-response.js'
import { setComputed, setTagged, type BodyTags } from '../body-tags.js'
import type { EdgeHeaders } from '../edge-headers.js'
import { setStoredFields } from '../serve.js'
import { dropBodyFields, setFromStore } from '../written-headers.js'
import type { EarlyRequest } from './early-request.js'
import { HeaderReply } from '../header-reply.js'
import { PreparedAnswer, type HeadFields } from './prepared-answer.js'
import type { PreparedAnswers } from './prepared-answers.js'
import { PreparedIndex } from './prepared-index.js'
import { sentType } from '../sent-type.js'

const NO_BODY = Buffer.alloc(0)
const NO_CONTENT = 204
/** The status 205, whose body Node sends over HTTP/1 but not over HTTP/2, so that it is never sent early. */
const RESET_CONTENT = 205

/** Prepares stored responses to be sent early. */
export class Preparer {
  readonly #headers: EdgeHeaders
  readonly #tags: BodyTags | undefined

  /**
   * Makes an object that prepares stored responses to be sent early.
   * @param tags computes the entity tags of bodies; `undefined`: the option `etag` is off
   */
  constructor (headers: EdgeHeaders, tags: BodyTags | undefined) {
    this.#headers = headers
    this.#tags = tags
  }

  /** The prepared form of stored bytes; `undefined`: they are no response that can be sent early. */
  of (stored: unknown, request: EarlyRequest, prepared: PreparedAnswers): PreparedAnswer | PreparedIndex | undefined {
    if (typeof stored !== 'object' || stored === null) return undefined
    const known = prepared.of(stored, request)
    if (known !== undefined) return known
    const decoded = decode(stored)
    if (decoded === undefined || ('response' in decoded && !isSendable(decoded.response))) return undefined
    const made = 'index' in decoded ? new PreparedIndex(decoded.index.vary) : this.#prepare(decoded.response, request, (stored as Uint8Array).byteLength)
    prepared.add(stored, made)
    return made
  }

  /** Prepares a response with the headers that it would get without `early`: the stored ones, and those of this plugin's onSend hooks. */
  #prepare ({ body, ...head }: StoredResponse, request: EarlyRequest, storedBytes: number): PreparedAnswer {
    const { target: { place: { route: { policy } } }, tags } = request
    const described = new HeaderReply()
    const reply = described.asReply
    setFromStore(reply, true)
    setStoredFields(reply, head, false)
    const type = sentType(head)
    if (type !== undefined) reply.header('content-type', type)
    const payload = head.isText ? body.toString() : body
    if (head.isTagOfBody === true) setTagged(reply, head.etag!, payload)
    // A response without a type and without a body has no payload, so it gets no ETag.
    if (type !== undefined || body.length > 0) this.#tags?.tag(request.asRequest, reply, payload)
    else if (head.isTagOfBody === true) setComputed(reply)
    this.#headers.describeStored(request.asRequest, reply, policy, { vary: head.vary, tags })
    // Fastify sends neither body nor type with a 204, which has no `Content-Length` (RFC 9110 §8.6).
    const hasContent = head.status !== NO_CONTENT
    if (!hasContent) reply.removeHeader('content-type')
    const full: HeadFields = { status: head.status, headers: { ...described.getHeaders(), ...hasContent && { 'content-length': String(body.length) } } }
    dropBodyFields(reply)
    return new PreparedAnswer({ policy, tags }, head, storedBytes - body.length, hasContent && request.method !== 'HEAD' ? body : NO_BODY, {
      full, notModified: { status: 304, headers: { ...described.getHeaders() } }
    })
  }
}

/** Whether the head of a stored response is known without hooks: hooks set no labels, and Fastify changes no type. */
function isSendable (head: StoredHead): boolean {
  return Object.keys(head.labels ?? {}).length === 0 && sentType(head) !== 'unclear' && head.status !== RESET_CONTENT
}
