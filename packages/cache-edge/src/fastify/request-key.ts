import type { FastifyRequest } from 'fastify'
import type { StoredRoute } from '../exchange/cache-request.js'
import { keyedQuery, varianceIn, type SearchVariance } from '../rules/no-vary-search.js'
import { Names, pathTag, variantKey, type TargetUri } from '../store/cache-key.js'
import { pathOf } from '../store/path.js'
import { SearchVariances } from '../store/search-variances.js'
import type { StoredHead } from '../store/stored-response.js'
import { contentKeyOf } from './content-key.js'

/** The cache key of a request, without its variant, and the internal tags of its target. */
export interface RequestKey {
  readonly key: string
  readonly tags: readonly string[]
  /**
   * The key under which a response to the request is stored and shared. `undefined`: the key of the request was computed by the
   * `No-Vary-Search` of an earlier response, and that of this response differs. If the method `keyFor` is missing, every response is stored
   * under `key`.
   */
  keyFor? (response: Pick<StoredHead, 'headers'>): string | undefined
  /**
   * Whether a request with the same target would have this key now: `No-Vary-Search` of a later response of the path may change it. If the
   * function is missing, the key never changes.
   */
  readonly isCurrent?: () => boolean
}

/** Computes the cache keys and tags of the requests of one app. */
export class RequestKeys {
  readonly #names: Names
  readonly #variances = new SearchVariances()

  constructor (app?: string) {
    this.#names = new Names(app)
  }

  of (request: FastifyRequest, route: StoredRoute, target: TargetUri): RequestKey {
    const names = this.#names.of(target)
    const content = contentKeyOf(request)
    const chosen = chosenKey(names.key, route)
    const key = content === undefined ? chosen : variantKey(chosen, content)
    const { tags } = names
    if (!route.policy.noVarySearch || content !== undefined || target.originalUrl !== undefined) {
      return key === names.key ? names : { key, tags }
    }
    const variance = this.#variances.of(target)
    const own = this.#keyBy(variance, route, target) ?? key
    return {
      key: own,
      isCurrent: () => {
        const current = this.#variances.of(target)
        return current === variance || (this.#keyBy(current, route, target) ?? key) === own
      },
      tags: [...tags, pathTag(target)],
      keyFor: ({ headers }) => {
        const current = varianceIn(headers['no-vary-search'])
        if (current?.text === variance?.text) return own
        this.#variances.learn(target, current)
        return variance === undefined ? this.#keyBy(current, route, target) ?? key : undefined
      }
    }
  }

  /** The key that all URLs of a path have which differ only in parameters that the variance ignores; `undefined`: the whole URL counts. */
  #keyBy (variance: SearchVariance | undefined, route: StoredRoute, target: TargetUri): string | undefined {
    const query = variance === undefined ? undefined : keyedQuery(target.url, variance)
    if (query === undefined) return undefined
    const { key } = this.#names.of({ ...target, url: pathOf(target.url) })
    return variantKey(chosenKey(key, route), JSON.stringify(['search', variance!.text, query]))
  }
}

/** The key of a URL for one of the routes between which constraints select. */
function chosenKey (key: string, { choice }: StoredRoute): string {
  return choice === '' ? key : variantKey(key, choice)
}
