/** Returns the values of the Prometheus label `le`: the upper bounds of a histogram's buckets, ascending. */
export function boundsOf (buckets: readonly number[]): string[] {
  return [...buckets.map(String), '+Inf']
}

/** Returns the cumulative counts of a histogram's buckets, as in Prometheus: each count includes the counts of all lower buckets. */
export function cumulate (counts: readonly number[]): number[] {
  let below = 0
  return counts.map((count) => {
    below += count
    return below
  })
}
