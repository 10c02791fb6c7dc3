import type { SearchVariance } from '../rules/no-vary-search.js'
import type { TargetUri } from './cache-key.js'
import { pathOf } from './path.js'

/** The maximum number of characters of an origin and a path together for which a `No-Vary-Search` is remembered. */
const MAX_LENGTH = 1000

/**
 * The most recent `No-Vary-Search` of each path in this process, bounded. Paths are stored per origin. A forgotten path costs one run of
 * the handler.
 */
export class SearchVariances {
  static readonly MAX = 1000
  readonly #variances = new Map<string, SearchVariance>()

  of (target: TargetUri): SearchVariance | undefined {
    return this.#variances.size === 0 ? undefined : this.#variances.get(nameOf(target))
  }

  /** Remembers the variance of the last response of a path; `undefined`: the whole query counts. */
  learn (target: TargetUri, variance: SearchVariance | undefined): void {
    const name = nameOf(target)
    this.#variances.delete(name)
    if (variance === undefined || name.length > MAX_LENGTH) return
    if (this.#variances.size >= SearchVariances.MAX) this.#variances.delete(this.#variances.keys().next().value!)
    this.#variances.set(name, variance)
  }
}

function nameOf ({ scheme, host, url }: TargetUri): string {
  return `${scheme} ${host} ${pathOf(url)}`
}
