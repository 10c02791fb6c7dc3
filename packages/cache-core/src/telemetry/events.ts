import type { FastifyRequest } from 'fastify'
import type { CacheError } from '../contract/errors.js'
import { isPromise } from '../lib/harmless.js'
import type { ShadowOutcome } from './shadow-stats.js'

/**
 * The outcome of a read. `stale`: an entry past its ttl was served, which counts as a hit. `miss`: no valid entry was found, or the key is
 * outside of the rollout. `failed`: `get` or `getEntry` of the implementation returned an error; a failed read of `getOrSet` is a `miss`,
 * since a load follows.
 */
export type ReadOutcome = 'hit' | 'stale' | 'miss' | 'failed'

/** The tags of a stored value: a list, or the function that returns them; `undefined`: there are none. */
export type TagsOfStored = readonly string[] | ((value: any) => readonly string[]) | undefined

/**
 * The events of a cache, each with the arguments of its listeners. Sibling packages add their events by declaration merging on
 * `@x/cache-core/suite`.
 */
export interface CacheEvents {
  /**
   * A key was read. The event is emitted for every read, so a listener slows down every read. `tags`: the option of a `getOrSet` call that
   * found a value, which may be malformed, or a function.
   */
  read: [key: string, keyPattern: string, outcome: ReadOutcome, tags?: TagsOfStored]
  /** The implementation `to` has replaced the implementation `from`. */
  swapped: [from: string, to: string]
  /** An implementation came into service whose class has no name; `implName` is the name that is used. */
  unnamed: [implName: string]
  /** An operation of the cache failed; `keyPattern` is that of its key, where a store or a load of one valid key failed. */
  failed: [impl: string, operation: string, error: CacheError, keyPattern?: string]
  /**
   * A ttl, a key or a value under a key pattern is most likely a mistake; `message` has the reason. Emitted once per pattern and reason.
   */
  doubted: [keyPattern: string, message: string]
  /** A loader ended; `error` is its error. `background`: no caller waited for the load. */
  loaded: [key: string, keyPattern: string, seconds: number, value: unknown, error: unknown, background: boolean]
  /** A loader returned a value for a request that `Core.watch` selects. */
  loadedFor: [key: string, value: unknown, request: FastifyRequest]
  /** An operation of the implementation ended. Emitted while durations are measured. */
  operated: [impl: string, operation: string, seconds: number]
  /**
   * A value was stored, or would have been stored in the cached arm. `tags` are those of the entry; if nothing was stored, `tags` may be
   * the function of a `getOrSet` call that makes them from the value. `lifetime`: seconds until the entry ends with its stale window; 0:
   * nothing was stored.
   */
  stored: [key: string, keyPattern: string, value: unknown, tags: TagsOfStored, lifetime: number]
  /**
   * Entries were removed in this process by their keys: the implementation acknowledged the removal, or queued it for its store. The event
   * is emitted once per removal.
   */
  removed: [keys: readonly string[]]
  /**
   * Tags were invalidated in this process: the implementation acknowledged the invalidation, or queued it for its store (its error has
   * `queued: true`). A queued invalidation is emitted again when the store has acknowledged it.
   */
  invalidated: [tags: readonly string[], soft: boolean]
  /** All entries were removed in this process; acknowledged or queued, as for `invalidated`. */
  cleared: []
  /**
   * A shadow read was decided: the entry of a sampled key was compared with a value that was loaded in the control arm. `age`: the seconds
   * since the entry was stored; `NaN` if they are unknown or there was no entry. A mismatch is decided after five seconds or more.
   */
  shadowed: [keyPattern: string, outcome: ShadowOutcome, age: number]
  /** The percent of subjects in the cached arm has changed. */
  rollout: [percent: number]
  /** A listener of `event` threw or rejected for the first time. */
  listenerFailed: [event: string, error: unknown]
}

type Listener<K extends keyof CacheEvents> = (...args: CacheEvents[K]) => void

/** One listener of an event, and whether it has failed before. */
interface Subscription<K extends keyof CacheEvents> {
  readonly listener: Listener<K>
  hasFailed: boolean
}

/**
 * Synchronous typed events of the cache. The first throw or rejection of a listener is emitted as `listenerFailed`, or as a warning of the
 * process if that event has no listener. A failing listener affects neither the cache nor the other listeners.
 */
export class Events {
  /** Whether the event `read` has a listener. This is a field and no method, since every hit reads it. */
  hasReaders = false
  readonly #subscriptions: { [K in keyof CacheEvents]?: Subscription<K>[] } = {}

  /** Adds a listener to an event; returns the function that removes it. */
  on<K extends keyof CacheEvents> (event: K, listener: Listener<K>): () => void {
    const lists = this.#subscriptions as Record<K, Subscription<K>[] | undefined>
    // Each call of `on` adds a separate object: a listener that was added twice is then removed once per call of its remover.
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
        // The rejection of an async listener would end the process if it were not handled.
        if (returned !== undefined) isPromise(returned, (error) => this.#report(event, subscription, error))
      } catch (error) {
        this.#report(event, subscription, error)
      }
    }
  }

  #report (event: string, subscription: { hasFailed: boolean }, error: unknown): void {
    if (subscription.hasFailed) return
    subscription.hasFailed = true
    // A failure of a listener of `listenerFailed` is not reported, since its report would call the same listener.
    if (event === 'listenerFailed') return
    if (this.has('listenerFailed')) return this.emit('listenerFailed', event, error)
    process.emitWarning(`A listener of the cache event "${event}" failed: ${error instanceof Error ? error.stack : String(error)}`, 'CacheWarning')
  }
}
