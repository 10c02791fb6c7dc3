import type { FastifyRequest } from 'fastify'
import type { StoredRoute } from '../../exchange/cache-request.js'
import type { Origin } from './arrival.js'

/** A URL at one origin, with a route that some of the requests for this URL reach. */
export interface EarlyTarget {
  readonly origin: Origin
  readonly route: StoredRoute<FastifyRequest>
  /** The cache key, without the variant. */
  readonly key: string
  /** The host as Fastify reads it, with `trustProxy` the forwarded one. */
  readonly host: string
  /**
   * The tags of the policy, by the values of the headers in `vary`. A request with other values may belong to another route, so it is not
   * answered early.
   */
  readonly tags: Map<string, readonly string[]>
}

/** The maximum number of URLs of each of two generations, and of targets per URL. */
const MAX_URLS = 2500
const MAX_TARGETS = 16

/**
 * A bounded table of targets by their URL. The URLs are in two generations. A full generation becomes the old one, and an old URL that is
 * used again moves to the new one. URLs in use are therefore kept, although clients invent any number of others.
 */
export class EarlyTargets {
  #young = new Map<string, readonly EarlyTarget[]>()
  #old = new Map<string, readonly EarlyTarget[]>()

  /** The targets of a URL at all origins. */
  of (url: string): readonly EarlyTarget[] | undefined {
    const targets = this.#young.get(url)
    if (targets !== undefined) return targets
    const old = this.#old.get(url)
    if (old !== undefined) this.#set(url, old)
    return old
  }

  /** Adds a target in place of the one with the same URL, origin and route. */
  add (url: string, target: EarlyTarget): void {
    const others = (this.of(url) ?? []).filter(({ origin, route }) => route !== target.route || !origin.equals(target.origin))
    this.#set(url, [target, ...others.slice(0, MAX_TARGETS - 1)])
  }

  #set (url: string, targets: readonly EarlyTarget[]): void {
    if (this.#young.size >= MAX_URLS && !this.#young.has(url)) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(url, targets)
  }
}
