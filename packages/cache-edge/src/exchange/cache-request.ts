import type { FastifyCache } from '@x/cache-core'
import type { Log } from '../lib/notices.js'
import type { CacheStatus } from '../rules/cache-status.js'
import type { DecidedRequest } from '../rules/decide.js'
import type { Policy } from '../rules/policy.js'
import type { TargetUri } from '../store/cache-key.js'
import type { StoredHead } from '../store/stored-response.js'
import type { Servable } from '../store/variants.js'
import type { RecordedRun, RunListener } from './recorded-run.js'
import type { Exchange, UnstoredReason } from './judge-response.js'

/** A route whose responses are stored. `R`: the request of the framework. */
export interface StoredRoute<R = never> {
  readonly pattern: string
  readonly policy: Policy<R>
  /** The constraints that distinguish it from other routes of its URL, as text; `''`: none. */
  readonly choice: string
}

/** The properties by which two requests show a handler the same: route, cache key, and client address. */
export interface ViewIdentity { readonly key: string; readonly route: StoredRoute; readonly ip: string }

/** A background request that renews a stored response, in the cache and with the view of the request that was answered with it. */
export interface Refresh {
  readonly cache: FastifyCache
  readonly identity: ViewIdentity
  readonly stale: StoredHead
  /** Whether the request has passed every hook in front of the handler. */
  hasReachedHandler: boolean
  /** Whether hooks changed the request, so that it was refused. */
  isOther: boolean
  /** Whether the response was stored. */
  hasRenewed: boolean
}

/** One request to a stored route, and the reply to it. The exchange acts on both through this interface alone; `fastify/` implements it. */
export interface CacheRequest extends Exchange, DecidedRequest {
  /** The headers as the client sent them, except while some are hidden from the handler. */
  readonly headers: Exchange['headers']
  readonly log: Log
  readonly route: StoredRoute
  readonly target: TargetUri
  readonly identity: ViewIdentity
  /** The key of the requests that may wait for one handler run: the handler sees all of them alike. */
  readonly flightKey: string
  readonly cache: FastifyCache
  /** The tags of the target and of the policy. */
  readonly tags: string[]
  /** The background refresh that the request is; `undefined`: it came from a client. */
  readonly refresh: Refresh | undefined
  /** Whether the client left before its response was complete. */
  readonly isGone: boolean
  /** Whether the rollout answers the request with the cache: another request must not wait, since observing must not delay it. */
  readonly isCached: boolean

  /** Whether hooks in front of the handler have set the same labels as when a response was stored. */
  hasLabelsOf (stored: StoredHead): boolean
  /** Marks the response as one for this client alone. */
  markPersonal (): void
  /** Returns the function that sends the background request for a refresh, from the current state of this request. It resolves with the status. */
  prepareRefresh (refresh: Refresh): () => Promise<number>

  /** Sends a stored response, or 304 if the client has it. */
  serve (response: Servable, status?: CacheStatus): void
  /** Sends 504 (RFC 9111 §5.2.1.7). */
  sendGatewayTimeout (): void
  /** Sends the 304 of the handler unchanged. */
  sendNotModified (): void
  /**
   * Notes the member of this cache in `Cache-Status`.
   * @param unstored called after the last onSend hook, for the reason why the response will not be stored
   */
  setStatus (status: CacheStatus, unstored?: () => UnstoredReason | undefined): void
  setCode (code: number): void
  removeHeader (name: string): void
  /** Runs the handler with the keyed headers, and records nothing. Rejects as the handler. */
  run (): Promise<void>
  /**
   * Prepares a handler run that is recorded.
   * @param stale the stored response that the handler may validate; `'shown-all'`: the handler sees the whole request, and validates none
   */
  record (listener: RunListener, stale: StoredHead | 'shown-all' | undefined): RecordedRun
}
