import type { Freshness } from '@x/cache-core/suite'

/** The time at which a stored response was received, in milliseconds of the epoch, and its freshness at that time. */
export interface Dated { readonly receivedAt: number; readonly freshness: Freshness }

/** The permitted use of a stored response: without validation, during a refresh, in place of a failure, or only after validation. */
export type StoredState = 'fresh' | 'while-revalidating' | 'if-error' | 'to-validate'

/** The current age of a stored response in seconds, with fractions (RFC 9111 §4.2.3). */
export function ageOf ({ freshness, receivedAt }: Dated, now: number): number {
  return freshness.initialAge + Math.max(0, now - receivedAt) / 1000
}

/**
 * Returns how a stored response may be used at a time (RFC 9111 §4.2, RFC 5861).
 * @param isInvalidated whether a tag of the response was invalidated softly
 * @param now milliseconds of the epoch
 */
export function stateOf (response: Dated, isInvalidated: boolean, now: number): StoredState {
  const { lifetime, staleWhileRevalidate, staleIfError, mustRevalidate, noCache } = response.freshness
  const over = ageOf(response, now) - lifetime
  if (over < 0 && !noCache && !isInvalidated) return 'fresh'
  if (mustRevalidate || noCache) return 'to-validate'
  // A soft invalidation makes the response stale at once, but the stale windows still begin at the regular end of its freshness.
  if (staleWhileRevalidate > 0 && over < staleWhileRevalidate) return 'while-revalidating'
  return staleIfError > 0 && over < staleIfError ? 'if-error' : 'to-validate'
}
