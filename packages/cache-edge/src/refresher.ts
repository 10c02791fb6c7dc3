import { Backoff, type Clock, type FastifyCache } from '@x/cache-core'
import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { TargetUri } from './key.js'
import { Notices, warn } from './notices.js'
import type { StoredHead } from './stored-response.js'
import { REFRESH } from './visible-headers.js'
import { within } from './within.js'

/** A background request, for the cache and the target of the one that was answered with what it renews. */
export interface Refresh {
  readonly cache: FastifyCache
  readonly target: TargetUri
  /** A hook in front of the handler has let it through. */
  hasReachedHandler: boolean
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

/** Renews what was served stale: one request per key at a time, across processes, without credentials; nobody waits for it. */
export class Refresher {
  static readonly MAX_FAILURES = 10_000
  readonly #fastify: FastifyInstance
  readonly #running = new Set<string>()
  /** By a secret that no client can send. */
  readonly #bySecret = new Map<string, Refresh>()
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
  of (request: FastifyRequest): Refresh | undefined {
    const secret = request.raw.headers[REFRESH]
    const refresh = secret === undefined ? undefined : this.#bySecret.get(String(secret))
    if (refresh !== undefined) refresh.hasReachedHandler = true
    return refresh
  }

  /** Whether a hook refused to refresh this: it is not served stale, and the next client renews it. */
  isRefused (key: string, { variant }: StoredHead): boolean {
    return this.#refused.isActive(key + variant)
  }

  /** Begins, unless one is under way, or one has failed a moment ago. */
  start (request: FastifyRequest, cache: FastifyCache, key: string, target: TargetUri, stale: StoredHead): void {
    const id = key + stale.variant
    if (this.#running.has(id) || this.#paused.isActive(id)) return
    this.#running.add(id)
    this.#run(request, cache, key, target, stale)
      .catch((error: unknown) => {
        this.#pause(id)
        warn(request.log, { err: error }, 'Cache: a background refresh failed')
      })
      .finally(() => this.#running.delete(id))
  }

  async #run (request: FastifyRequest, cache: FastifyCache, key: string, target: TargetUri, stale: StoredHead): Promise<void> {
    const headers = headersOf(request, target, stale)
    const lock = await cache.lock(`${key}:refresh`, { ttl: LIMIT_SECONDS })
    // Another process is at it. A cache without locks, or one that fails, does not keep it from being done.
    if (lock.ok && lock.value === null) return
    const secret = randomBytes(24).toString('base64url')
    const refresh: Refresh = { cache, target, hasReachedHandler: false, hasRenewed: false }
    this.#bySecret.set(secret, refresh)
    const answered = this.#fastify.inject({ method: 'GET', url: request.originalUrl, headers: { ...headers, [REFRESH]: secret } })
      .then(({ statusCode }) => statusCode)
      .finally(() => this.#bySecret.delete(secret))
    try {
      this.#conclude(key + stale.variant, request, refresh, await within(LIMIT_SECONDS * 1000, answered, true))
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
    if (status === undefined) {
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

/** What chose the answer, and where it was asked for. */
function headersOf (request: FastifyRequest, target: TargetUri, stale: StoredHead): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { host: request.raw.headers.host ?? target.host }
  for (const name of stale.vary) {
    const value = request.raw.headers[name]
    if (value !== undefined) headers[name] = value
  }
  if (request.ips !== undefined) {
    headers['x-forwarded-host'] = request.host
    headers['x-forwarded-proto'] = request.protocol
  }
  return headers
}
