// Judges whether a cost grows faster than its stated order, from the slope of its curve on two logarithmic axes.

/** The place of a count of none, which has no logarithm. */
export const LEAST = 0.5

/** The exponent of each order. A logarithm has none: over six decades it grows less than any power that the tolerance separates. */
export const EXPONENTS = { 'O(1)': 0, 'O(log n)': 0, 'O(n)': 1 }

/**
 * The slope that a curve may have above its exponent. CPU caches alone make a constant look-up over 10³ to 10⁶ entries four times slower,
 * which is a slope of 0.2; the next order that code has, a square root, has 0.5.
 */
const TOLERANCE = 0.3

/** The slope of the least-squares line through the points, both coordinates as logarithms. */
export function slopeOf (points) {
  const logs = points.map(([x, y]) => [Math.log(Math.max(x, LEAST)), Math.log(y)])
  const mean = (at) => logs.reduce((sum, pair) => sum + pair[at], 0) / logs.length
  const [meanX, meanY] = [mean(0), mean(1)]
  const spread = logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  return logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread
}

/**
 * Returns `{ slope, isWorse }`. The slope is the greater of two: over all points, and over the upper half of them, where a constant part of
 * the cost hides less of the growth.
 */
export function judgeOrder (points, order) {
  const upper = points.slice(Math.min(points.length >> 1, points.length - 3))
  const slope = Math.max(slopeOf(points), slopeOf(upper))
  return { slope, isWorse: slope > EXPONENTS[order] + TOLERANCE }
}
