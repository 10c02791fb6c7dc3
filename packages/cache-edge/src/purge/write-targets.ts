import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { targetOf } from '../fastify/target.js'
import { uriTags, type TargetUri } from '../store/cache-key.js'
import { Notices } from '../lib/notices.js'

const kTarget = Symbol('@x/cache-edge.target')
type WriteRequest = FastifyRequest & { [kTarget]?: TargetUri }

/** Invalidates the responses that an unsafe method has changed (RFC 9111 §4.4). */
export class WriteTargets {
  readonly #fastify: FastifyInstance
  readonly #notices = new Notices()

  constructor (fastify: FastifyInstance) {
    this.#fastify = fastify
  }

  /**
   * Notes the target of a write before its handler runs. Once the client or its proxy has left, Fastify may not know the
   * protocol, nor that the peer was trusted.
   */
  note (request: FastifyRequest): void {
    const target = this.#targetOf(request)
    if (target !== undefined) (request as WriteRequest)[kTarget] = target
  }

  /**
   * Invalidates the target of a write that succeeded, its `Location` and its `Content-Location`. Never rejects: the write is
   * done, and its answer must not say otherwise.
   */
  async invalidate (request: FastifyRequest, reply: FastifyReply): Promise<void> {
    // A hook may have made another URL of it since.
    const own = [(request as WriteRequest)[kTarget], this.#targetOf(request)].filter((target) => target !== undefined)
    const named = own.flatMap((target) => ['location', 'content-location'].flatMap((name) => {
      const url = sameOrigin(target, reply.getHeader(name))
      return url === undefined ? [] : [{ ...target, url }]
    }))
    const tags = new Set([...own, ...named].flatMap(uriTags))
    if (tags.size > 0) await this.#fastify.cache.tags.invalidate([...tags])
  }

  /** `undefined`: a function of the app's own, such as `trustProxy`, has thrown. */
  #targetOf (request: FastifyRequest): TargetUri | undefined {
    try {
      return targetOf(request)
    } catch (err) {
      const { url: route = '' } = request.routeOptions
      this.#notices.warnOnce(request.log, route, { route, err }, 'Cache: the target of a write cannot be told, and what is stored for it may stay until its lifetime ends; mend the function that threw, such as trustProxy')
      return undefined
    }
  }
}

/** The path and query of a reference to the same origin; `undefined` for another origin, and for what is no URL. */
function sameOrigin ({ scheme, host, url }: TargetUri, reference: unknown): string | undefined {
  if (typeof reference !== 'string' && !(reference instanceof URL)) return undefined
  // A host may be empty (HTTP/1.0), or hold what no URL may.
  const base = toUrl(`${scheme}://${host}`)
  if (base === undefined) return undefined
  const own = toUrl(url.startsWith('/') ? base.origin + url : url) ?? base
  const resolved = toUrl(String(reference), own.href)
  return resolved?.origin === base.origin ? resolved.pathname + resolved.search : undefined
}

function toUrl (text: string, base?: string): URL | undefined {
  return URL.canParse(text, base) ? new URL(text, base) : undefined
}
