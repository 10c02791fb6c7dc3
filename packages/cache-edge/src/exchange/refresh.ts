import type { FastifyCache } from '@x/cache-core'
import { Backoff, type Clock } from '@x/cache-core/suite'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { RequestView, ViewIdentity } from '../fastify/request-view.js'
import { askItself, type LoopbackRequest } from '../fastify/loopback.js'
import { Notices, warn } from '../lib/notices.js'
import type { StoredHead } from '../store/stored-response.js'
import { within } from '../lib/within.js'

/** A background request that renews a stored response, in the cache and with the view of the request that was answered with it. */
export interface Refresh {
  readonly cache: FastifyCache
  readonly identity: ViewIdentity
  readonly stale: StoredHead
  /** A hook in front of the handler has let it through. */
  hasReachedHandler: boolean
  /** It arrived there as another request than the one it should be, so that it was refused. */
  isOther: boolean
  /** Its response was stored. */
  hasRenewed: boolean
}

/** How long a refresh may take until another one may begin: as long as its lock is held. */
const LIMIT_SECONDS = 30
/** Pauses after a refresh that failed: doubled each time, as the origin, or what limits its rate, is to recover. */
const FIRST_PAUSE_MS = 1000
const MAX_PAUSE_MS = 60_000
/** How long no refresh is tried where a hook refused one: hooks seldom change their mind. */
const REFUSED_MS = 600_000
/** Refused for the moment, and not for lack of credentials. */
const TRANSIENT = new Set([408, 425, 429])
/** On the raw message: no client can send it. */
const kRefresh = Symbol('@x/cache-edge.refresh')

type Raw = FastifyRequest['raw'] & { [kRefresh]?: Refresh }

/** Renews what was served stale: one request per key at a time, across processes, without credentials; nobody waits for it. */
export class Refresher {
  static readonly MAX_FAILURES = 10_000
  readonly #fastify: FastifyInstance
  readonly #running = new Set<string>()
  /** Keys whose last refresh failed, and those of which a hook refused it. */
  readonly #paused: Backoff
  readonly #refused: Backoff
  /** Failures in a row. */
  readonly #failures = new Map<string, number>()
  readonly #notices = new Notices()

  constructor (fastify: FastifyInstance, owner: { readonly clock: Clock }) {
    this.#fastify = fastify
    this.#paused = new Backoff(owner)
    this.#refused = new Backoff(owner)
  }

  /** The refresh that a request is, once it has reached the handler; `undefined`: it came from outside. */
  of ({ raw }: FastifyRequest): Refresh | undefined {
    const refresh = (raw as Raw)[kRefresh]
    if (refresh !== undefined) refresh.hasReachedHandler = true
    return refresh
  }

  /** Whether this could not be refreshed: it is not served stale, and the next client renews it. */
  isRefused (key: string, { variant }: StoredHead): boolean {
    return this.#refused.isActive(key + variant)
  }

  /** Begins, unless one is under way, or one has failed a moment ago. */
  start (view: RequestView, cache: FastifyCache, stale: StoredHead): void {
    const id = view.key + stale.variant
    if (this.#running.has(id) || this.#paused.isActive(id)) return
    this.#running.add(id)
    const refresh: Refresh = { cache, identity: view.identity, stale, hasReachedHandler: false, isOther: false, hasRenewed: false }
    this.#run(view.request, view.renewing(stale), refresh, id)
      .catch((error: unknown) => {
        this.#pause(id)
        warn(view.request.log, { err: error }, 'Cache: a background refresh failed')
      })
      .finally(() => this.#running.delete(id))
  }

  async #run (request: FastifyRequest, renewing: LoopbackRequest, refresh: Refresh, id: string): Promise<void> {
    const lock = await refresh.cache.lock(`${refresh.identity.key}:refresh`, { ttl: LIMIT_SECONDS })
    // Another process is at it. A cache without locks, or one that fails, does not keep it from being done.
    if (lock.ok && lock.value === null) return
    try {
      const answered = askItself(this.#fastify, renewing, (raw) => { (raw as Raw)[kRefresh] = refresh })
      this.#conclude(id, request, refresh, await within(LIMIT_SECONDS * 1000, answered, true))
    } finally {
      if (lock.ok) await lock.value?.release()
    }
  }

  /** @param status `undefined`: there was no answer in time */
  #conclude (id: string, request: FastifyRequest, refresh: Refresh, status: number | undefined): void {
    if (refresh.hasRenewed) {
      this.#failures.delete(id)
      return
    }
    this.#pause(id)
    if (refresh.isOther) {
      this.#refused.start(id, REFUSED_MS)
      this.#say(request, 'other', {}, 'a background refresh reached the handler as another request than the one it renews: hooks, rewriteUrl or a constraint made another address, host, URL, user or vary header of it; nothing is served stale while the next client waits for the handler')
    } else if (status === undefined) {
      this.#say(request, 'late', { seconds: LIMIT_SECONDS }, 'a background refresh has not ended in time; what is stored is served stale until its window ends')
    } else if (!refresh.hasReachedHandler && (status >= 500 || TRANSIENT.has(status))) {
      this.#say(request, 'failed', { status }, 'a background refresh failed in front of the handler, and is tried again after growing pauses; what is stored is served stale until its window ends')
    } else if (!refresh.hasReachedHandler) {
      this.#refused.start(id, REFUSED_MS)
      this.#say(request, 'refused', { status }, 'a hook in front of the handler refused a background refresh, which has no credentials and comes from inside; nothing is served stale while the next client waits for the handler. Let such requests pass, or take staleWhileRevalidate from the route')
    }
  }

  #pause (id: string): void {
    const failures = this.#failures.get(id) ?? 0
    this.#failures.delete(id)
    if (this.#failures.size >= Refresher.MAX_FAILURES) this.#failures.delete(this.#failures.keys().next().value!)
    this.#failures.set(id, failures + 1)
    this.#paused.start(id, Math.min(FIRST_PAUSE_MS * 2 ** failures, MAX_PAUSE_MS))
  }

  #say ({ log, routeOptions: { url = '' } }: FastifyRequest, kind: string, fields: object, message: string): void {
    this.#notices.warnOnce(log, `${kind} ${url}`, { route: url, ...fields }, `Cache: ${message}`)
  }
}
