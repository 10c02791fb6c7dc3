import type { FastifyRequest } from 'fastify'
import type { StoredRoute } from '../../exchange/cache-request.js'
import { areEqual } from '../../lib/are-equal.js'
import type { Origin } from './arrival.js'

/** The maximum number of URLs in each generation of the table `EarlyTargets`, of targets per URL, and of variants per target. */
const MAX_URLS = 2500
const MAX_TARGETS = 16
const MAX_VARIANTS = 200
/**
 * The maximum number of characters that are stored of one learned request: its URL, its origin and the values of the headers in the
 * policy's `vary`.
 */
const MAX_LENGTH = 2000
/** The approximate maximum size in bytes of one target, and of each generation of the table `EarlyTargets`. */
const MAX_TARGET_BYTES = 64 * 1024
const MAX_BYTES = 2 * 1024 * 1024
/** The approximate number of bytes that the objects of a target, a variant and a tag use, besides their texts. */
const TARGET_BYTES = 500
const VARIANT_BYTES = 100
const TAG_BYTES = 20

/** The route that requests with one URL and one origin reach. */
export interface Place {
  readonly origin: Origin
  readonly route: StoredRoute<FastifyRequest>
  /** The config of the route, an object by which the routes of Fastify are distinguished; see `configOf`. */
  readonly config: object | undefined
  /** The cache key of requests for the target, without the variant. */
  readonly key: string
  /** Whether requests for the target still have that key; `undefined`: they always have it. */
  readonly isCurrent?: (() => boolean) | undefined
  /** The host as Fastify determines it; with `trustProxy` it is the forwarded host. */
  readonly host: string
}

/**
 * The facts that are learned from a request (a lesson). They hold for all requests for its URL with the same values of the headers in the
 * policy's `vary`.
 */
export interface Lesson {
  readonly url: string
  readonly place: Place
  /** The values of the request headers that the policy's `vary` names, as text. */
  readonly variant: string
  /** The tags that the policy gives to such a request. */
  readonly tags: readonly string[]
}

/** A URL at one origin for which at least one request has reached the route. */
export class EarlyTarget {
  readonly place: Place
  /**
   * The tags of the policy for each combination of values of the headers in `vary`. A request with unknown values may belong to another
   * route, so it is not answered early.
   */
  readonly #tags = new Map<string, readonly string[]>()
  #bytes: number

  constructor (place: Place) {
    this.place = place
    this.#bytes = TARGET_BYTES + place.origin.length + place.host.length + place.key.length
  }

  /** The approximate size of the target in bytes. */
  get bytes (): number { return this.#bytes }

  tagsOf (variant: string): readonly string[] | undefined {
    return this.#tags.get(variant)
  }

  /** Learns the tags of the policy for a variant of the target. `false`: the target already has the maximum number of variants. */
  learn ({ variant, tags }: Lesson): boolean {
    const known = this.#tags.get(variant)
    if (known !== undefined && areEqual(known, tags)) return true
    const added = VARIANT_BYTES + variant.length + tags.reduce((sum, { length }) => sum + TAG_BYTES + length, 0)
    if (this.#tags.size >= MAX_VARIANTS || this.#bytes + added > MAX_TARGET_BYTES) return false
    this.#tags.set(variant, tags)
    this.#bytes += added
    return true
  }
}

/**
 * A bounded table of targets by their URL. The URLs are in two generations. A full generation becomes the old one, and an old URL that is
 * used again moves to the new one. URLs in use therefore stay in the table, even if clients request any number of invented URLs.
 */
export class EarlyTargets {
  #young = new Map<string, readonly EarlyTarget[]>()
  #old = new Map<string, readonly EarlyTarget[]>()
  /** The approximate bytes of the young generation of targets. */
  #bytes = 0

  /** Returns the known targets of a URL, at all origins. */
  of (url: string): readonly EarlyTarget[] | undefined {
    const targets = this.#young.get(url)
    if (targets !== undefined) return targets
    const old = this.#old.get(url)
    if (old !== undefined) this.#set(url, old)
    return old
  }

  /** Learns a target from a request. It replaces a target with the same URL, origin and route but another key. */
  learn (lesson: Lesson): void {
    const { url, variant, place: { origin, route, key } } = lesson
    if (url.length + origin.length + variant.length > MAX_LENGTH) return
    const targets = this.of(url) ?? []
    const before = targets.find(({ place }) => place.route === route && place.origin.equals(origin))
    const size = before?.bytes ?? 0
    if (before?.place.key === key && before.learn(lesson)) {
      this.#grow(before.bytes - size)
      return
    }
    // A new target that has only this variant replaces a full target, so that no variant is excluded permanently.
    const target = new EarlyTarget(lesson.place)
    target.learn(lesson)
    this.#set(url, [target, ...targets.filter((each) => each !== before).slice(0, MAX_TARGETS - 1)])
  }

  #set (url: string, targets: readonly EarlyTarget[]): void {
    const before = this.#young.get(url)
    if (this.#young.size >= MAX_URLS && before === undefined) this.#age()
    this.#young.set(url, targets)
    this.#grow(sizeOf(url, targets) - (before === undefined ? 0 : sizeOf(url, before)))
  }

  #grow (bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes > MAX_BYTES) this.#age()
  }

  #age (): void {
    this.#old = this.#young
    this.#young = new Map()
    this.#bytes = 0
  }
}

function sizeOf (url: string, targets: readonly EarlyTarget[]): number {
  return targets.reduce((sum, { bytes }) => sum + bytes, url.length)
}
