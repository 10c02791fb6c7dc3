import { joinLines, mergeVary, type Core } from '@x/cache-core/suite'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { hasComputedTag } from './body-tags.js'
import { cacheGroupsField } from '../rules/cache-groups.js'
import { evaluate, isConditional, type PreconditionResult } from '../rules/conditional.js'
import { isRead } from '../rules/methods.js'
import type { PersonalRequests } from './personal-requests.js'
import { discard } from './payload.js'
import { Notices } from '../lib/notices.js'
import type { CacheEdgeOptions } from '../options.js'
import { MAX_TAGS, TAG_PATTERN } from '../policy-options.js'
import { NO_STORE, PRIVATE, type Policy, type RouteRule } from '../rules/policy.js'
import { hasFailed, TARGETED } from './failed-response.js'
import { dropAll, dropBodyFields, noteBefore } from './written-headers.js'

const TAG = new RegExp(TAG_PATTERN)
/** Header fields, besides `Cache-Control`, that give a response a lifetime. */
const NAMING_LIFETIME = ['expires', ...TARGETED]
const NO_CACHE = 'no-cache'
const BY_COOKIE = ['cookie']

/** The raw request, whose headers contain the preconditions. */
type RawRequest = Pick<FastifyRequest, 'raw'>
type FieldLines = Parameters<typeof joinLines>[0]

/** The settings of `EdgeHeaders`, which writes the headers for caches in front of the app. */
export interface HeaderSettings {
  readonly personal: PersonalRequests
  readonly tagHeader: NonNullable<CacheEdgeOptions['tagHeader']>
  /** Whether the tags of a policy are sent in `Cache-Groups`. */
  readonly cacheGroups: boolean
  /** Whether a response that has a computed ETag and no lifetime gets `Cache-Control: no-cache`. */
  readonly saysNoCache: boolean
  /** Whether a plugin of this app compresses responses by `Accept-Encoding`. */
  readonly isCompressed: () => boolean
  /** Whether the proxies in front forward requests with cookies, so that shared responses need no `Vary: Cookie`. */
  readonly hasCookieAwareProxies: boolean
  /** Suffixes that a proxy in front of the app adds to ETags (option `etagSuffixes`). */
  readonly etagSuffixes: readonly string[]
}

/** Writes the headers that caches in front of the app obey, and answers conditional requests. */
export class EdgeHeaders {
  readonly #core: Core
  readonly #settings: HeaderSettings
  readonly #notices = new Notices()

  constructor (core: Core, settings: HeaderSettings) {
    this.#core = core
    this.#settings = settings
  }

