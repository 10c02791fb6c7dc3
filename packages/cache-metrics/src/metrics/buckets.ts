/** The values of the label `le` in Prometheus, ascending. */
export function boundsOf (buckets: readonly number[]): string[] {
  return [...buckets.map(String), '+Inf']
}

/** Cumulative counts per bucket, as in Prometheus: each includes the counts of all lower buckets. */
export function cumulate (counts: readonly number[]): number[] {
  let below = 0
  return counts.map((count) => {
    below += count
    return below
  })
}
