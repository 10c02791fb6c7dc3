import type { FastifyCache } from '@x/cache-core'
import { enterHandlerPhase, isGone, joinLines, variantOf } from '@x/cache-core/suite'
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import type { CacheRequest, Refresh, StoredRoute, ViewIdentity } from '../exchange/cache-request.js'
import { LABELS } from '../exchange/recorded-response.js'
import type { RecordedRun, RunListener } from '../exchange/recorded-run.js'
import type { UnstoredReason } from '../exchange/judge-response.js'
import type { CacheStatus } from '../rules/cache-status.js'
import type { Policy } from '../rules/policy.js'
import { shownNames, visibleHeaders } from '../rules/visibility.js'
import type { TargetUri } from '../store/cache-key.js'
import type { StoredHead } from '../store/stored-response.js'
import { matches, type Servable } from '../store/variants.js'
import { OF_CONTENT } from './content-key.js'
import { showAllBeforeSend } from './handler-view.js'
import { askItself, peerOf, type LoopbackRequest } from './loopback.js'
import type { CacheRequests } from './cache-requests.js'
import { wasFoundPersonal } from './personal-requests.js'
import type { RequestKey } from './request-key.js'
import { ResponseRecorder } from './response-recorder.js'
import { runHandler } from './run-handler.js'
import { showTo, type SeenRequest } from './seen-request.js'
import { sentHeaders, targetOf } from './target.js'

/** The property of the raw request that holds its refresh. The property has a symbol as its name, so no client can set it. */
const kRefresh = Symbol('@x/cache-edge.refresh')
type Raw = FastifyRequest['raw'] & { [kRefresh]?: Refresh }

const NO_TAGS: readonly string[] = []
const NOTHING_HIDDEN: SeenRequest = { showSome: () => {}, showAll: () => {} }

/** Describes a route and its constraints in the form that the exchange needs. */
export function toStoredRoute ({ url, constraints = {} }: Pick<RouteOptions, 'url' | 'constraints'>, policy: Policy<FastifyRequest>): StoredRoute<FastifyRequest> {
  const own = Object.entries(constraints).map(
    ([name, value]) => [name, value instanceof RegExp ? String(value) : value as unknown] as const
  )
    .sort(([a], [b]) => a < b ? -1 : 1)
  return { pattern: url, policy, choice: own.length === 0 ? '' : JSON.stringify(own) }
}

/**
 * One request to a stored route. Its key, the parts that its handler sees, and the background request that renews its response derive from
 * the same target. A handler sees nothing that another request with the same key might lack. A background request with another view than
 * the request that it renews stores nothing.
 */
export class FastifyCacheRequest implements CacheRequest {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly method: string
  readonly route: StoredRoute
  readonly policy: Policy
  readonly target: TargetUri
  /** The cache key of the request, without the variant. */
  readonly key: string
  readonly refresh: Refresh | undefined
  cache!: FastifyCache
  readonly #app: CacheRequests
  readonly #run: () => unknown
  readonly requestKey: RequestKey
  /** The tags that the policy gives to this request. */
  #own: readonly string[] = NO_TAGS
  #whenStored: (() => void) | undefined

  constructor (app: CacheRequests, request: FastifyRequest, reply: FastifyReply, route: StoredRoute, run: () => unknown) {
    const target = targetOf(request)
    this.request = request
    this.reply = reply
    this.method = request.method
    this.route = route
    this.policy = route.policy
    this.target = target
    this.refresh = refreshOf(request)
    this.requestKey = app.keys.of(request, route, target)
    this.key = this.requestKey.key
    this.#app = app
    this.#run = run
  }

  /**
   * Prepares the request for the response cache: adds the tags of the policy, and selects the cache client.
   * @param whenStored called once a stored response of the request exists
   */
  enter (own: readonly string[], whenStored: (() => void) | undefined): void {
    this.#whenStored = whenStored
    this.#own = own
    this.cache = this.refresh?.cache ?? this.request.cache
  }