  /**
   * Finishes a response in the last onSend hook: sets headers by the policy, and makes the response a 304 or 412 by the preconditions of
   * the request.
   */
  finish (request: FastifyRequest, reply: FastifyReply, payload: unknown, rule: RouteRule<FastifyRequest>, route: string): unknown {
    const { method } = request.raw
    if (!isRead(method!)) return payload
    if (this.#describe(request, reply, rule)) this.announceCandidate(route, request.method)
    if (this.#settings.saysNoCache) this.#askFirst(request, reply, rule)
    const { statusCode } = reply
    if (statusCode === 304) {
      // The 304 comes from the cache or the handler. Fields that describe a body are removed from it, since hooks may have added such
      // fields.
      dropBodyFields(reply)
      if (isConditional(request.raw.headers)) this.announceMatch(route, request.method)
    }
    if (!isConditional(request.raw.headers)) return payload
    const verdict = this.verdictOn(request, statusCode, reply.getHeader('etag'), reply.getHeader('last-modified'))
    if (verdict === 'send') return payload
    if (verdict === 'not-modified') this.announceMatch(route, request.method)
    return withoutBody(reply, payload, verdict === 'not-modified' ? 304 : 412)
  }

  /**
   * Sets the headers that `finish` sets for a stored response, on a reply that has the stored fields and no headers of hooks.
   * @param vary the names of the request headers that select the response; a hook may have named some of them
   * @param tags the tags of the policy for the request
   */
  describeStored (
    request: FastifyRequest, reply: FastifyReply, policy: Policy<FastifyRequest>,
    { vary, tags }: { readonly vary: readonly string[]; readonly tags: readonly string[] }
  ): void {
    if (vary.length > 0) this.#addVary(reply, vary)
    this.#describe(request, reply, policy, tags)
    if (this.#settings.saysNoCache) this.#askFirst(request, reply, policy)
  }

  /** The result of the preconditions of a GET, HEAD or QUERY request for a response with these fields. */
  verdictOn (request: RawRequest, status: number, etagLines: FieldLines, modifiedLines: FieldLines): PreconditionResult {
    const { headers, method } = request.raw
    if (status < 200 || status > 299 || !isConditional(headers)) return 'send'
    const etag = joinLines(etagLines)
    if (this.hasTag(request, etag)) return 'not-modified'
    const { etagSuffixes } = this.#settings
    return evaluate({ method: method!, headers }, { status, etag, lastModified: joinLines(modifiedLines), etagSuffixes })
  }

  /**
   * Whether `If-None-Match` of a request has exactly this ETag, as a browser sends it, and the request has no other precondition except
   * `If-Modified-Since`.
   */
  hasTag ({ raw: { headers } }: RawRequest, etag: string | undefined): boolean {
    return etag !== undefined && etag.endsWith('"') && headers['if-none-match'] === etag && headers['if-match'] === undefined && headers['if-unmodified-since'] === undefined
  }

  /** Emits the event `etagMatch` for a conditional request that is answered with 304. */
  announceMatch (route: string, method: string): void {
    const { events } = this.#core.registry
    if (events.has('etagMatch')) events.emit('etagMatch', route, method)
  }

  /** Emits the event `edgeCandidate` for a request whose response a shared cache may store. */
  announceCandidate (route: string, method: string): void {
    const { events } = this.#core.registry
    if (events.has('edgeCandidate')) events.emit('edgeCandidate', route, method)
  }

  /**
   * Sets the headers by the policy. Returns whether a shared cache may answer the request.
   * @param known the tags of the response; default: those of the policy's function
   */
  #describe (request: FastifyRequest, reply: FastifyReply, rule: RouteRule<FastifyRequest>, known?: readonly string[]): boolean {
    const statusCode = statusOf(reply)
    const { personal } = this.#settings
    const isPersonal = rule === undefined ? personal.hasPersonalUrl(request) : personal.reasonOf(request, rule) !== null
    const isShared = rule !== undefined && rule !== 'personal' && rule.isShared && !isPersonal
    // The handler's own `Cache-Control` takes precedence. The handler's targeted fields for CDNs are removed, since they would let CDNs
    // share a response that is for one client.
    if (!isShared && (isPersonal || rule !== undefined)) dropAll(reply, TARGETED)
    if (statusCode >= 500 && (rule !== undefined || isPersonal)) this.#restrict(reply, NO_STORE)
    else if (isPersonal) this.#restrict(reply, PRIVATE)
    else if (rule !== undefined && rule !== 'personal') this.#describeByPolicy(request, reply, rule, known)
    if (this.#isByCookie(rule)) this.#addVary(reply, BY_COOKIE)
    return isShared
  }

  /**
   * Whether responses of a rule vary by `Cookie` for the caches in front. A request with a login cookie gets another response than one
   * without, and most shared caches look at cookies only if `Vary` names them.
   */
  #isByCookie (rule: RouteRule<FastifyRequest>): boolean {
    return rule !== undefined && rule !== 'personal' && rule.isShared && !rule.sameForAll && !this.#settings.hasCookieAwareProxies
  }

  #describeByPolicy (
    request: FastifyRequest, reply: FastifyReply, rule: Policy<FastifyRequest>, known: readonly string[] | undefined
  ): void {
    const statusCode = statusOf(reply)
    const isCompressed = this.#settings.isCompressed()
    if (rule.vary.length > 0 || isCompressed) {
      // The name `accept-encoding` is in lower case, since `@fastify/compress` searches for it in that form.
      this.#addVary(reply, isCompressed ? [...rule.vary, 'accept-encoding'] : rule.vary)
    }
    if (rule.cacheControl === undefined) return
    const tags = known ?? this.tagsOf(request, rule)
    const hasCookie = reply.hasHeader('set-cookie')
    if (hasCookie || tags === undefined) return this.#restrict(reply, PRIVATE)
    if (!rule.statuses.has(statusCode)) return this.#restrict(reply, NO_CACHE)
    // An error handler sees headers that are hidden from the handler of a stored route, so no shared cache may store its response.
    if (rule.store !== false && hasFailed(reply)) return this.#restrict(reply, PRIVATE)
    if (!reply.hasHeader('cache-control')) {
      this.#write(reply, 'cache-control', rule.cacheControl)
      if (rule.cdnCacheControl !== undefined && !reply.hasHeader('cdn-cache-control')) this.#write(reply, 'cdn-cache-control', rule.cdnCacheControl)
    }
    if (tags.length === 0) return
    if (this.#settings.tagHeader !== false) this.#addTags(reply, this.#settings.tagHeader, tags)
    if (this.#settings.cacheGroups) {
      const own = joinLines(reply.getHeader('cache-groups'))
      this.#write(reply, 'cache-groups', own === undefined ? cacheGroupsField(tags) : `${own}, ${cacheGroupsField(tags)}`)
    }
  }

  /** Forbids shared caches to store the response, unless the handler has set `Cache-Control` itself. */
  #restrict (reply: FastifyReply, cacheControl: string): void {
    if (reply.hasHeader('cache-control')) return
    this.#write(reply, 'cache-control', cacheControl)
    dropAll(reply, TARGETED)
  }

  /**
   * Writes `no-cache` on a response with a computed ETag. Some shared caches store a 200 without a lifetime because it has a validator,
   * even if the response is for one client. The header is written in the last hook, so that no other hook sees it.
   */
  #askFirst (request: FastifyRequest, reply: FastifyReply, rule: RouteRule<FastifyRequest>): void {
    // The check for `Cache-Control` is first, since most responses have this header and need no further check.
    if (reply.hasHeader('cache-control') || !hasComputedTag(reply) || !reply.hasHeader('etag') || NAMING_LIFETIME.some((name) => reply.hasHeader(name))) return
    this.#write(reply, 'cache-control', this.#settings.personal.reasonOf(request, rule) === null ? NO_CACHE : PRIVATE)
  }

