/** The values of `le` in Prometheus, in order. */
export function boundsOf (buckets: readonly number[]): string[] {
  return [...buckets.map(String), '+Inf']
}

/** Counts per bucket as Prometheus wants them: each with all that are below. */
export function cumulate (counts: readonly number[]): number[] {
  let below = 0
  return counts.map((count) => {
    below += count
    return below
  })
}
