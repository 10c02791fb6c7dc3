import { PolicyInvalid } from '../errors.js'
import type { CacheEdgeOptions } from '../options.js'
import { resolvePolicy, type EdgePolicy } from '../policy-options.js'
import type { Credentials } from '../rules/credentials.js'
import { isRead } from '../rules/methods.js'
import { toPolicy, type Policy, type RouteRule } from '../rules/policy.js'
import { mayLieUnder, type Core } from '@x/cache-core/suite'
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import { Notices, warn } from '../lib/notices.js'
import { Constraints } from './constraints.js'

interface PrefixRule {
  readonly prefix: string
  /** The prefix without parameter names, which a pattern must equal (`exact`); `undefined`: the rule also applies to routes below it. */
  readonly shape: string | undefined
  readonly policy: EdgePolicy
}
/** The lifetimes of a policy that are given in seconds. */
const LIFETIMES = ['maxAge', 'sMaxAge', 'cdnMaxAge'] as const
const DAY = 86_400
/** Matches a literal colon of a route's pattern, or a parameter with its name. */
const COLONS = /::|:[^/:().?-]+/g

/** The rules of an app by the prefix of a route's pattern, and the policies of its routes. */
export class RouteRules {
  readonly #core: Core
  readonly #log: FastifyBaseLogger
  readonly #notices = new Notices()
  readonly #credentials: Credentials
  readonly #constraints: Constraints
  /** The rules of option `rules`, the one with the longest prefix first. */
  readonly #rules: readonly PrefixRule[]
  readonly #unused: Set<string>
  /** The names of routes with a policy of their own that applies to none of their methods. */
  readonly #idle = new Set<string>()
  readonly #personal: readonly string[]
  /** The patterns of the app's routes, until the app starts and has compared the prefixes of option `personal` with them. */
  readonly #patterns = new Set<string>()

  /**
   * Checks the rules of the app.
   * @throws `CACHE_ERR_POLICY_INVALID` where the members of a rule contradict each other
   */
  constructor (fastify: FastifyInstance, core: Core, credentials: Credentials, options: CacheEdgeOptions) {
    const { rules = [], constraintHeaders = {}, personal = [] } = options
    this.#core = core
    this.#log = fastify.log
    this.#credentials = credentials
    this.#personal = personal
    this.#constraints = new Constraints(constraintHeaders, (name) => fastify.hasConstraintStrategy(name))
    const own = rules.map(({ prefix, exact = false, ...policy }) => ({ prefix, shape: exact ? shapeOf(prefix) : undefined, policy }))
    this.#rules = own.sort((a, b) => b.prefix.length - a.prefix.length)
    this.#unused = new Set(rules.map(({ prefix }) => prefix))
    for (const { prefix, policy } of this.#rules) {
      toPolicy(`rule "${prefix}"`, policy, credentials)
      this.#announceLong(`the rule "${prefix}"`, policy, policy)
    }
  }

