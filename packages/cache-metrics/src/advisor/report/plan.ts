import { isLabel, OTHER, RESPONSE_KEYS } from '@x/cache-core/suite'
import type { Advice } from './advice.js'

/** The options of one key pattern of the plan: its ttl in seconds, and the number of its entries in a `MemoryCache`. */
export interface PlannedPattern { readonly ttl: number; readonly maxEntries: number }

/** A rule of `@x/cache-edge` for one route: its responses are stored for `maxAge` seconds. */
export interface PlannedRule { readonly prefix: string; readonly exact: true; readonly maxAge: number; readonly store: true }

/**
 * The plan of the advisor's report: options to paste into the app. They register a `MemoryCache`, or with a URL of Redis a `RedisCache`
 * whose copies in this process have the same bounds. The plan has no stale windows: the forecast of stale hits holds for the ttl alone.
 */
export interface Plan {
  /** The options for `register(cacheCore, …)`. */
  readonly options: {
    readonly implementation: 'memory'
    readonly memory: { readonly maxEntries: number; readonly maxBytes?: number; readonly responseShare?: number }
    /** The ttl and the number of entries by key pattern; absent in a plan for routes alone or for all keys of a trace. */
    readonly patterns?: Readonly<Record<string, PlannedPattern>>
    /** The ttl in seconds for all keys, in a plan that was made from a trace. */
    readonly defaultTtl?: number
    readonly rollout: { readonly allow: readonly string[] }
  }
  /** Options of `register(cacheEdge, …)` for the routes whose verdict is good; absent if there are none. */
  readonly edge?: { readonly rules: readonly PlannedRule[] } | undefined
  /** Options of `register(cacheRedis, …)`, without the URL. */
  readonly redis: { readonly near: { readonly maxEntries: number; readonly maxBytes?: number }; readonly rollout: { readonly percent: 0 } }
  /** The options of the plan as environment variables, for an app that calls `cacheOptionsFromEnv()`. */
  readonly env: Readonly<Record<string, string>>
  /** The expected effect of the cache if the plan is applied. */
  readonly expected: {
    /** The hit rate of all key patterns of the plan together, without routes; `undefined`: the plan has no key patterns. */
    readonly hitRate: number | undefined
    /** The share of the requests to the routes of the plan that stored responses answer; `undefined`: the plan has no routes. */
    readonly routeHitRate: number | undefined
    /** The seconds of loading that the key patterns of the recommended plan save per hour; `undefined`: not known. */
    readonly savedSecondsPerHour: number | undefined
    readonly memoryBytes: number | undefined
  }
}

/** The maximum number of entries that a `MemoryCache` accepts. */
const MAX_ENTRIES = 2 ** 24
/**
 * The number of entries for one stored response. Planned responses have `Vary: Cookie`, so each is a variant with an index of variants.
 */
const ENTRIES_PER_RESPONSE = 2
/** A GET route without a wildcard. A route with a wildcard has responses of too many kinds for one rule. */
const PLANNED_ROUTE = /^GET (\/[^*\s]*)$/

/** Returns the plan (options to paste) for the key patterns and routes whose verdict is good; `undefined`: none is good. */
export function planFor (all: readonly Advice[]): Plan | undefined {
  const good = all.filter(({ judgement }) => judgement.kind === 'good')
  const patterns = good.filter(({ kind, name }) => kind === 'pattern' && name !== OTHER && name !== RESPONSE_KEYS && isLabel(name))
  const routes = good.filter(({ kind, name }) => kind === 'route' && PLANNED_ROUTE.test(name))
  const planned = [...patterns, ...routes]
  if (planned.length === 0) return undefined
  const options = Object.fromEntries(patterns.map(({ name, ttl, entries }) => [name, { ttl, maxEntries: Math.min(entries, MAX_ENTRIES) }]))
  const allow = [...patterns.map(({ name }) => name), ...routes.length === 0 ? [] : [RESPONSE_KEYS]]
  const memoryBytes = sumOf(planned, (advice) => advice.memoryBytes)
  const bounds = {
    maxEntries: Math.min(entriesOf(patterns) + responsesOf(routes), MAX_ENTRIES),
    ...memoryBytes === undefined ? {} : { maxBytes: roomFor(memoryBytes) }
  }
  return {
    options: {
      implementation: 'memory',
      memory: { ...bounds, ...shareOf(patterns, routes) },
      ...patterns.length === 0 ? {} : { patterns: options },
      rollout: { allow }
    },
    ...routes.length === 0 ? {} : { edge: { rules: routes.map(ruleOf) } },
    redis: { near: bounds, rollout: { percent: 0 } },
    env: {
      CACHE_IMPL: 'memory',
      CACHE_PATTERN_WHITELIST: allow.join(','),
      ...patterns.length === 0 ? {} : { CACHE_PATTERNS: JSON.stringify(options) }
    },
    expected: {
      hitRate: hitRateOf(patterns),
      routeHitRate: hitRateOf(routes),
      savedSecondsPerHour: patterns.length === 0 ? undefined : sumOf(patterns, (advice) => advice.savedSecondsPerHour),
      memoryBytes
    }
  }
}

/**
 * Returns the plan for a trace that was observed under one pattern for all keys. The app has no keys of that pattern, so its ttl becomes
 * the default ttl of all keys.
 */
export function planForAllKeys (plan: Plan, { ttl }: PlannedPattern): Plan {
  const { implementation, memory } = plan.options
  return {
    ...plan,
    options: { implementation, memory, defaultTtl: ttl, rollout: { allow: ['*'] } },
    env: { CACHE_IMPL: 'memory', CACHE_PATTERN_WHITELIST: '*' }
  }
}

function ruleOf ({ name, ttl }: Advice): PlannedRule {
  return { prefix: PLANNED_ROUTE.exec(name)![1]!, exact: true, maxAge: Math.max(1, Math.floor(ttl)), store: true }
}

/** Returns the fraction of a full cache that stored responses may use: the share of their entries among all planned entries. */
function shareOf (patterns: readonly Advice[], routes: readonly Advice[]): { responseShare?: number } {
  if (routes.length === 0 || patterns.length === 0) return {}
  const responses = responsesOf(routes)
  return { responseShare: Math.ceil(1000 * responses / (entriesOf(patterns) + responses)) / 1000 }
}

function responsesOf (routes: readonly Advice[]): number {
  return ENTRIES_PER_RESPONSE * entriesOf(routes)
}

function entriesOf (all: readonly Advice[]): number {
  return all.reduce((sum, { entries }) => sum + entries, 0)
}

/** Returns the sum of one number over all advice; `undefined` if the number of any advice is not known. */
function sumOf (all: readonly Advice[], of: (advice: Advice) => number | undefined): number | undefined {
  let sum = 0
  for (const advice of all) {
    const value = of(advice)
    if (value === undefined) return undefined
    sum += value
  }
  return sum
}

function hitRateOf (all: readonly Advice[]): number | undefined {
  const requests = all.reduce((sum, { requestsPerHour }) => sum + requestsPerHour, 0)
  return all.length === 0 ? undefined : all.reduce((sum, { hitRate, requestsPerHour }) => sum + hitRate * requestsPerHour, 0) / requests
}

/** The advised `maxBytes`: twice the expected bytes, in whole MiB, since the estimate is a mean, and values may be larger. */
function roomFor (bytes: number): number {
  const mib = 1024 * 1024
  return Math.ceil(2 * bytes / mib) * mib
}
