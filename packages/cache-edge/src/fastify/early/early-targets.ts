import type { StoredRoute } from '../../exchange/cache-request.js'
import type { FastifyRequest } from 'fastify'

/** A target whose requests reach one route: the same URL, host, scheme and, behind a proxy, the same address of the proxy. */
export interface EarlyTarget {
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

/** The maximum number of targets of each of two generations. */
const MAX_TARGETS = 2500

/**
 * A bounded table of targets. The targets are in two generations. A full generation becomes the old one, and an old target that is used
 * again moves to the new one. Targets in use are therefore kept, although clients invent any number of others.
 */
export class EarlyTargets {
  #young = new Map<string, EarlyTarget>()
  #old = new Map<string, EarlyTarget>()

  get (text: string): EarlyTarget | undefined {
    const target = this.#young.get(text)
    if (target !== undefined) return target
    const old = this.#old.get(text)
    if (old !== undefined) this.set(text, old)
    return old
  }

  set (text: string, target: EarlyTarget): void {
    if (this.#young.size >= MAX_TARGETS && !this.#young.has(text)) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(text, target)
  }
}
