import type { FastifyRequest } from 'fastify'
import type { CacheError } from '../contract/errors.js'
import { isPromise } from '../lib/harmless.js'

/** What a cache announces, and the arguments that a listener gets. */
export interface CacheEvents {
  /** Another implementation is in service. */
  swapped: [from: string, to: string]
  /** An implementation is in service whose class has no name of its own; `implName` stands for it. */
  unnamed: [implName: string]
  /** An operation failed. */
  failed: [impl: string, operation: string, error: CacheError]
  /** A ttl, a key or a value under a key pattern is most likely not meant; `message` says why. Once per pattern and reason. */
  doubted: [keyPattern: string, message: string]
  /** A loader ended; `error` is what it threw. `background`: nobody waited for it. */
  loaded: [key: string, keyPattern: string, seconds: number, value: unknown, error: unknown, background: boolean]
  /** A loader gave a value for a request that is watched; see `Core.watch`. */
  loadedFor: [key: string, value: unknown, request: FastifyRequest]
  /** An operation of the implementation ended. Announced while durations are measured. */
  operated: [impl: string, operation: string, seconds: number]
  /**
   * Tags were invalidated in this process: the implementation acknowledged it, or keeps it for its store (`queued: true`) and
   * announces it anew when the store has taken it.
   */
  invalidated: [tags: readonly string[], soft: boolean]
  /** Everything was removed in this process; acknowledged or queued, as above. */
  cleared: []
  /** A request arrived that the edge may answer. */
  edgeCandidate: [route: string, method: string]
  /** A conditional request was answered 304. */
  etagMatch: [route: string, method: string]
  /** The share of subjects that are in changed. */
  rollout: [percent: number]
}

type Listener<K extends keyof CacheEvents> = (...args: CacheEvents[K]) => void

/** One subscription. */
interface Subscription<K extends keyof CacheEvents> {
  readonly listener: Listener<K>
  hasFailed: boolean
}

/**
 * Synchronous typed events. A listener that throws or rejects is reported once to `onListenerError` and harms neither the
 * cache nor the other listeners.
 */
export class Events {
  readonly #subscriptions: { [K in keyof CacheEvents]?: Subscription<K>[] } = {}
  /** Is told of the first failure of each listener. By default a warning of the process. */
  onListenerError: (event: string, error: unknown) => void = (event, error) => {
    process.emitWarning(`A listener of the cache event "${event}" failed: ${error instanceof Error ? error.stack : String(error)}`, 'CacheWarning')
  }

  /** Listens; call what it returns to stop. */
  on<K extends keyof CacheEvents> (event: K, listener: Listener<K>): () => void {
    const lists = this.#subscriptions as Record<K, Subscription<K>[] | undefined>
    // One of its own, so that who listens twice stops once at a time.
    const own: Subscription<K> = { listener, hasFailed: false }
    lists[event] = [...lists[event] ?? [], own]
    return () => {
      const left = lists[event]?.filter((other) => other !== own)
      lists[event] = left !== undefined && left.length > 0 ? left : undefined
    }
  }

  /** Whether anybody listens: lets the hot path skip what only a listener would see. */
  has (event: keyof CacheEvents): boolean {
    return this.#subscriptions[event] !== undefined
  }

  emit<K extends keyof CacheEvents> (event: K, ...args: CacheEvents[K]): void {
    const subscriptions = this.#subscriptions[event] as Subscription<K>[] | undefined
    if (subscriptions === undefined) return
    for (const subscription of subscriptions) {
      try {
        const { listener } = subscription
        const returned = listener(...args) as unknown
        // An async function is a listener, too, and its rejection must not end the process.
        if (returned !== undefined) isPromise(returned, (error) => this.#report(event, subscription, error))
      } catch (error) {
        this.#report(event, subscription, error)
      }
    }
  }

  #report (event: string, subscription: { hasFailed: boolean }, error: unknown): void {
    if (subscription.hasFailed) return
    subscription.hasFailed = true
    try {
      this.onListenerError(event, error)
    } catch {
      // A reporter that fails has nobody to report to.
    }
  }
}
