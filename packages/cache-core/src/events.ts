import type { FastifyRequest } from 'fastify'
import type { CacheError } from './errors.js'

/** What a cache announces, and the arguments that a listener gets. */
export interface CacheEvents {
  /** Another implementation is in service. */
  swapped: [from: string, to: string]
  /** An operation failed. */
  failed: [impl: string, operation: string, error: CacheError]
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

/**
 * Synchronous typed events. A listener that throws is reported to `onListenerError` and harms neither the cache nor the
 * other listeners.
 */
export class Events {
  readonly #listeners: { [K in keyof CacheEvents]?: Listener<K>[] } = {}
  onListenerError: (event: string, error: unknown) => void = (event, error) => { queueMicrotask(() => { throw error }) }

  /** Listens; call what it returns to stop. */
  on<K extends keyof CacheEvents> (event: K, listener: Listener<K>): () => void {
    const list = this.#listeners as Record<K, Listener<K>[] | undefined>
    // One of its own, so that who listens twice stops once at a time.
    const own: Listener<K> = (...args) => listener(...args)
    list[event] = [...list[event] ?? [], own]
    return () => {
      const left = list[event]?.filter((other) => other !== own)
      list[event] = left !== undefined && left.length > 0 ? left : undefined
    }
  }

  /** Whether anybody listens: lets the hot path skip what only a listener would see. */
  has (event: keyof CacheEvents): boolean {
    return this.#listeners[event] !== undefined
  }

  emit<K extends keyof CacheEvents> (event: K, ...args: CacheEvents[K]): void {
    const listeners = this.#listeners[event] as Listener<K>[] | undefined
    if (listeners === undefined) return
    for (const listener of listeners) {
      try {
        const returned = listener(...args) as unknown
        // An async function is a listener, too, and its rejection must not end the process.
        if (returned instanceof Promise) returned.catch((error) => this.onListenerError(event, error))
      } catch (error) {
        this.onListenerError(event, error)
      }
    }
  }
}
