import { Backoff, type Clock } from '@x/cache-core/suite'
import { Notices, warn } from '../lib/notices.js'
import { within } from '../lib/within.js'
import type { StoredHead } from '../store/stored-response.js'
import type { CacheRequest, Refresh } from './cache-request.js'

/** The time limit of a refresh in seconds, and the ttl of its lock; afterwards another refresh may begin. */
const LIMIT_SECONDS = 30
/**
 * Milliseconds of the pause after a first failed refresh. Each further failure doubles the pause, so that the origin server can recover.
 */
const FIRST_PAUSE_MS = 1000
const MAX_PAUSE_MS = 60_000
/** Milliseconds without a refresh after a hook refused the last one, since the next refresh would most likely be refused, too. */
const REFUSED_MS = 600_000
/** Statuses with which a hook refuses a refresh temporarily, not for lack of credentials. */
const TRANSIENT = new Set([408, 425, 429])

/** Renews responses that were served stale: one background request per key at a time, across processes, without credentials. */
export class Refresher {
  static readonly MAX_FAILURES = 10_000
  readonly #running = new Set<string>()
  /** Cache keys whose last refresh failed, each with the pause before the next refresh. */
  readonly #paused: Backoff
  /** Cache keys whose last refresh a hook refused or changed into another request, each with the time before the next refresh. */
  readonly #refused: Backoff
  /** The number of consecutive failed refreshes by cache key. */
  readonly #failures = new Map<string, number>()
  readonly #notices = new Notices()

  constructor (owner: { readonly clock: Clock }) {
    this.#paused = new Backoff(owner)
    this.#refused = new Backoff(owner)
  }

  /** Whether a hook refused the last refresh of a response. Such a response is not served stale; the next request of a client renews it. */
  isRefused (key: string, { variant }: StoredHead): boolean {
    return this.#refused.isActive(key + variant)
  }

  /**
   * Starts the refresh of a stale response, unless a refresh of the same response is in progress, or the pause after its last failure has
   * not ended.
   */
  start (request: CacheRequest, stale: StoredHead): void {
    const id = request.key + stale.variant
    if (this.#running.has(id) || this.#paused.isActive(id)) return
    this.#running.add(id)
    const refresh: Refresh = {
      cache: request.cache, identity: request.identity, stale, hasReachedHandler: false, isOther: false, hasRenewed: false
    }
    this.#run(request, refresh, id)
      .catch((error: unknown) => {
        this.#pause(id)
        warn(request.log, { err: error }, 'Cache: a background refresh failed')
      })
      .finally(() => this.#running.delete(id))
  }

  async #run (request: CacheRequest, refresh: Refresh, id: string): Promise<void> {
    // The background request is prepared before the first await, since the client's connection may close during the await.
    const send = request.prepareRefresh(refresh)
    const lock = await refresh.cache.lock(`${refresh.identity.key}:refresh`, { ttl: LIMIT_SECONDS })
    // If another process holds the lock, it refreshes the response. A cache without locks, or a cache that fails, does not prevent the
    // refresh.
    if (lock.ok && lock.value === null) return
    try {
      this.#conclude(id, request, refresh, await within(LIMIT_SECONDS * 1000, send(), true))
    } finally {
      if (lock.ok) await lock.value?.release()
    }
  }

  /**
   * Ends a refresh of a stored response: notes its failure, and logs the cause once per route.
   * @param status of the response to the refresh; `undefined`: the refresh did not end in time
   */
  #conclude (id: string, request: CacheRequest, refresh: Refresh, status: number | undefined): void {
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

  #say ({ log, route: { pattern: url } }: CacheRequest, kind: string, fields: object, message: string): void {
    this.#notices.warnOnce(log, `${kind} ${url}`, { route: url, ...fields }, `Cache: ${message}`)
  }
}