  /** The constraints by which Fastify selects the app's routes. */
  get constraints (): Constraints { return this.#constraints }

  /**
   * Logs each rule that no route has matched, and each prefix of option `personal` under which no URL of a route lies: a misspelt prefix
   * would leave personal pages to be shared. Logs each route whose own policy applies to none of its methods.
   */
  announceUnused (log: FastifyBaseLogger): void {
    const remedy = 'It is compared with the patterns of routes that are declared after cacheEdge has loaded: await its registration before them'
    for (const prefix of this.#unused) warn(log, { prefix }, `Cache: the rule "${prefix}" covers no route. ${remedy}`)
    const patterns = [...this.#patterns]
    for (const prefix of new Set([...this.#personal, ...this.#core.personal])) {
      if (patterns.some((pattern) => mayLieUnder(prefix, pattern))) continue
      warn(log, { prefix }, `Cache: the prefix "${prefix}" of option personal covers no route. ${remedy}`)
    }
    this.#patterns.clear()
    for (const name of this.#idle) warn(log, { route: name }, `Cache: config.cache of ${name} has no effect, since policies apply to GET, HEAD and QUERY; only currentTag applies to the other methods, too`)
  }

  /** Whether a rule of option `rules` matches the pattern of a route. */
  covers (url: string): boolean {
    return this.#ruleOf(url) !== undefined
  }

  /**
   * The rule of a route that is declared. The `vary` of its policy has the headers of the route's constraints.
   * @throws `CACHE_ERR_OPTION_INVALID`, `CACHE_ERR_POLICY_INVALID`
   */
  of (route: RouteOptions): RouteRule<FastifyRequest> {
    this.#patterns.add(route.url)
    const rule = this.#resolve(route)
    if (rule !== undefined && rule !== 'personal' && rule.early) refuseHeaderSchema(route)
    this.#varyByConstraints(route, rule === 'personal' ? undefined : rule)
    return rule
  }

  #ruleOf (url: string): PrefixRule | undefined {
    const own = shapeOf(url)
    return this.#rules.find(({ prefix }) => url === prefix) ?? this.#rules.find(({ prefix, shape }) =>
      shape === undefined ? url.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`) : shape === own)
  }

  #resolve (route: RouteOptions): RouteRule<FastifyRequest> {
    const name = nameOf(route)
    const given = (route.config as { cache?: unknown } | undefined)?.cache
    const own = given === undefined ? undefined : resolvePolicy(name, given)
    if (isIdle(own, route)) this.#idle.add(name)
    const rule = this.#ruleOf(route.url)
    if (rule !== undefined) this.#unused.delete(rule.prefix)
    if (this.#core.registry.personal.hasRoute(route.url)) return 'personal'
    if (own === false) return undefined
    if (own === undefined && rule === undefined) return undefined
    this.#announceLong(`the route "${route.url}"`, own ?? {}, { ...rule?.policy, ...own })
    return toPolicy<FastifyRequest>(name, { ...rule?.policy, ...own }, this.#credentials)
  }

  /**
   * Logs a lifetime that may have been meant in milliseconds. `immutable` says that it is meant.
   * @param own the members that the rule or the route itself names
   * @param policy the policy that applies
   */
  #announceLong (subject: string, own: EdgePolicy, policy: EdgePolicy): void {
    const name = policy.immutable === true ? undefined : LIFETIMES.find((each) => looksLikeMilliseconds(own[each] ?? 0))
    if (name === undefined) return
    const seconds = own[name]!
    // The option immutable is only allowed with maxAge.
    const remedy = name === 'maxAge' ? '. immutable: true says that the response never changes' : ''
    this.#notices.warnOnce(this.#log, subject, { [name]: seconds }, `Cache: ${name} of ${subject} is ${(seconds / DAY).toFixed(1)} days; it is in seconds, not milliseconds${remedy}`)
  }

  /**
   * Adds the headers that select between routes of one URL to `vary`; otherwise a shared response of one route could answer a request to
   * another route.
   */
  #varyByConstraints (route: RouteOptions, policy: Policy<FastifyRequest> | undefined): void {
    const addTo = (own: Policy<FastifyRequest>, headers: readonly string[]): void => {
      if (own.store !== false) this.#credentials.refuseIn(nameOf(route), headers)
      own.vary = [...new Set([...own.vary, ...headers])]
    }
    const unknown = this.#constraints.add(route, policy && ((headers) => addTo(policy, headers)))
    if (unknown === undefined) return
    throw new PolicyInvalid(nameOf(route), `the constraint "${unknown}" chooses between routes of this URL, and a cache has to know by which request headers: name them in the option constraintHeaders, as in { ${JSON.stringify(unknown)}: ["X-Tenant"] }`)
  }
}

/**
 * Whether a lifetime in seconds may have been meant in milliseconds: it is above a day, and is not a number of whole days. The schema refuses
 * one above a year, such as the 86,400,000 milliseconds of a day.
 */
function looksLikeMilliseconds (seconds: number): boolean {
  return seconds > DAY && seconds % DAY !== 0
}

/** Refuses a validator of headers on a route with `early`, whose early answers are sent before a validator runs. */
function refuseHeaderSchema (route: RouteOptions): void {
  const { headers } = (route.schema ?? {}) as { headers?: unknown }
  if (headers !== undefined) throw new PolicyInvalid(nameOf(route), 'early: true sends responses before schema.headers is checked; give this route early: false')
}

/**
 * Returns a route's pattern without the names of its parameters. Two patterns of one shape match the same URLs: `/users/:id`, such as the
 * advisor derives from an access log, and `/users/:userId` of the app.
 */
function shapeOf (pattern: string): string {
  return pattern.replace(COLONS, (colon) => colon === '::' ? colon : ':')
}

/** Whether a route has a policy of its own without an effect: only `currentTag` applies to methods that do not read. */
function isIdle (own: EdgePolicy | false | undefined, { method }: RouteOptions): boolean {
  if (own === undefined || own === false || own.currentTag !== undefined || Object.keys(own).length === 0) return false
  return ![method].flat().some((each) => isRead(each.toUpperCase()))
}

/** The name of a route in error messages. */
function nameOf ({ method, url }: RouteOptions): string {
  return `${String(method)} ${url}`
}
