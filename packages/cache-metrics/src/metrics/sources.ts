import type { CacheRegistry } from '@x/cache-core'
import type { Traffic } from '../traffic/traffic.js'

/** One app as a source of metrics: its cache and its traffic. */
export interface Source { readonly cache: CacheRegistry; readonly traffic: Traffic }

/** The apps that share one prom-client registry or one meter provider. */
export class Sources {
  readonly #apps = new Set<Source>()

  get isEmpty (): boolean { return this.#apps.size === 0 }
  add (source: Source): void { this.#apps.add(source) }
  delete (source: Source): void { this.#apps.delete(source) }

  /** Returns the registries of all apps from which metrics are read; a registry that several apps share is in the set once. */
  caches (): Set<CacheRegistry> {
    return new Set([...this.#apps].map(({ cache }) => cache))
  }

  traffics (): Set<Traffic> {
    return new Set([...this.#apps].map(({ traffic }) => traffic))
  }
}
