import type { CacheError } from '@x/cache-core'
import type { ImplementationStatus } from '@x/cache-core/implementing'
import type { RedisCacheSettings } from './options.js'
import type { NearStatus } from './near/near-status.js'
import type { HealthReport } from './service/health.js'
import type { Removal } from './service/invalidation-queue.js'

declare module '@x/cache-core/implementing' {
  interface ImplementationStatus {
    /** The state of the circuit breaker in front of the cache's store. */
    breaker?: 'closed' | 'half-open' | 'open'
    /** Whether remembered tokens of tags are relied on; see `RedisStatus`. */
    tracking?: 'trusted' | 'in doubt' | 'off'
    /** The number of removals that wait for the cache's store. */
    queuedInvalidations?: number
    /** The state of the near cache: copies of entries in this process, in front of the cache's store. */
    near?: NearStatus
  }
}

/** The part of `GET /internal/cache` that describes Redis. */
export interface RedisStatus extends ImplementationStatus {
  /** Whether Redis is out of service; the app then runs without Redis. */
  degraded: boolean
  /** The mode of the Redis client: single, cluster or sentinel. */
  mode: RedisCacheSettings['mode']
  breaker: 'closed' | 'half-open' | 'open'
  /** The number of removals of entries that wait for Redis. */
  queuedInvalidations: number
  /**
   * `trusted`: remembered tokens are relied on, in an idle process after a check beside its first read; `in doubt`: each token is read from
   * Redis; `off`: `consistency` is `strong`.
   */
  tracking: 'trusted' | 'in doubt' | 'off'
  /** The result of the last health check of Redis; `undefined` before the first. */
  health: HealthReport | undefined
  /** Why Redis is out of service although it answers, according to the last probe; contains no credentials. */
  problem: string | undefined
  /** The state of the near cache; missing without the option `near`. */
  near?: NearStatus
}

/** Callbacks of a `RedisCache`. A throw or a rejection of a callback is caught, and reported once to `onWarning`. */
export interface RedisCacheEvents {
  /** Is called with the new status when a part of `status()` has changed. */
  onChange?: (status: RedisStatus) => void
  /** `getMany` found an entry that cannot be read, and returned a miss for its key; or a token that another program wrote was replaced. */
  onCorrupt?: (error: CacheError) => void
  /** Redis acknowledged a removal that had waited for it (`queued: true`). */
  onReplayed?: (removal: Removal) => void
  /** The connection to Redis failed; the message contains host and port, never credentials. */
  onError?: (error: Error) => void
  /** A setting has no effect for a lasting reason; called once. The message has the remedy, and contains no credentials. */
  onWarning?: (warning: Error) => void
}
