import { joinLines, mergeVary } from '@x/cache-core/suite'
import type { FastifyReply } from 'fastify'
import { setComputed, setTagged } from './body-tags.js'
import { appendCacheStatus, cacheStatus, type CacheStatus } from '../rules/cache-status.js'
import { DROPPED_FROM_304 } from '../rules/conditional.js'
import { serializerOf } from './patches.js'
import type { EdgeHeaders } from './edge-headers.js'
import { setFromStore } from './written-headers.js'
import { mayChangeBody } from './hook-order.js'
import { ageOf } from '../rules/stored-state.js'
import type { StoredHead } from '../store/stored-response.js'
import { timeOf, type Servable } from '../store/variants.js'

/**
 * A stand-in `Content-Type` for a stored response that has none: without a type, Fastify would set one itself. The stand-in is removed
 * before hooks of the route run.
 */
const STAND_IN = 'application/octet-stream'
const kUntyped = Symbol('@x/cache-edge.untyped')
type Untyped = FastifyReply & { [kUntyped]?: boolean }
const kStatus = Symbol('@x/cache-edge.status')

/** The reply to a request, with properties for the member of this cache in `Cache-Status`. */
type Told = FastifyReply & {
  [kStatus]?: { readonly status: CacheStatus; written: string; readonly unstored: (() => string | undefined) | undefined }
}

/** Sends stored responses, and writes the member of this cache in `Cache-Status`. */
export class StoredResponses {
  readonly #name: string
  readonly #headers: EdgeHeaders
  readonly #hit: string

  /**
   * Prepares the member of this cache in `Cache-Status` for a hit.
   * @param name the name of this cache in `Cache-Status`
   */
  constructor (name: string, headers: EdgeHeaders) {
    this.#name = name
    this.#headers = headers
    this.#hit = cacheStatus(name, { hit: true })
  }

  /** Sends a stored response, or a 304 if the client already has that response. */
  serve (reply: FastifyReply, answer: Servable, status?: CacheStatus): void {
    const response = answer.head
    const age = ageOf(response, timeOf(answer))
    // A response that was validated but not stored counts as the handler's own response, since its cookies are for this client.
    setFromStore(reply, status?.hit === true || status?.stored !== false)
    // The result of the preconditions is determined before headers are written, so that fields that a 304 omits are not set. A computed
    // ETag counts only if no hook may change the body.
    const isNotModified = response.status === 200 && this.#headers.hasTag(reply.request, response.etag) &&
      (response.isTagOfBody !== true || !mayChangeBody(reply.request))
    setStoredFields(reply, response, isNotModified)
    reply.header('age', String(Math.floor(age)))
    const ttl = Math.floor(response.freshness.lifetime - age)
    if (status === undefined) reply.header('cache-status', this.hitWith(ttl))
    else this.setStatus(reply, { ...status, ttl })
    if (isNotModified && response.isTagOfBody === true) setComputed(reply)
    const hasType = response.headers['content-type'] !== undefined
    if (isNotModified || (!hasType && answer.body().length === 0)) {
      reply.send()
      return
    }
    // A stored response without a type gets a stand-in, since Fastify would set a type itself.
    if (!hasType) {
      reply.header('content-type', STAND_IN)
      ;(reply as Untyped)[kUntyped] = true
    }
    // Hooks receive a string if the handler sent a string. A string is not sent while a serializer is set, which would change the body
    // again.
    const body = response.isText && serializerOf(reply) === null ? answer.text() : answer.body()
    if (response.isTagOfBody === true) setTagged(reply, response.etag!, body)
    reply.send(body)
  }

  /**
   * The member of this cache in `Cache-Status` for a fresh hit.
   * @param ttl seconds
   */
  hitWith (ttl: number): string {
    return `${this.#hit}; ttl=${ttl}`
  }

  /**
   * Sets the member of this cache in `Cache-Status`.
   * @param unstored called after all hooks for the reason why the response will not be stored
   */
  setStatus (reply: FastifyReply, status: CacheStatus, unstored?: () => string | undefined): void {
    const written = cacheStatus(this.#name, status)
    ;(reply as Told)[kStatus] = { status, written, unstored }
    reply.header('cache-status', written)
  }

  /** Removes the stand-in type of a stored response without a type, before hooks of the route see it. */
  dropStandIn (reply: FastifyReply): void {
    if ((reply as Untyped)[kUntyped] !== true) return
    ;(reply as Untyped)[kUntyped] = false
    if (reply.getHeader('content-type') === STAND_IN) reply.removeHeader('content-type')
  }

  /** Appends the member of this cache to the `Cache-Status` of the handler (RFC 9211 §2), after all hooks. */
  complete (reply: FastifyReply): void {
    this.dropStandIn(reply)
    const told = (reply as Told)[kStatus]
    if (told === undefined) return
    const { status, written } = told
    const detail = told.unstored?.()
    const own = detail === undefined ? written : cacheStatus(this.#name, { detail, ...status })
    const field = joinLines(reply.getHeader('cache-status'))
    if (field?.endsWith(written) !== true) reply.header('cache-status', appendCacheStatus(field, own))
    else if (own !== written) reply.header('cache-status', field.slice(0, -written.length) + own)
    told.written = own
  }
}

/** Sets status and fields of a stored response, or of the 304 in its place. */
export function setStoredFields (reply: FastifyReply, response: StoredHead, isNotModified: boolean): void {
  reply.code(isNotModified ? 304 : response.status)
  for (const name in response.headers) {
    if (isNotModified && DROPPED_FROM_304.has(name)) continue
    const value = response.headers[name]
    if (name === 'vary') reply.header('vary', mergeVary(joinLines(reply.getHeader('vary')), [String(value)]))
    else reply.header(name, value)
  }
  if (response.etag !== undefined) reply.header('etag', response.etag)
  if (!isNotModified && response.status === 200 && response.headers['accept-ranges'] === undefined) reply.header('accept-ranges', 'bytes')
}
