import { joinLines, mergeVary, type Core } from '@x/cache-core/suite'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import { hasComputedTag } from './body-tags.js'
import { DROPPED_FROM_304, evaluate } from '../rules/conditional.js'
import type { PersonalRequests } from './personal-requests.js'
import { discard } from './payload.js'
import { Notices } from '../lib/notices.js'
import { MAX_TAGS, TAG_PATTERN, type CacheEdgeOptions } from '../options.js'
import { NO_STORE, PRIVATE, type Policy, type RouteRule } from '../rules/policy.js'

const kWritten = Symbol('@x/cache-edge.written')
const kFromStore = Symbol('@x/cache-edge.from-store')
const kFailed = Symbol('@x/cache-edge.failed')
const TAG = new RegExp(TAG_PATTERN)
/** Fields that some shared caches read in place of `Cache-Control` (RFC 9213 §2.2, and those of before). */
const TARGETED = new Set(['cdn-cache-control', 'cloudflare-cdn-cache-control', 'netlify-cdn-cache-control', 'vercel-cdn-cache-control', 'surrogate-control'])
/** Fields beside `Cache-Control` that give a response a lifetime. */
const NAMING_LIFETIME = ['expires', ...TARGETED]
const NO_CACHE = 'no-cache'
const DROPPED_FROM_STORED_304 = new Set([...DROPPED_FROM_304, 'set-cookie'])
/** Headers that describe one representation, and no error in its place. */
const OF_ANSWER = [...TARGETED, 'etag', 'last-modified', 'expires', 'age', 'surrogate-key', 'cache-tag']

/** Headers that this plugin wrote, with the value before: they are never read back as the response's own. */
type Written = Map<string, string | undefined>

/** Settings of the headers. */
export interface HeaderSettings {
  readonly personal: PersonalRequests
  readonly tagHeader: NonNullable<CacheEdgeOptions['tagHeader']>
  /** Whether a response with a computed tag and no lifetime gets `no-cache`. */
  readonly saysNoCache: boolean
  /** Whether a plugin of this app compresses responses by `Accept-Encoding`. */
  readonly isCompressed: () => boolean
}

/** Writes the headers that caches in front obey, and answers conditional requests. */
export class EdgeHeaders {
  readonly #core: Core
  readonly #settings: HeaderSettings
  readonly #notices = new Notices()

  constructor (core: Core, settings: HeaderSettings) {
    this.#core = core
    this.#settings = settings
  }

  /** The last of the onSend hooks: headers by the policy, then 304 or 412 where the request asks for it. */
  finish (request: FastifyRequest, reply: FastifyReply, payload: unknown, rule: RouteRule<FastifyRequest>, route: string): unknown {
    const { method } = request.raw
    if (method !== 'GET' && method !== 'HEAD') return payload
    this.#describe(request, reply, rule, route)
    if (this.#settings.saysNoCache) this.#askFirst(request, reply, rule)
    const { statusCode } = reply
    const { headers } = request.raw
    if (statusCode === 304) {
      // A 304 from the cache, or of the handler; hooks may have added fields of a body.
      dropBodyFields(reply)
      if (isConditional(headers)) this.#announceMatch(request, route)
    }
    if (statusCode < 200 || statusCode > 299 || !isConditional(headers)) return payload
    const etag = joinLines(reply.getHeader('etag'))
    const verdict = this.hasTag(request, etag) ? 'not-modified' : evaluate({ method, headers }, { status: statusCode, etag, lastModified: joinLines(reply.getHeader('last-modified')) })
    if (verdict === 'send') return payload
    if (verdict === 'not-modified') this.#announceMatch(request, route)
    return withoutBody(reply, payload, verdict === 'not-modified' ? 304 : 412)
  }

  /** Whether `If-None-Match` is this tag alone, as a browser sends it, and there is no other precondition but a date. */
  hasTag ({ raw: { headers } }: FastifyRequest, etag: string | undefined): boolean {
    return etag !== undefined && etag.endsWith('"') && headers['if-none-match'] === etag && headers['if-match'] === undefined && headers['if-unmodified-since'] === undefined
  }

  /** Emits the event for a conditional request that is answered 304. */
  #announceMatch (request: FastifyRequest, route: string): void {
    this.#core.registry.events.emit('etagMatch', route, request.method)
  }

