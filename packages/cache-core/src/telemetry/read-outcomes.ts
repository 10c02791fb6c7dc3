import type { CacheError } from '../contract/errors.js'
import { STORED_NULL, type Result } from '../contract/result.js'
import type { Events, ReadOutcome, TagsOfStored } from './events.js'
import type { KeyPatterns } from './key-pattern.js'
import type { Counters, ImplStats } from './counters.js'

/** Whether a cache read found a fresh value; a stored `null` is such a value. */
export function isHit (result: Result<unknown>): boolean {
  return result.ok && (result.value !== null || result === STORED_NULL)
}

/** Counts and emits the outcome of each cache read, and each failure; no other code counts or emits them. */
export class Observer {
  readonly #events: Events
  readonly #patterns: KeyPatterns

  constructor (events: Events, patterns: KeyPatterns) {
    this.#events = events
    this.#patterns = patterns
  }

  /** Counts and emits the outcome of a read that finds fresh values only, and returns the result of the read. */
  readValue<R extends Result<unknown>> (stats: ImplStats, key: string, result: R): R {
    if (!result.ok) this.#readFailed(stats, key, result.error)
    else this.read(stats.of(key), key, result.value !== null || result === STORED_NULL ? 'hit' : 'miss')
    return result
  }

  /** Counts and emits the outcome of a read that also finds stale entries, and returns the result of the read. */
  readEntry<R extends Result<{ readonly fresh: boolean } | null>> (stats: ImplStats, key: string, result: R): R {
    if (result.ok) this.read(stats.of(key), key, result.value === null ? 'miss' : result.value.fresh ? 'hit' : 'stale')
    else this.#readFailed(stats, key, result.error)
    return result
  }

  /**
   * Counts and emits the outcome of a cache read; the outcome `stale` counts as a hit.
   * @param tags the option of a `getOrSet` call that found a value
   */
  read (counters: Counters, key: string, outcome: 'hit' | 'stale' | 'miss', tags?: TagsOfStored): void {
    if (outcome === 'miss') counters.misses++
    else counters.hits++
    if (this.#events.hasReaders) this.#emitRead(key, counters.keyPattern, outcome, tags)
  }

  /**
   * Counts an error of a cache operation under a value of the label `impl`, and emits `failed`.
   * @param key the valid key of the operation, whose pattern shows which call of the app failed
   */
  fail (stats: ImplStats, operation: string, error: CacheError, key?: string): void {
    stats.countError(error)
    if (key === undefined) this.#events.emit('failed', stats.label, operation, error)
    else this.#events.emit('failed', stats.label, operation, error, this.#patterns.of(key))
  }

  #readFailed (stats: ImplStats, key: string, error: CacheError): void {
    this.fail(stats, 'get', error)
    if (this.#events.hasReaders) this.#emitRead(key, this.#patterns.of(key), 'failed')
  }

  #emitRead (key: string, keyPattern: string, outcome: ReadOutcome, tags?: TagsOfStored): void {
    this.#events.emit('read', key, keyPattern, outcome, tags)
  }
}
