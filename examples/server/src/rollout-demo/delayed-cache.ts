import { MemoryCache, type Cache, type Entry, type Result, type SetOptions } from '@x/cache-core'
import type { SimulatedTime } from './simulated-time.js'

const MAX_ENTRIES = 10_000

/** A cache in memory whose reads take as long as those of a cache on another machine. */
export class DelayedCache implements Cache {
  readonly name = 'DelayedCache'
  /** The milliseconds that each read takes. */
  readMs = 1
  readonly #time: SimulatedTime
  readonly #memory: MemoryCache

  constructor (time: SimulatedTime) {
    this.#time = time
    this.#memory = new MemoryCache({ maxEntries: MAX_ENTRIES, clock: time })
  }

  get tags (): MemoryCache['tags'] { return this.#memory.tags }

  async get<T> (key: string): Promise<Result<T | null>> {
    await this.#time.sleep(this.readMs)
    return this.#memory.get<T>(key)
  }

  async getEntry<T> (key: string): Promise<Result<Entry<T> | null>> {
    await this.#time.sleep(this.readMs)
    return this.#memory.getEntry<T>(key)
  }

  async set (key: string, value: unknown, ttl?: number | SetOptions): Promise<Result<void>> { return this.#memory.set(key, value, ttl) }
  async del (key: string): Promise<Result<void>> { return this.#memory.del(key) }
  async clear (): Promise<Result<void>> { return this.#memory.clear() }
}
