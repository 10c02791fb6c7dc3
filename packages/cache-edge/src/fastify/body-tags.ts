import { ETAG_DEFAULTS } from '../options.js'
import etagPlugin, { type FastifyEtagOptions } from '@fastify/etag'
import type { FastifyInstance, FastifyReply, FastifyRequest, onSendHookHandler } from 'fastify'
import type { Tagged } from '../exchange/recorded-response.js'

const kTagged = Symbol('@x/cache-edge.tagged')
const kComputed = Symbol('@x/cache-edge.computed')
type ComputedReply = FastifyReply & { [kComputed]?: boolean }
type TaggedReply = FastifyReply & { [kTagged]?: Tagged | undefined }

/** The computed ETag of a response; `undefined`: the response has no ETag, or one that the app set. */
export function taggedOf (reply: FastifyReply): Tagged | undefined {
  return (reply as TaggedReply)[kTagged]
}

/** Records that the ETag of a 304 was computed from the body that the 304 omits. */
export function setComputed (reply: FastifyReply): void {
  (reply as ComputedReply)[kComputed] = true
}

/** Whether this plugin computed the ETag of a response, from the body or from the body that a 304 omits. */
export function hasComputedTag (reply: FastifyReply): boolean {
  return (reply as ComputedReply)[kComputed] === true || taggedOf(reply) !== undefined
}

/** Sets an ETag that was computed earlier from this body. */
export function setTagged (reply: FastifyReply, etag: string, body: string | Uint8Array): void {
  (reply as TaggedReply)[kTagged] = { etag, body, coding: reply.getHeader('content-encoding') }
  reply.header('etag', etag)
}

/**
 * Entity tags of `@fastify/etag`, each computed from the body that is sent. onSend hooks may change a body, so the ETag is checked against
 * the body after the hooks. An ETag that the app set is never changed.
 */
export class BodyTags {
  readonly #addTag: onSendHookHandler

  private constructor (addTag: onSendHookHandler) {
    this.#addTag = addTag
  }

  /**
   * Obtains the hook of `@fastify/etag` that computes ETags.
   * @throws the errors of `@fastify/etag` for its options
   */
  static async create (options: FastifyEtagOptions): Promise<BodyTags> {
    const hooks: onSendHookHandler[] = []
    // `@fastify/etag` receives a stand-in for the app: as a plugin of the app it would add its hook before the hooks that change the body.
    const target = { addHook: (_name: string, hook: onSendHookHandler) => hooks.push(hook) } as unknown as FastifyInstance
    await etagPlugin(target, { weak: ETAG_DEFAULTS.weak, ...options, replyWith304: false })
    return new BodyTags(hooks[0]!)
  }

  /** Sets the ETag of this body, and removes an ETag that was computed of another body. A stream gets no ETag. */
  tag (request: FastifyRequest, reply: FastifyReply, body: unknown): void {
    const known = taggedOf(reply)
    // A response without a body, such as a 304, gets no ETag. If it has a computed ETag, that ETag is checked.
    if (known === undefined && (body === undefined || body === null)) return
    const current = reply.getHeader('etag')
    if (known !== undefined) {
      // If a hook has removed or replaced the ETag, the response is left unchanged.
      if (current !== known.etag) return
      if (known.body === body) return
      reply.removeHeader('etag')
      ;(reply as TaggedReply)[kTagged] = undefined
    } else if (current !== undefined) {
      return
    }
    if (typeof body !== 'string' && !(body instanceof Uint8Array)) return
    this.#addTag.call(request.server, request, reply, body, () => {})
    setTagged(reply, String(reply.getHeader('etag')), body)
  }

  /**
   * Computes the ETag again if a hook of the route has changed the body since the last call. If the hook encoded the body
   * (`Content-Encoding`), the ETag remains and becomes weak (RFC 9110 §8.8.3.3). The ETag of a HEAD response whose body Fastify removed
   * remains, too.
   */
  settle (request: FastifyRequest, reply: FastifyReply, body: unknown): void {
    const known = taggedOf(reply)
    if (known === undefined || known.body === body) return this.tag(request, reply, body)
    if (body === null && request.method === 'HEAD') return
    const coding = reply.getHeader('content-encoding')
    if (coding === undefined || coding === known.coding) return this.tag(request, reply, body)
    if (reply.getHeader('etag') === known.etag && !known.etag.startsWith('W/')) reply.header('etag', `W/${known.etag}`)
  }
}