  #addTags (reply: FastifyReply, tagHeader: 'Surrogate-Key' | 'Cache-Tag', tags: readonly string[]): void {
    const name = tagHeader.toLowerCase()
    const separator = tagHeader === 'Cache-Tag' ? ',' : ' '
    const lines = [reply.getHeader(name) ?? []].flat()
    const own = lines.flatMap((line) => String(line).split(separator)).map((tag) => tag.trim()).filter((tag) => tag !== '')
    this.#write(reply, name, (own.length === 0 ? tags : [...new Set([...own, ...tags])]).join(separator))
  }

  /**
   * The tags that the policy gives to a response. `undefined`: the route's function `tags` threw, or returned no valid list of tags, so
   * that no shared cache may store the response.
   */
  tagsOf (request: FastifyRequest, policy: Policy<FastifyRequest>): readonly string[] | undefined {
    try {
      const tags: unknown = policy.tagsOf(request)
      if (Array.isArray(tags) && tags.length <= MAX_TAGS && tags.every((tag) => typeof tag === 'string' && TAG.test(tag))) return tags
      // The promise that an async `tags` function returns is refused in any case, so its rejection is ignored.
      if (tags instanceof Promise) tags.catch(() => {})
      this.#warnOfTags(request, 'refused', {}, `Cache: tags must be at most ${MAX_TAGS} strings that match ${TAG_PATTERN}; responses with other tags are not stored`)
    } catch (err) {
      this.#warnOfTags(request, 'threw', { err }, 'Cache: the tags function of this route threw; responses without their tags are neither stored nor served from the store')
    }
    return undefined
  }

  #warnOfTags ({ log, routeOptions: { url: route = '' } }: FastifyRequest, kind: string, fields: object, message: string): void {
    this.#notices.warnOnce(log, `${kind} ${route}`, { route, ...fields }, message)
  }

  #addVary (reply: FastifyReply, names: readonly string[]): void {
    this.#write(reply, 'vary', mergeVary(joinLines(reply.getHeader('vary')), names))
  }

  #write (reply: FastifyReply, name: string, value: string): void {
    noteBefore(reply, name)
    reply.header(name, value)
  }
}

/** The status by which the headers of a response are chosen. A 304 counts as a 200, since it has the headers that the 200 would have. */
function statusOf ({ statusCode }: FastifyReply): number {
  return statusCode === 304 ? 200 : statusCode
}

/** Makes the response a 304 or 412 without a body, and destroys a stream that will not be read. */
function withoutBody (reply: FastifyReply, payload: unknown, status: 304 | 412): null {
  discard(payload)
  reply.code(status)
  dropBodyFields(reply)
  return null
}
