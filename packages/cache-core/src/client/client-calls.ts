import { MAX_TTL } from '../contract/arguments.js'
import { DEFAULT_TTL } from '../contract/default-ttl.js'
import type { CacheError } from '../contract/errors.js'
import { err, type Result } from '../contract/result.js'
import type { Registration } from '../service/registration.js'
import type { CacheRegistry } from '../service/registry.js'
import { measured, storeMeasured } from '../telemetry/measure.js'
import type { ImplStats } from '../telemetry/counters.js'
import type { WarmLog } from './warm.js'

/** Settings that the cache clients (`fastify.cache`, `request.cache`) of one app share. `defaultTtl` is in seconds. */
export interface ClientSettings { defaultTtl?: number | undefined; log?: WarmLog | undefined }

/** Measures the calls of the cache clients and counts their failures. The clients of all arms share one instance. */
export class ClientCalls {
  readonly registry: CacheRegistry
  readonly #settings: ClientSettings

  constructor (registry: CacheRegistry, settings: ClientSettings) {
    this.registry = registry
    this.#settings = settings
  }

  /** Returns the ttl of an entry in seconds: the given one, else the default; at most `MAX_TTL`. */
  ttl (ttl: number | undefined): number {
    return Math.min(ttl ?? this.#settings.defaultTtl ?? DEFAULT_TTL, MAX_TTL)
  }

  /** Returns `pending`, the promise of a cache call. Its duration is recorded if the registry measures durations. */
  timed<T> (
    registration: Registration, operation: string, pending: Promise<Result<T>>, keys?: string | readonly string[]
  ): Promise<Result<T>> {
    return measured(this.registry, registration.stats, operation, pending, keys)
  }

  /** Calls `store`, which stores the values of the keys. Its duration is recorded if the registry measures durations. */
  timedStore (
    registration: Registration, operation: string, keys: string | readonly string[], store: () => Promise<Result<void>>
  ): Promise<Result<void>> {
    return storeMeasured(this.registry, registration.stats, operation, keys, store)
  }

  /** Counts an error in the arguments of a cache call and returns it as the result. */
  refuse (operation: string, error: CacheError, key?: string): Promise<Result<never>> {
    this.fail(this.registry.active.stats, operation, error, key)
    return Promise.resolve(err(error))
  }

  /** Returns the given result of a cache call; if it is an error, the error is counted. */
  failed<R extends Result<unknown>> (stats: ImplStats, operation: string, result: R, key?: string): R {
    if (!result.ok) this.fail(stats, operation, result.error, key)
    return result
  }

  /** Counts an error of a cache call, and emits the event `failed`. */
  fail (stats: ImplStats, operation: string, error: CacheError, key?: string): void {
    this.registry.observer.fail(stats, operation, error, key)
  }
}

/** Whether a removal took effect in this process, so that listeners that hold copies of the value must be notified. */
export function hasTakenEffect (result: Result<void>): boolean {
  return result.ok || result.error.queued === true
}
