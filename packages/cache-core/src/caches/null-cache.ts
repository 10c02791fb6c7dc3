import type { Cache, Entry, Lock, LockOptions, ReadHint, SetItem, SetOptions, TagSnapshot, Tags } from '../contract/cache.js'
import { readNow, shareNow, type Immediate, type SharedEntry } from '../contract/sync-read.js'
import { DONE, MISS, ok, type Result } from '../contract/result.js'

const SNAPSHOT: TagSnapshot = Object.freeze({})
const done = Promise.resolve(DONE)
const miss = Promise.resolve(MISS)

/** The cache that stores nothing, for observing: every read is a miss, every write is `ok` and has no effect. */
export class NullCache implements Cache, Immediate {
  readonly name = 'null'
  readonly passThrough = true
  readonly tags: Tags = { capture: async () => ok(SNAPSHOT), invalidate: () => done }
  #token = 0

  get<T> (_key: string): Promise<Result<T | null>> { return miss }
  [readNow]<T> (_key: string): Result<T | null> { return MISS }
  [shareNow] (_key: string): Result<SharedEntry | null> { return MISS }
  getEntry<T> (_key: string, _hint?: ReadHint): Promise<Result<Entry<T> | null>> { return miss }
  async getMany<T> (keys: string[]): Promise<Result<(T | null)[]>> { return ok(keys.map(() => null)) }
  set (_key: string, _value: unknown, _ttl?: number | SetOptions): Promise<Result<void>> { return done }
  setMany (_items: SetItem[]): Promise<Result<void>> { return done }
  async touch (_key: string, _ttl: number): Promise<Result<boolean>> { return ok(false) }
  del (_key: string): Promise<Result<void>> { return done }
  delMany (_keys: string[]): Promise<Result<void>> { return done }
  async lock (_key: string, _options: LockOptions): Promise<Result<Lock | null>> {
    return ok({ token: ++this.#token, release: () => done, extend: () => done })
  }

  clear (): Promise<Result<void>> { return done }
  health (): Promise<Result<void>> { return done }
  async close (): Promise<void> {}
}
