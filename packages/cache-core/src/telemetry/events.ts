import type { FastifyRequest } from 'fastify'
import type { CacheError } from '../contract/errors.js'
import { isPromise } from '../lib/harmless.js'

/**
 * The outcome of a read. `stale`: an entry past its ttl was served, which counts as a hit. `miss`: nothing was found, or the key is outside
 * of the rollout. `failed`: the implementation answered with an error to `get` or `getEntry`; in `getOrSet` a load follows, a `miss`.
 */
export type ReadOutcome = 'hit' | 'stale' | 'miss' | 'failed'

/**
 * The events of a cache, each with the arguments of its listeners. Sibling packages add their events by declaration merging on
 * `@x/cache-core/suite`.
 */
export interface CacheEvents {
  /** A key was read. On the hot path: a listener costs every read. */
  read: [key: string, keyPattern: string, outcome: ReadOutcome]
  /** Another implementation is in service. */
  swapped: [from: string, to: string]
  /** An implementation is in service whose class has no name of its own; `implName` stands for it. */
  unnamed: [implName: string]
  /** An operation failed. */
  failed: [impl: string, operation: string, error: CacheError]
  /** A ttl, a key or a value under a key pattern is most likely a mistake; `message` gives the reason. Once per pattern and reason. */
  doubted: [keyPattern: string, message: string]
  /** A loader ended; `error` is its error. `background`: no caller waited for it. */
  loaded: [key: string, keyPattern: string, seconds: number, value: unknown, error: unknown, background: boolean]
  /** A loader returned a value for a watched request; see `Core.watch`. */
  loadedFor: [key: string, value: unknown, request: FastifyRequest]
  /** An operation of the implementation ended. Emitted while durations are measured. */
  operated: [impl: string, operation: string, seconds: number]
  /**
   * Tags were invalidated in this process: the implementation acknowledged it, or queued it for its store (`queued: true`). A queued
   * invalidation is emitted again when the store has acknowledged it.
   */
  invalidated: [tags: readonly string[], soft: boolean]
  /** All entries were removed in this process; acknowledged or queued, as for `invalidated`. */
  cleared: []
  /** The share of subjects in the cached arm changed. */
  rollout: [percent: number]
  /** A listener of `event` threw or rejected for the first time. */
  listenerFailed: [event: string, error: unknown]
}

type Listener<K extends keyof CacheEvents> = (...args: CacheEvents[K]) => void

/** One subscription. */
interface Subscription<K extends keyof CacheEvents> {
  readonly listener: Listener<K>
  hasFailed: boolean
}

/**
 * Synchronous typed events. The first failure of a listener, a throw or a rejection, is emitted as `listenerFailed`, without a
 * listener of that event as a warning of the process. It harms neither the cache nor the other listeners.
 */
export class Events {
  /** Whether `read` has a listener: a field, since every hit asks. */
  hasReaders = false
  readonly #subscriptions: { [K in keyof CacheEvents]?: Subscription<K>[] } = {}

  /** Adds a listener; returns the function that removes it. */
  on<K extends keyof CacheEvents> (event: K, listener: Listener<K>): () => void {
    const lists = this.#subscriptions as Record<K, Subscription<K>[] | undefined>
    // An object per call, so that a listener that was added twice is removed once at a time.
    const own: Subscription<K> = { listener, hasFailed: false }
    lists[event] = [...lists[event] ?? [], own]
    this.hasReaders = this.has('read')
    return () => {
      const left = lists[event]?.filter((other) => other !== own)
      lists[event] = left !== undefined && left.length > 0 ? left : undefined
      this.hasReaders = this.has('read')
    }
  }

  /** Whether an event has a listener; without one the emitter can skip the work for it. */
  has (event: keyof CacheEvents): boolean {
    return this.#subscriptions[event] !== undefined
  }

  /** Calls the listeners of an event in the order of their subscriptions; never throws. */
  emit<K extends keyof CacheEvents> (event: K, ...args: CacheEvents[K]): void {
    const subscriptions = this.#subscriptions[event] as Subscription<K>[] | undefined
    if (subscriptions === undefined) return
    for (const subscription of subscriptions) {
      try {
        const { listener } = subscription
        const returned = listener(...args) as unknown
        // The rejection of an async listener would end the process if nobody took it.
        if (returned !== undefined) isPromise(returned, (error) => this.#report(event, subscription, error))
      } catch (error) {
        this.#report(event, subscription, error)
      }
    }
  }

  #report (event: string, subscription: { hasFailed: boolean }, error: unknown): void {
    if (subscription.hasFailed) return
    subscription.hasFailed = true
    // A listener of `listenerFailed` that fails has no other listener to be reported to.
    if (event === 'listenerFailed') return
    if (this.has('listenerFailed')) return this.emit('listenerFailed', event, error)
    process.emitWarning(`A listener of the cache event "${event}" failed: ${error instanceof Error ? error.stack : String(error)}`, 'CacheWarning')
  }
}
