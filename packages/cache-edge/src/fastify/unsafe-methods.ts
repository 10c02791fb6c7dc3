import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Notices } from '../lib/notices.js'
import { tagsOfWrite } from '../purge/write-targets.js'
import { anyGroupTag, groupTag, type TargetUri } from '../store/cache-key.js'
import { MAX_TAGS } from '../policy-options.js'
import { groupsIn } from '../rules/cache-groups.js'
import { targetOf } from './target.js'

const kTarget = Symbol('@x/cache-edge.target')
type WriteRequest = FastifyRequest & { [kTarget]?: TargetUri }

/** Invalidates the stored responses that an unsafe method has changed (RFC 9111 §4.4). */
export class Writes {
  /** Whether the app has stored responses that may answer several URLs of one path (`No-Vary-Search`). */
  hasPathTags = false
  readonly #fastify: FastifyInstance
  readonly #notices = new Notices()

  constructor (fastify: FastifyInstance) {
    this.#fastify = fastify
  }

  /**
   * Records the target URI of a write (a request with an unsafe method) before its handler runs. After the client has disconnected, Fastify
   * may not know any more the protocol, or that the peer was trusted.
   */
  note (request: FastifyRequest): void {
    const target = this.#targetOf(request)
    if (target !== undefined) (request as WriteRequest)[kTarget] = target
  }

  /**
   * Invalidates the stored responses of the target URIs of a write that succeeded. Never rejects: the write has succeeded, so its response
   * must not report a failure.
   */
  async invalidate (request: FastifyRequest, reply: FastifyReply): Promise<void> {
    // The target is determined again after the handler, since a hook may have rewritten the URL.
    const own = [(request as WriteRequest)[kTarget], this.#targetOf(request)].filter((target) => target !== undefined)
    const tags = tagsOfWrite(own, { location: reply.getHeader('location'), contentLocation: reply.getHeader('content-location') }, this.hasPathTags)
    if (tags.size > 0) await this.#fastify.cache.tags.invalidate([...tags])
    await this.#invalidateGroups(own, groupsIn(reply.getHeader('cache-group-invalidation')))
  }

  /** Invalidates the stored responses of the request's origin that belong to these cache groups (RFC 9875 §3). */
  async #invalidateGroups (own: readonly TargetUri[], groups: readonly string[]): Promise<void> {
    if (groups.length === 0 || own.length === 0) return
    const { tags } = this.#fastify.cache
    // The tag of all groups is invalidated before those of the named groups; see `anyGroupTag` for the reason.
    await tags.invalidate([...new Set(own.map(anyGroupTag))])
    const all = [...new Set(own.flatMap((target) => groups.map((group) => groupTag(target, group))))]
    for (let at = 0; at < all.length; at += MAX_TAGS) await tags.invalidate(all.slice(at, at + MAX_TAGS))
  }

  /**
   * The target URI of a write request; `undefined`: a function of the app, such as `trustProxy`, has thrown, or a validator of
   * `schema.headers` has removed the pseudo-headers of HTTP/2, and with them the URL.
   */
  #targetOf (request: FastifyRequest): TargetUri | undefined {
    if (request.raw.url === undefined) return undefined
    try {
      return targetOf(request)
    } catch (err) {
      const { url: route = '' } = request.routeOptions
      this.#notices.warnOnce(request.log, route, { route, err }, 'Cache: the target of a write cannot be told, and what is stored for it may stay until its lifetime ends; mend the function that threw, such as trustProxy')
      return undefined
    }
  }
}