  #describe (request: FastifyRequest, reply: FastifyReply, rule: RouteRule<FastifyRequest>, route: string): void {
    // A 304 has the headers that the 200 would have.
    const statusCode = reply.statusCode === 304 ? 200 : reply.statusCode
    const { personal } = this.#settings
    const isPersonal = rule === undefined ? personal.hasPersonalUrl(request) : personal.reasonOf(request, rule) !== null
    const isShared = rule !== undefined && rule !== 'personal' && rule.isShared && !isPersonal
    if (isShared) this.#core.registry.events.emit('edgeCandidate', route, request.method)
    // The handler's own Cache-Control wins; its targeted field for a CDN is dropped, as it would share a response for one client.
    else if (isPersonal || rule !== undefined) dropAll(reply, TARGETED)
    if (statusCode >= 500 && (rule !== undefined || isPersonal)) return this.#restrict(reply, NO_STORE)
    if (isPersonal) return this.#restrict(reply, PRIVATE)
    if (rule === undefined || rule === 'personal') return
    const isCompressed = this.#settings.isCompressed()
    if (rule.vary.length > 0 || isCompressed) {
      // The name is in lower case, as `@fastify/compress` looks for it.
      const names = isCompressed ? [...rule.vary, 'accept-encoding'] : rule.vary
      this.#write(reply, 'vary', mergeVary(joinLines(reply.getHeader('vary')), names))
    }
    if (rule.cacheControl === undefined) return
    const tags = this.tagsOf(request, rule)
    const hasCookie = reply.hasHeader('set-cookie')
    if (hasCookie || tags === undefined) return this.#restrict(reply, PRIVATE)
    if (!rule.statuses.has(statusCode)) return this.#restrict(reply, NO_CACHE)
    // An error handler sees headers that are hidden from the handler of a stored route: its response is stored by no shared cache.
    if (rule.store !== false && hasFailed(reply)) return this.#restrict(reply, PRIVATE)
    if (!reply.hasHeader('cache-control')) {
      this.#write(reply, 'cache-control', rule.cacheControl)
      if (rule.cdnCacheControl !== undefined && !reply.hasHeader('cdn-cache-control')) this.#write(reply, 'cdn-cache-control', rule.cdnCacheControl)
    }
    if (this.#settings.tagHeader !== false && tags.length > 0) this.#addTags(reply, this.#settings.tagHeader, tags)
  }

  /** Forbids shared caches to store the response, unless the handler has set `Cache-Control` itself. */
  #restrict (reply: FastifyReply, cacheControl: string): void {
    if (reply.hasHeader('cache-control')) return
    this.#write(reply, 'cache-control', cacheControl)
    dropAll(reply, TARGETED)
  }

  /**
   * Writes `no-cache` on a response whose tag was computed here. Some shared caches store a 200 without a lifetime because it has a
   * validator, whatever client it is for. The header is written last, so that no hook sees it.
   */
  #askFirst (request: FastifyRequest, reply: FastifyReply, rule: RouteRule<FastifyRequest>): void {
    // `Cache-Control` is checked first, since most responses have one.
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

  /** The tags of a response; `undefined` if one of them could not be purged, or the route's function failed, so that no cache may store the response. */
  tagsOf (request: FastifyRequest, policy: Policy<FastifyRequest>): readonly string[] | undefined {
    try {
      const tags: unknown = policy.tagsOf(request)
      if (Array.isArray(tags) && tags.length <= MAX_TAGS && tags.every((tag) => typeof tag === 'string' && TAG.test(tag))) return tags
      // An async function of the app's own may reject, too.
      if (tags instanceof Promise) tags.catch(() => {})
      this.#warnOfTags(request, 'refused', {}, `Cache: tags must be at most ${MAX_TAGS} strings that match ${TAG_PATTERN}; answers with others are not kept`)
    } catch (err) {
      this.#warnOfTags(request, 'threw', { err }, 'Cache: the tags function of this route threw; answers without their tags are neither kept nor served from what is kept')
    }
    return undefined
  }

  #warnOfTags ({ log, routeOptions: { url: route = '' } }: FastifyRequest, kind: string, fields: object, message: string): void {
    this.#notices.warnOnce(log, `${kind} ${route}`, { route, ...fields }, message)
  }

  #write (reply: FastifyReply, name: string, value: string): void {
    noteBefore(reply, name)
    reply.header(name, value)
  }
}

