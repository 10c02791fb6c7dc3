import { toEntityTag } from '@x/cache-core/suite'
import type { FastifyRequest, RouteHandlerMethod } from 'fastify'
import { evaluate } from '../rules/conditional.js'
import { CurrentTagFailed } from '../errors.js'
import { Notices } from '../lib/notices.js'
import { isRead } from '../rules/methods.js'
import type { Policy } from '../rules/policy.js'
import { within } from '../lib/within.js'

type CurrentTag = NonNullable<Policy<FastifyRequest>['currentTag']>

/** Milliseconds after which a call of `currentTag` has failed, and the ETag counts as unknown. */
const LIMIT_MS = 5000
const PRECONDITIONS = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since']

/**
 * Wraps a handler. The wrapper evaluates the preconditions of a request before the handler runs, by the current ETag of the route (RFC 9110
 * §13.2.1).
 */
export function checkingFirst (handler: RouteHandlerMethod, currentTag: CurrentTag, etagSuffixes: readonly string[]): RouteHandlerMethod {
  const notices = new Notices()
  // The wrapper returns `reply` if the handler sends by itself; Fastify would take `undefined` for an empty response.
  const run: RouteHandlerMethod = function (request, reply) {
    const returned: unknown = handler.call(this, request, reply)
    return returned === undefined ? reply : returned
  }
  const checked: RouteHandlerMethod = async function (request, reply) {
    // The ETag of the target resource is not the ETag of the result of a QUERY, so a QUERY is not checked.
    if (request.method === 'QUERY') return run.call(this, request, reply)
    const etag = await etagOf(request, currentTag, notices)
    const { method, raw: { headers } } = request
    const verdict = evaluate({ method, headers }, { status: 200, etag, lastModified: undefined, etagSuffixes })
    if (verdict === 'precondition-failed') return reply.code(412).send()
    if (etag !== undefined && isRead(request.method)) reply.header('etag', etag)
    // The empty response that is sent here becomes a 304 in the last onSend hook.
    if (verdict === 'not-modified') return reply.send()
    return run.call(this, request, reply)
  }
  return Object.defineProperty(checked, 'name', { value: handler.name })
}

/**
 * Returns the current ETag of the target from the app's function `currentTag`; `undefined`: there is none. If the function fails, the
 * handler of a read runs without the ETag, as does that of a write without preconditions. A write with preconditions is refused: the
 * promise rejects with the error of the function, or with `CACHE_ERR_CURRENT_TAG` for an invalid or late result.
 */
async function etagOf (request: FastifyRequest, currentTag: CurrentTag, notices: Notices): Promise<string | undefined> {
  try {
    const called = currentTag(request) as unknown
    const known = called instanceof Promise ? await within(LIMIT_MS, called.then((tag: unknown) => ({ tag }))) : { tag: called }
    if (known === undefined) throw new CurrentTagFailed(routeOf(request), `did not answer within ${LIMIT_MS} ms`)
    if (known.tag === undefined) return undefined
    if (typeof known.tag !== 'string') throw new CurrentTagFailed(routeOf(request), 'gave something that is neither a string nor undefined')
    return toEntityTag(known.tag)
  } catch (err) {
    notices.warnOnce(request.log, 'failed', { route: routeOf(request), err }, 'Cache: the currentTag function of this route failed; the handler runs without it, and writes with preconditions are refused')
    if (!isRead(request.method) && PRECONDITIONS.some((name) => request.raw.headers[name] !== undefined)) throw err
    return undefined
  }
}

function routeOf ({ routeOptions: { url = '' } }: FastifyRequest): string {
  return url
}
