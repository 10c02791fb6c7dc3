import type { CacheError } from '@x/cache-core'
import type { ImplementationStatus } from '@x/cache-core/implementing'
import type { RedisCacheSettings } from './options.js'
import type { NearStatus } from './near/near-status.js'
import type { HealthReport } from './service/health.js'
import type { Removal } from './service/invalidation-queue.js'

declare module '@x/cache-core/implementing' {
  interface ImplementationStatus {
    /** The state of the circuit breaker in front of Redis. */
    breaker?: 'closed' | 'half-open' | 'open'
    /** Whether reads rely on remembered tokens of tags; see `RedisStatus`. */
    tracking?: 'trusted' | 'in doubt' | 'off'
    /** The number of removals that wait until Redis can be reached. */
    queuedInvalidations?: number
    /** The state of the near cache: copies of entries in this process, in front of Redis. */
    near?: NearStatus
  }
}

/** The part of `GET /internal/cache` that describes Redis. */
export interface RedisStatus extends ImplementationStatus {
  /** Whether Redis is out of service; the app then works without a cache. */
  degraded: boolean
  /** The mode of the Redis client: single, cluster or sentinel. */
  mode: RedisCacheSettings['mode']
  breaker: 'closed' | 'half-open' | 'open'
  /** The number of removals of entries that wait for Redis. */
  queuedInvalidations: number
  /**
   * `trusted`: reads rely on remembered tokens; in an idle process only after a check that runs beside the first read. `in doubt`: each
   * token is read from Redis. `off`: `consistency` is `strong`.
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
  /** Called with the new status when a part of `status()` has changed. */
  onChange?: (status: RedisStatus) => void
  /**
   * Called when `getMany` found an entry that cannot be read, and returned a miss for its key. Also called when a token that foreign
   * software wrote was replaced.
   */
  onCorrupt?: (error: CacheError) => void
  /** Called when Redis has acknowledged a removal that had waited for it (`queued: true`). */
  onReplayed?: (removal: Removal) => void
  /** Called when the connection to Redis fails; the message contains host and port, never credentials. */
  onError?: (error: Error) => void
  /** Called once when a setting has no effect for a lasting reason. The message contains the remedy, and no credentials. */
  onWarning?: (warning: Error) => void
}
