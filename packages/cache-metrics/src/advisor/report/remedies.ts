import { duration, percent, per10000 } from './figures.js'
import type { Observation } from './observation.js'
import { perSecond } from './rate.js'

// Each function of this file returns a remedy as a sentence, for one of the reasons that `judge` in `advice.ts` gives for a verdict.

/** Returns the remedy for a key or URL that lacks a part of the request. */
export function leak ({ kind }: Observation, dimension: string): string {
  return kind === 'route' ? `A Vary or a URL that includes ${dimension}, or a policy that is not shared` : `A key that includes ${dimension}`
}

export const cookies = 'Responses without Set-Cookie: set cookies on another route'
export const plain = 'Loaded values of plain objects, arrays, strings and finite numbers'
export const noise = 'Values without the parts that differ on every load, such as a time or a random id'

/** Returns the remedy for too few requests. */
export function requests ({ requests, seconds }: Observation, least: number): string {
  const missing = least - requests
  const rate = perSecond(requests, seconds)
  return `${missing.toLocaleString('en-US')} more requests${rate === 0 ? '' : `, at the present rate in ${duration(missing / rate)}`}`
}

/** Returns the remedy for values or responses that may not be stored. */
export function storable ({ kind }: Observation): string {
  return kind === 'route' ? 'Responses that a shared cache may store: no private, no no-store, a storable status' : 'Loads that call no skip(), return no undefined and have a ttl above 0'
}

/** Returns the remedy for too many stale hits. */
export function stale (rate: number): string {
  return `Removals by del or tags where the data is written, or a tolerance of ${per10000(rate)}`
}

/** Returns the remedy for too few hits. */
export function hits (least: number): string {
  return `More requests per key, until ${percent(least)} hit: fewer parts in the key, or a longer ttl`
}

/** Returns the remedy for too few compared values. */
export function compared (missing: number): string {
  return `${missing} more compared values, which needs repeated loads while nothing is cached`
}

/** The changes after which a good verdict would no longer be good. */
export function good (leastHits: number, staleTolerance: number): string {
  return `Fewer than ${percent(leastHits)} hits, more than ${per10000(staleTolerance)} stale hits, or a value that differs by a part of the request`
}
