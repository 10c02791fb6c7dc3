import type { CacheRegistry } from '@x/cache-core'
import type { Traffic } from '../traffic/traffic.js'

/** The numbers of one app: of its cache, and of its traffic. */
export interface Source { readonly cache: CacheRegistry; readonly traffic: Traffic }

/** The apps that share one prom-client registry or one meter provider. */
export class Sources {
  readonly #apps = new Set<Source>()

  get isEmpty (): boolean { return this.#apps.size === 0 }
  add (source: Source): void { this.#apps.add(source) }
  delete (source: Source): void { this.#apps.delete(source) }

  /** Each cache once, although several apps may share it. */
  caches (): Set<CacheRegistry> {
    return new Set([...this.#apps].map(({ cache }) => cache))
  }

  traffics (): Set<Traffic> {
    return new Set([...this.#apps].map(({ traffic }) => traffic))
  }
}
