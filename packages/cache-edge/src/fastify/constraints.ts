import type { RouteOptions } from 'fastify'

/** The request headers that select a route, by the name of the constraint. */
export type ConstraintHeaders = Readonly<Record<string, readonly string[]>>

/** A declared route, and the constraints that select it. */
interface Chosen {
  readonly url: string
  readonly headers: readonly string[]
  /** A constraint whose request headers are unknown. */
  readonly unknown: string | undefined
  /** Adds names to the `vary` of its policy; `undefined`: its responses are not shared. */
  readonly vary: ((headers: readonly string[]) => void) | undefined
}

/**
 * The request headers that select between the routes of an app. A response is shared by its URL and by the names in `Vary`, so both a route
 * with a constraint and the routes for requests without it must name them (RFC 9111 §4.1).
 */
export class Constraints {
  readonly #known: ConstraintHeaders
  readonly #hasStrategy: (name: string) => boolean
  readonly #routes: Chosen[] = []
  readonly #isBuiltIn = new Map<string, boolean>()

  /** @param hasStrategy whether a constraint of that name is the app's own, or was used before */
  constructor (known: ConstraintHeaders, hasStrategy: (name: string) => boolean) {
    this.#known = known
    this.#hasStrategy = hasStrategy
  }

  /**
   * Notes a route that is about to be declared. Calls `vary`, at once and for routes to come, with the lower-case
   * headers that choose between it and others. Returns the constraint whose headers are unknown; `undefined`: there is none.
   */
  add ({ url, method, constraints = {} }: RouteOptions, vary: Chosen['vary']): string | undefined {
    // Only these routes have shared responses.
    if (![method].flat().some((name) => name === 'GET' || name === 'HEAD')) return undefined
    const read = Object.keys(constraints).map((name) => ({ name, headers: this.#headersOf(name) }))
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
    // In front of the first route with it: a strategy that is there already is the app's own under that name.
    let isBuiltIn = this.#isBuiltIn.get(name)
    if (isBuiltIn === undefined) this.#isBuiltIn.set(name, isBuiltIn = !this.#hasStrategy(name))
    if (!isBuiltIn) return undefined
    // The host needs no name in `Vary`, since it is in every key.
    return name === 'host' ? [] : ['accept-version']
  }
}

/** Whether there is a URL that both patterns may match. Never `false` for two that do. */
export function canShareUrl (one: string, other: string): boolean {
  const [ones, others] = [one, other].map((pattern) => pattern.toLowerCase().split('/').filter((segment) => segment !== ''))
  for (let at = 0; ; at++) {
    const [a, b] = [ones![at], others![at]]
    // A regular expression may contain the separator.
    if (/[*(]/.test(`${a ?? ''}${b ?? ''}`)) return true
    if (a === undefined || b === undefined) return isEmptyAtEnd((a === undefined ? others : ones)!.slice(at), a === undefined ? one : other)
    const isOpen = a.includes(':') || b.includes(':')
    if (!isOpen && a !== b) return false
  }
}

/** Whether the further segments may be nothing behind a pattern: a parameter that is optional, or matches the empty text behind a slash. */
function isEmptyAtEnd ([first, ...others]: readonly string[], pattern: string): boolean {
  if (first === undefined) return true
  return others.length === 0 && (first.endsWith('?') || (first.startsWith(':') && pattern.endsWith('/')))
}
