import { ETAG_DEFAULTS } from '../options.js'
import etagPlugin, { type FastifyEtagOptions } from '@fastify/etag'
import type { FastifyInstance, FastifyReply, FastifyRequest, onSendHookHandler } from 'fastify'
import type { Tagged } from '../exchange/recorded-response.js'

const kTagged = Symbol('@x/cache-edge.tagged')
const kComputed = Symbol('@x/cache-edge.computed')
type ComputedReply = FastifyReply & { [kComputed]?: boolean }
type TaggedReply = FastifyReply & { [kTagged]?: Tagged | undefined }

/** The computed tag of a response; `undefined`: it has none, or one of the app's own. */
export function taggedOf (reply: FastifyReply): Tagged | undefined {
  return (reply as TaggedReply)[kTagged]
}

/** Notes that the tag of a 304 was computed of the body that it leaves out. */
export function setComputed (reply: FastifyReply): void {
  (reply as ComputedReply)[kComputed] = true
}

/** Whether the tag of a response was computed here, of its body or of the one that a 304 leaves out. */
export function hasComputedTag (reply: FastifyReply): boolean {
  return (reply as ComputedReply)[kComputed] === true || taggedOf(reply) !== undefined
}

/** Sets the tag that was computed of this body before. */
export function setTagged (reply: FastifyReply, etag: string, body: string | Uint8Array): void {
  (reply as TaggedReply)[kTagged] = { etag, body, coding: reply.getHeader('content-encoding') }
  reply.header('etag', etag)
}

/**
 * Entity tags of `@fastify/etag`, each of the body that is sent. onSend hooks may change a body, so a tag is compared with the
 * body that comes out of them; a tag of the app's own is never touched.
 */
export class BodyTags {
  readonly #addTag: onSendHookHandler

  private constructor (addTag: onSendHookHandler) {
    this.#addTag = addTag
  }

  /** @throws the errors of `@fastify/etag` for its options */
  static async create (options: FastifyEtagOptions): Promise<BodyTags> {
    const hooks: onSendHookHandler[] = []
    // `@fastify/etag` receives a stand-in for the app: as a plugin it would add its hook in front of those that change the body.
    const target = { addHook: (_name: string, hook: onSendHookHandler) => hooks.push(hook) } as unknown as FastifyInstance
    await etagPlugin(target, { weak: ETAG_DEFAULTS.weak, ...options, replyWith304: false })
    return new BodyTags(hooks[0]!)
  }

  /** Tags this body, and removes a computed tag of another one. A stream has no tag. */
  tag (request: FastifyRequest, reply: FastifyReply, body: unknown): void {
    const known = taggedOf(reply)
    // A 304 has no body to tag, and no tag of another body.
    if (known === undefined && (body === undefined || body === null)) return
    const current = reply.getHeader('etag')
    if (known !== undefined) {
      // A hook has removed or replaced the tag.
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
   * The same behind the hooks of the route. A body that has got a `Content-Encoding` is taken for the tagged one in that
   * coding, so the tag stays and becomes weak (RFC 9110 §8.8.3.3). So does that of a HEAD, whose body Fastify takes away.
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