  // The list of tags is made at each access, since a hit from memory needs no list.
  get tags (): string[] { return [...this.#own, ...this.requestKey.tags] }

  get groups (): readonly string[] { return this.#app.tagsAreGroups ? this.#own : NO_TAGS }

  get headers (): IncomingHttpHeaders { return this.request.raw.headers }

  get log (): FastifyRequest['log'] { return this.request.log }

  get isPersonal (): boolean { return wasFoundPersonal(this.request) }

  get isGone (): boolean { return isGone(this.reply) }

  // Whether stored responses are served to the request follows from the arm of its cache client, so that it agrees with what that client
  // reads and stores.
  get isServed (): boolean { return this.refresh === undefined && this.#app.core.requests.of(this.request).serves(this.key) }

  get flightKey (): string {
    const { headers } = this
    return this.key + variantOf(shownNames(headers, this.policy), headers)
  }

  get identity (): ViewIdentity {
    const { key, route, request: { ip } } = this
    return { key, route, ip }
  }

  /** Whether the request has this identity, so that its handler has the same view, and its headers select this stored response. */
  isSeenAs ({ key, route, ip }: ViewIdentity, stale: StoredHead): boolean {
    return this.key === key && this.route.pattern === route.pattern && this.request.ip === ip && matches(stale, this.headers)
  }

  keyFor (response: StoredHead): string | undefined {
    return this.requestKey.keyFor === undefined ? this.key : this.requestKey.keyFor(response)
  }

  hasLabelsOf ({ labels }: StoredHead): boolean {
    for (const name of LABELS) {
      const given = this.reply.getHeader(name)
      if (given === undefined ? labels?.[name] !== undefined : labels?.[name] !== String(given)) return false
    }
    return true
  }

  noteStored (): void {
    this.route.hasStored = true
    this.#whenStored?.()
  }

  markPersonal (): void {
    this.#app.personal.mark(this.request)
  }

  serveHit (response: Servable, now: number): void {
    if (this.#app.ready.serve(this.reply, response, now, this.policy as Policy<FastifyRequest>, this.#own)) return
    this.#app.responses.serve(this.reply, response)
  }

  serve (response: Servable, status: CacheStatus): void {
    this.#app.responses.serve(this.reply, response, status)
  }

  sendGatewayTimeout (): void {
    this.reply.code(504).send()
  }

  sendNotModified (): void {
    this.reply.code(304).send()
  }

  setStatus (status: CacheStatus, unstored?: () => UnstoredReason | undefined): void {
    this.#app.responses.setStatus(this.reply, status, unstored)
  }

  setCode (code: number): void {
    this.reply.code(code)
  }

  removeHeader (name: string): void {
    this.reply.removeHeader(name)
  }

  async run (also?: readonly string[]): Promise<void> {
    await runHandler(this.#run, this.reply, showAllBeforeSend(this.reply, this.show(undefined, also)))
  }

  record (listener: RunListener, stale: StoredHead | 'shown-all' | undefined): RecordedRun {
    return new ResponseRecorder(this.reply, stale === 'shown-all' ? NOTHING_HIDDEN : this.show(stale), this.#run, listener)
  }

  prepareRefresh (refresh: Refresh): () => Promise<number> {
    const renewing = this.#renewing(refresh.stale)
    return () => askItself(this.#app.fastify, renewing, (raw) => { (raw as Raw)[kRefresh] = refresh })
  }

  /**
   * Hides from the handler each part of the request that is not in the cache key.
   * @param stale the stored response whose validators the handler sees
   * @param also further headers that the handler sees
   */
  show (stale: StoredHead | undefined, also: readonly string[] = []): SeenRequest {
    const { request, policy, target: { scheme, host } } = this
    // The property `cache` is read before parts are hidden, so that the arm is assigned now: the rollout may assign it by a part that the
    // handler must not read, such as the address.
    enterHandlerPhase(request)
    Reflect.get(request, 'cache')
    return showTo(request, {
      headers: visibleHeaders(this.headers, policy, { scheme, host, isProxied: 'ips' in request }, stale, this.method === 'QUERY' ? [...OF_CONTENT, ...also] : also),
      scheme,
      host,
      onIdentity: policy.sameForAll ? undefined : (part) => this.#app.noteIdentity(this, part)
    })
  }

  /**
   * The background request to this app that revalidates a stored response. It has the URL of this request, the IP address of its client,
   * and those of its headers that `Vary` of the stored response names; it has no credentials.
   */
  #renewing (stale: StoredHead): LoopbackRequest {
    const { request, request: { raw }, target } = this
    const sent = sentHeaders(raw)
    const headers: Record<string, string> = { 'user-agent': '@x/cache-edge' }
    const host = sent.host ?? sent[':authority']
    if (host !== undefined) headers.host = String(host)
    // Forwarded headers are sent as well if Fastify trusts the peer: the background request has the same peer as this request.
    const forwarded = 'ips' in request ? ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'] : []
    for (const name of [...forwarded, ...stale.vary]) {
      const value = raw.headers[name] ?? sent[name]
      if (value !== undefined) headers[name] = joinLines(value)!
    }
    return { url: target.originalUrl ?? target.url, headers, peer: peerOf(raw.socket), isHttp2: raw.httpVersionMajor >= 2 }
  }
}

/** Returns the refresh of a background request, at any time before its handler runs; `undefined`: the request came from a client. */
export function refreshIn (raw: FastifyRequest['raw']): Refresh | undefined {
  return (raw as Raw)[kRefresh]
}

/** Returns the refresh of a background request, and records that it reached its handler; `undefined`: the request came from a client. */
export function refreshOf ({ raw }: FastifyRequest): Refresh | undefined {
  const refresh = refreshIn(raw)
  if (refresh !== undefined) refresh.hasReachedHandler = true
  return refresh
}
