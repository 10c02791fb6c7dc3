import { isRead } from '../rules/methods.js'
import type { RouteOptions } from 'fastify'

/** The request headers that each constraint reads to select a route, by the name of the constraint. */
export type ConstraintHeaders = Readonly<Record<string, readonly string[]>>

/** A declared route with the headers that its constraints read, for the comparison with other routes. */
interface Chosen {
  readonly url: string
  readonly headers: readonly string[]
  /** The name of a constraint whose request headers are unknown; `undefined`: all are known. */
  readonly unknown: string | undefined
  /** Adds names to the `vary` of the route's policy; `undefined`: the responses of the route are not shared. */
  readonly vary: ((headers: readonly string[]) => void) | undefined
}

/**
 * The request headers that select between the routes of an app. A response is shared by its URL and by the names in `Vary`. A route with a
 * constraint and the routes of the same URL without it must therefore both name the headers of the constraint (RFC 9111 §4.1).
 */
export class Constraints {
  readonly #known: ConstraintHeaders
  readonly #hasStrategy: (name: string) => boolean
  readonly #routes: Chosen[] = []
  readonly #isBuiltIn = new Map<string, boolean>()

  /**
   * Notes which request headers the constraints of the app read.
   * @param hasStrategy whether Fastify reports a strategy for the constraint with the given name: the app added one, or a declared route
   * uses a built-in one
   */
  constructor (known: ConstraintHeaders, hasStrategy: (name: string) => boolean) {
    this.#known = known
    this.#hasStrategy = hasStrategy
  }

  /**
   * The request headers that any constraint of the app may read. A request with one of these headers may reach no route, whatever its URL
   * is.
   */
  get headers (): readonly string[] {
    return ['accept-version', ...Object.values(this.#known).flat()].map((name) => name.toLowerCase())
  }

  /** The first of these custom constraints of the app whose request headers are unknown; `undefined`: all headers are known. */
  unnamedOf (own: Iterable<string>): string | undefined {
    return [...own].find((name) => !Object.hasOwn(this.#known, name))
  }

  /**
   * Records a route that is about to be declared. Calls `vary`, at once and for routes to come, with the lower-case headers that choose
   * between this route and others. Returns the name of the constraint whose headers are unknown; `undefined`: all headers are known.
   */
  add ({ url, method, constraints = {} }: RouteOptions, vary: Chosen['vary']): string | undefined {
    const read = Object.keys(constraints).map((name) => ({ name, headers: this.#headersOf(name) }))
    // Routes with other methods are ignored, since their responses are not shared.
    if (![method].flat().some((name) => isRead(name))) return undefined
    const route: Chosen = {
      url,
      headers: read.flatMap(({ headers = [] }) => headers).map((name) => name.toLowerCase()),
      unknown: read.find(({ headers }) => headers === undefined)?.name,
      vary
    }
    const others = this.#routes.filter((other) => canShareUrl(other.url, url))
    this.#routes.push(route)
    for (const other of others) {
      if (route.headers.length > 0) other.vary?.(route.headers)
      if (other.headers.length > 0) vary?.(other.headers)
    }
    if (route.headers.length > 0) vary?.(route.headers)
    if (vary !== undefined) return [route, ...others].find(({ unknown }) => unknown !== undefined)?.unknown
    return others.some((other) => other.vary !== undefined) ? route.unknown : undefined
  }

  #headersOf (name: string): readonly string[] | undefined {
    if (Object.hasOwn(this.#known, name)) return this.#known[name]
    if (name !== 'host' && name !== 'version') return undefined
    // Fastify reports a built-in strategy only after a route with the constraint was declared. A strategy that it reports before the first
    // such route was therefore added by the app under the built-in name, and may read any header.
    let isBuiltIn = this.#isBuiltIn.get(name)
    if (isBuiltIn === undefined) this.#isBuiltIn.set(name, isBuiltIn = !this.#hasStrategy(name))
    if (!isBuiltIn) return undefined
    // The constraint `host` needs no name in `Vary`, since the host is in every cache key.
    return name === 'host' ? [] : ['accept-version']
  }
}

/** Whether a URL exists that both patterns may match. Never `false` for two patterns that match one URL. */
export function canShareUrl (one: string, other: string): boolean {
  const [ones, others] = [one, other].map((pattern) => pattern.toLowerCase().split('/').filter((segment) => segment !== ''))
  for (let at = 0; ; at++) {
    const [a, b] = [ones![at], others![at]]
    // A regular expression may contain a slash, which separates the segments of a pattern. Patterns with a wildcard or a regular expression
    // therefore count as overlapping.
    if (/[*(]/.test(`${a ?? ''}${b ?? ''}`)) return true
    if (a === undefined || b === undefined) return isEmptyAtEnd((a === undefined ? others : ones)!.slice(at), a === undefined ? one : other)
    const isOpen = a.includes(':') || b.includes(':')
    if (!isOpen && a !== b) return false
  }
}

/**
 * Whether the remaining segments of a pattern may match an empty text: there are none, or the only one is a parameter that is optional or
 * may be empty after a slash.
 */
function isEmptyAtEnd ([first, ...others]: readonly string[], pattern: string): boolean {
  if (first === undefined) return true
  return others.length === 0 && (first.endsWith('?') || (first.startsWith(':') && pattern.endsWith('/')))
}
