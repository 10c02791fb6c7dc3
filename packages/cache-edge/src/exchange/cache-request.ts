import type { FastifyCache } from '@x/cache-core'
import type { Log } from '../lib/notices.js'
import type { CacheStatus } from '../rules/cache-status.js'
import type { DecidedRequest } from '../rules/decide.js'
import type { Policy } from '../rules/policy.js'
import type { StoredHead } from '../store/stored-response.js'
import type { Servable } from '../store/variants.js'
import type { RecordedRun, RunListener } from './recorded-run.js'
import type { Exchange, UnstoredReason } from './judge-response.js'

/** A route whose responses are stored. `R`: the request of the framework. */
export interface StoredRoute<R = never> {
  readonly pattern: string
  readonly policy: Policy<R>
  /** The constraints of Fastify that distinguish the route from others of the same URL, as text; `''`: the route has no constraint. */
  readonly choice: string
  /** Whether a response of the route has been stored or served from the store since the start of the process. */
  hasStored?: boolean
}

/** The properties by which requests are compared: if they are equal in two requests, the handler sees the same parts of both. */
export interface ViewIdentity { readonly key: string; readonly route: StoredRoute; readonly ip: string }

/**
 * A background request that renews a stored response (a refresh). It uses the cache of the client's request that received the stale
 * response, and its handler must see the same parts of the request.
 */
export interface Refresh {
  readonly cache: FastifyCache
  readonly identity: ViewIdentity
  readonly stale: StoredHead
  /** Whether the background request has passed every hook in front of the handler. */
  hasReachedHandler: boolean
  /** Whether hooks changed the background request into another one, so that it was refused. */
  isOther: boolean
  /** Whether the response to the background request was stored, so that it renewed the stored response. */
  hasRenewed: boolean
}

/**
 * One request to a route with `store`, and its reply. The exchange acts on request and reply only through this interface, which `fastify/`
 * implements.
 */
export interface CacheRequest extends Exchange, DecidedRequest {
  /** The headers as the client sent them. While the handler runs, the headers that it must not see are missing. */
  readonly headers: Exchange['headers']
  readonly log: Log
  readonly route: StoredRoute
  readonly identity: ViewIdentity
  /**
   * The key by which handler runs are shared. A request may wait for the run of another request with this key, since the handler sees the
   * same parts of both.
   */
  readonly flightKey: string
  readonly cache: FastifyCache
  /** The tags that a stored response to the request gets: those of its target URI and of the policy. */
  readonly tags: string[]
  /** The refresh that this background request carries out; `undefined`: the request came from a client. */
  readonly refresh: Refresh | undefined
  /** Whether the client disconnected before its response was complete. */
  readonly isGone: boolean
  /**
   * Whether the cache serves the request's key: an implementation stores values, and the rollout includes the request and its key. A
   * request that the cache does not serve never waits for another request, since observing must not delay it.
   */
  readonly isServed: boolean

  /**
   * The key under which a response to the request is stored and shared with other requests; `undefined`: the response is neither stored nor
   * shared, since its `No-Vary-Search` differs from that of an earlier response, by which the key of the request was computed.
   */
  keyFor (response: StoredHead): string | undefined
  /**
   * Whether the labels (`Content-Type` and `Content-Language`, as hooks set them before the handler) are the same as when a response was
   * stored.
   */
  hasLabelsOf (stored: StoredHead): boolean
  /** Called when the cache has a fresh response to the request, so that later requests for the same target can be answered early. */
  noteStored (): void
  /** Marks the response as personal: it is sent to this HTTP client, and no other request may get it from a store. */
  markPersonal (): void
  /**
   * Returns a function that sends the background request for a refresh, from the current state of this request. The function resolves with
   * the status of the response.
   */
  prepareRefresh (refresh: Refresh): () => Promise<number>

  /**
   * Sends a stored response as a hit, fresh or within its stale-while-revalidate window, or a 304 if the client already has that response.
   * @param now milliseconds of the epoch
   */
  serveHit (response: Servable, now: number): void
  /** Sends a response with this status as the member of `Cache-Status`, or a 304 if the client already has that response. */
  serve (response: Servable, status: CacheStatus): void
  /** Sends 504 for a request with `only-if-cached` that no stored response answers (RFC 9111 §5.2.1.7). */
  sendGatewayTimeout (): void
  /** Sends the 304 of the handler unchanged. */
  sendNotModified (): void
  /**
   * Sets the member of this cache in the response header `Cache-Status`.
   * @param unstored called after the last onSend hook, for the reason why the response will not be stored
   */
  setStatus (status: CacheStatus, unstored?: () => UnstoredReason | undefined): void
  setCode (code: number): void
  removeHeader (name: string): void
  /**
   * Runs the handler, which sees only the headers in the cache key, and records nothing. Rejects with the error of the handler.
   * @param also further headers that the handler sees
   */
  run (also?: readonly string[]): Promise<void>
  /**
   * Prepares a handler run that is recorded.
   * @param stale the stored response that the handler may validate; `'shown-all'`: the handler sees the whole request and validates no
   * stored response
   */
  record (listener: RunListener, stale: StoredHead | 'shown-all' | undefined): RecordedRun
}
