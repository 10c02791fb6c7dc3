/** The quantile of the standard normal distribution for a 95 % interval, two-sided. */
export const Z = 1.96
/** The quantiles of Student's t distribution at 0.975, by degrees of freedom, beginning with 1. */
const T = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228]

/** A cluster of simulated hits (those of one key, or of one period of time), with the number of stale hits among them. */
export interface Cluster { readonly hits: number, readonly stale: number }

/** Returns the sums of hits and stale hits over all clusters. */
export function total (clusters: readonly Cluster[]): Cluster {
  let hits = 0
  let stale = 0
  for (const cluster of clusters) {
    hits += cluster.hits
    stale += cluster.stale
  }
  return { hits, stale }
}

/** The effective number of clusters: the number of clusters of equal size with the same information (Kish 1965). */
export function effective (clusters: readonly Cluster[]): number {
  let squares = 0
  for (const { hits } of clusters) squares += hits ** 2
  return total(clusters).hits ** 2 / squares
}

/**
 * The jackknife variance of the rate of stale hits over clusters, times the square of the quantile of Student's t. With this factor,
 * variances that have different degrees of freedom can be added.
 */
export function spreadOf (clusters: readonly Cluster[], rate: number): number {
  const count = clusters.length
  const all = total(clusters).hits
  let squares = 0
  for (const { hits, stale } of clusters) squares += ((stale - rate * hits) / (all - hits)) ** 2
  return squares * (count - 1) / count * student(effective(clusters) - 1) ** 2
}

/** Returns the quantile of Student's t distribution at 0.975 for a number of degrees of freedom. */
function student (freedom: number): number {
  return T[Math.max(0, Math.floor(freedom) - 1)] ?? Z + 2.37 / freedom + 2.82 / freedom ** 2
}

/** Returns Wilson's 95 % interval of a rate that was observed in `count` independent trials. */
export function wilson (rate: number, count: number): { low: number, high: number } {
  if (!(count < Infinity)) return { low: rate, high: rate }
  const middle = rate + Z ** 2 / (2 * count)
  const width = Z * Math.sqrt(rate * (1 - rate) / count + Z ** 2 / (4 * count ** 2))
  const whole = 1 + Z ** 2 / count
  return { low: Math.max(0, (middle - width) / whole), high: Math.min(1, (middle + width) / whole) }
}
