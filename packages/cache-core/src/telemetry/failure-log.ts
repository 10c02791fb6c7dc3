import type { CacheError } from '../contract/errors.js'
import { errorType } from '../contract/errors.js'
import type { Log } from '../lib/harmless.js'

/** Codes of errors that one call of the app causes, so that their log line names the key pattern of the call. */
const OF_CALLS: ReadonlySet<string> = new Set([
  'CACHE_ERR_OPTION_UNKNOWN', 'CACHE_ERR_TTL_INVALID', 'CACHE_ERR_TAG_INVALID', 'CACHE_ERR_VALUE_INVALID', 'CACHE_ERR_TOO_LARGE', 'CACHE_ERR_SCHEMA',
  'CACHE_ERR_LOAD_OVERDUE'
])

/**
 * Logs failures of the cache by kind, which is the implementation, the operation and the type of error: one line at the first failure, then
 * one line a minute with the number of failures while they continue, never one line per operation.
 */
export class FailureLog {
  static readonly EVERY_MS = 60_000
  readonly #counts = new Map<string, number>()
  readonly #log: Pick<Log, 'warn'>
  readonly #timer: NodeJS.Timeout

  constructor (log: Pick<Log, 'warn'>) {
    this.#log = log
    this.#timer = setInterval(() => this.#summarise(), FailureLog.EVERY_MS)
    this.#timer.unref()
  }

  note (impl: string, operation: string, error: CacheError, keyPattern?: string): void {
    // Errors of other codes, such as those of a store that cannot be reached, concern all key patterns: one kind per key pattern would give
    // a hundred log lines a minute.
    const own = keyPattern !== undefined && OF_CALLS.has(error.code) ? { keyPattern } : {}
    const kind = [impl, operation, errorType(error), ...Object.values(own)].join(' ')
    const count = this.#counts.get(kind)
    if (count === undefined) {
      // The log contains only name, code and message of an error: other properties of an error of the app's implementation, and its cause,
      // may contain stored values.
      const { name, code, message } = error
      this.#log.warn({ err: { type: name, code, message }, impl, operation, ...own }, 'Cache: an operation failed')
    }
    this.#counts.set(kind, (count ?? -1) + 1)
  }

  close (): void {
    clearInterval(this.#timer)
    this.#summarise()
  }

  #summarise (): void {
    for (const [kind, count] of this.#counts) {
      if (count === 0) this.#counts.delete(kind)
      else {
        this.#log.warn({ failures: count, kind }, 'Cache: operations keep failing')
        this.#counts.set(kind, 0)
      }
    }
  }
}
