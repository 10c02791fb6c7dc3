import type { Cache, Entry, Lease, LeaseOptions, Lock, LockOptions, ReadHint, SetOptions, TagSnapshot } from '../contract/cache.js'
import type { Serializer, SerializerName } from '../contract/isolation.js'
import type { Result } from '../contract/result.js'
import type { Immediate, NearReads } from '../contract/sync-read.js'
import type { Doubts } from '../telemetry/doubts.js'
import type { MeasuredService } from '../telemetry/measure.js'
import type { Observer } from '../telemetry/read-outcomes.js'
import type { ImplStats } from '../telemetry/counters.js'
import type { ShadowSettings } from './shadow/shadow-settings.js'
import type { Flights } from './single-flight.js'

/**
 * The registered implementation, with the calls of it that a load makes; `Registration` in `service/` implements this interface. None of
 * the calls throws or rejects.
 */
export interface LoadTarget {
  readonly impl: Pick<Cache, 'lock' | 'leases' | 'tags'>
  readonly immediate: Immediate | undefined
  readonly near: NearReads | undefined
  readonly stats: ImplStats
  readonly isLocal: boolean
  /** The serializer of the implementation; `undefined`: it has none of its own. */
  readonly serializer: SerializerName | Serializer | undefined
  lookup<T> (key: string, hint: ReadHint): Promise<Result<Entry<T> | null>>
  set (key: string, value: unknown, options: SetOptions): Promise<Result<void>>
  capture (tags: string[]): Promise<Result<TagSnapshot>>
  takeLease (key: string, options: LeaseOptions): Promise<Result<Lease>>
  isCurrent (lease: Lease): Promise<Result<boolean>>
  releaseLease (lease: Lease): Promise<Result<void>>
  lock (key: string, options: LockOptions): Promise<Result<Lock | null>>
}

/** The parts of the registry that a load needs; `CacheRegistry` implements this interface. */
export interface LoadService extends MeasuredService {
  readonly active: LoadTarget
  /** The counters of calls outside of the rollout, and of calls with an invalid key. */
  readonly controlStats: ImplStats
  readonly flights: Flights
  readonly observer: Observer
  readonly doubts: Doubts
  readonly shadow: ShadowSettings
  /**
   * The serializer by which values are copied for the callers that share one load: that of the implementation for which the load began,
   * whichever is in service when it ends.
   */
  serializerOf (target: LoadTarget): SerializerName | Serializer
}
