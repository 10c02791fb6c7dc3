import type { Cache, Result, SetOptions } from '@x/cache-core'
import { err, ok, valueInvalid } from '@x/cache-core/implementing'

interface Stored { readonly value: unknown; readonly until: number }

/** A cache with the three required methods of the contract. Replace the `Map` by a store of your own. */
export class CustomCache implements Cache {
  /** The value of the label `impl` in the metrics. */
  readonly name = 'custom'
  readonly #entries = new Map<string, Stored>()
  readonly #maxEntries: number
  readonly #now: () => number

  constructor ({ maxEntries = 10_000, now = Date.now }: { maxEntries?: number; now?: () => number } = {}) {
    this.#maxEntries = maxEntries
    this.#now = now
  }

  async get<T> (key: string): Promise<Result<T | null>> {
    const stored = this.#entries.get(key)
    if (stored === undefined) return ok(null)
    if (stored.until > this.#now()) return ok(structuredClone(stored.value) as T)
    this.#entries.delete(key)
    return ok(null)
  }

  // The value is cloned before the first await, since the caller may change it as soon as `set` has returned its promise.
  async set (key: string, value: unknown, ttl?: number | SetOptions): Promise<Result<void>> {
    const seconds = (typeof ttl === 'object' ? ttl?.ttl : ttl) ?? 3600
    try {
      const stored = { value: structuredClone(value), until: this.#now() + seconds * 1000 }
      this.#entries.delete(key)
      if (this.#entries.size >= this.#maxEntries) this.#entries.delete(this.#entries.keys().next().value!)
      this.#entries.set(key, stored)
      return ok()
    } catch (cause) {
      return err(valueInvalid('what cannot be cloned', { cause }))
    }
  }

  async del (key: string): Promise<Result<void>> {
    this.#entries.delete(key)
    return ok()
  }
}
