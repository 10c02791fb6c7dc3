import type { CacheRegistry } from '@x/cache-core'
import type { Traffic } from '../traffic/traffic.js'

/** What one app has to tell. */
export interface Source { readonly cache: CacheRegistry; readonly traffic: Traffic }

/** The apps whose numbers go to one place: a prom-client registry, or a meter provider. */
export class Sources {
  readonly #apps = new Set<Source>()

  get isEmpty (): boolean { return this.#apps.size === 0 }
  add (source: Source): void { this.#apps.add(source) }
  delete (source: Source): void { this.#apps.delete(source) }

  /** Each cache once, however many apps share it. */
  caches (): Set<CacheRegistry> {
    return new Set([...this.#apps].map(({ cache }) => cache))
  }

  traffics (): Set<Traffic> {
    return new Set([...this.#apps].map(({ traffic }) => traffic))
  }
}
