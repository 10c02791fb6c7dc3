import { isLabel, OTHER } from '@x/cache-core/suite'
import type { Advice } from './advice.js'

/**
 * The plan of the advisor's report: options to paste into the app. They register a `MemoryCache`, also for an app that will use Redis: it
 * needs no server, is easily removed, and shows whether the advice holds.
 */
export interface Plan {
  /** Options of `register(cacheCore, …)`. */
  readonly options: {
    readonly implementation: 'memory'
    readonly memory: { readonly maxEntries: number; readonly maxBytes?: number }
    /** The ttl in seconds of cache calls without a ttl. */
    readonly defaultTtl: number
    readonly rollout: { readonly allow: readonly string[] }
  }
  /** The options of the plan as environment variables, for an app that calls `cacheOptionsFromEnv()`. */
  readonly env: Readonly<Record<string, string>>
  /** The advised ttl of `getOrSet` calls in seconds, by key pattern. */
  readonly ttls: Readonly<Record<string, number>>
  /** The expected effect of the cache on all key patterns of the plan together. */
  readonly expected: {
    readonly hitRate: number
    readonly savedSecondsPerHour: number | undefined
    readonly memoryBytes: number | undefined
  }
}

/** Returns the plan (options to paste) for the key patterns whose verdict is good; `undefined`: no key pattern is good. */
export function planFor (all: readonly Advice[]): Plan | undefined {
  const good = all.filter(({ kind, judgement, name }) => kind === 'pattern' && judgement.kind === 'good' && name !== OTHER && isLabel(name))
  if (good.length === 0) return undefined
  const sum = (of: (advice: Advice) => number): number => good.reduce((total, advice) => total + of(advice), 0)
  const maxEntries = sum(({ entries }) => entries)
  const memoryBytes = good.every((advice) => advice.memoryBytes !== undefined) ? sum((advice) => advice.memoryBytes!) : undefined
  const requests = sum(({ requestsPerHour }) => requestsPerHour)
  const allow = good.map(({ name }) => name)
  const ttls = Object.fromEntries(good.map(({ name, ttl }) => [name, ttl]))
  return {
    options: {
      implementation: 'memory',
      memory: { maxEntries, ...memoryBytes === undefined ? {} : { maxBytes: roomFor(memoryBytes) } },
      defaultTtl: Math.min(...good.map(({ ttl }) => ttl)),
      rollout: { allow }
    },
    env: { CACHE_IMPL: 'memory', CACHE_PATTERN_WHITELIST: allow.join(',') },
    ttls,
    expected: {
      hitRate: sum(({ hitRate, requestsPerHour }) => hitRate * requestsPerHour) / requests,
      savedSecondsPerHour: good.every((advice) => advice.savedSecondsPerHour !== undefined)
        ? sum((advice) => advice.savedSecondsPerHour!)
        : undefined,
      memoryBytes
    }
  }
}

/** The advised `maxBytes`: twice the expected bytes, in whole MiB, since the estimate is a mean, and values may be larger. */
function roomFor (bytes: number): number {
  const mib = 1024 * 1024
  return Math.ceil(2 * bytes / mib) * mib
}