/** Removes the headers that describe a response, as an error goes out in its place. An error handler may set them again. */
export function forgetAnswer (reply: FastifyReply): void {
  (reply as FailedReply)[kFailed] = true
  for (const name of OF_ANSWER) reply.removeHeader(name)
  // `Cache-Control` is replaced, not removed: without it a cache may store a 404 by heuristics.
  if (reply.hasHeader('cache-control')) reply.header('cache-control', NO_STORE)
}

type FailedReply = FastifyReply & { [kFailed]?: boolean }

/** Whether an error was sent in place of the handler's response. */
function hasFailed (reply: FastifyReply): boolean {
  return (reply as FailedReply)[kFailed] === true
}

/** Notes the value of a header before this plugin changes it. A stored response is not stored again, so its headers are not noted. */
function noteBefore (reply: FastifyReply, name: string): void {
  if (isFromStore(reply)) return
  const own = reply as FastifyReply & { [kWritten]?: Written }
  const written = own[kWritten] ??= new Map()
  if (!written.has(name)) written.set(name, joinLines(reply.getHeader(name)))
}

/** The headers as they would be had this plugin written none. */
export function withoutWritten (
  reply: FastifyReply, headers: Readonly<Record<string, string | string[]>>
): Record<string, string | string[]> {
  const own = { ...headers }
  for (const [name, before] of (reply as FastifyReply & { [kWritten]?: Written })[kWritten] ?? []) {
    if (before === undefined) delete own[name]
    else own[name] = before
  }
  return own
}

function isConditional (headers: IncomingHttpHeaders): boolean {
  return headers['if-none-match'] !== undefined || headers['if-modified-since'] !== undefined || headers['if-match'] !== undefined || headers['if-unmodified-since'] !== undefined
}

/** Makes a response without a body, and destroys a stream that will not be read. */
function withoutBody (reply: FastifyReply, payload: unknown, status: 304 | 412): null {
  discard(payload)
  reply.code(status)
  dropBodyFields(reply)
  return null
}

/** Notes whether the response is a stored one: its 304 replays no cookie, and it is not stored again. */
export function setFromStore (reply: FastifyReply, isFromStore: boolean): void {
  (reply as FastifyReply & { [kFromStore]?: boolean })[kFromStore] = isFromStore
}

function isFromStore (reply: FastifyReply): boolean {
  return (reply as FastifyReply & { [kFromStore]?: boolean })[kFromStore] === true
}

function dropBodyFields (reply: FastifyReply): void {
  dropAll(reply, isFromStore(reply) ? DROPPED_FROM_STORED_304 : DROPPED_FROM_304)
}

function dropAll (reply: FastifyReply, names: ReadonlySet<string>): void {
  // A response has fewer headers than there are names, and each read of Fastify lowers a name first.
  for (const name in reply.getHeaders()) {
    if (!names.has(name)) continue
    // Storability depends on every header of the handler: a cookie forbids it.
    noteBefore(reply, name)
    reply.removeHeader(name)
  }
}
