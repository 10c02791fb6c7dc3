// Judges whether a cost grows faster than its stated order, from the slope of its curve on two logarithmic axes.

/** The value at which a count of 0 is drawn, since 0 has no logarithm. */
export const LEAST = 0.5

/**
 * The exponent of each order. The exponent of a logarithm is 0: over six decades it grows less than any power that the tolerance
 * distinguishes.
 */
export const EXPONENTS = { 'O(1)': 0, 'O(log n)': 0, 'O(n)': 1 }

/**
 * The amount by which the slope of a curve may exceed the exponent of its order. CPU caches alone make a constant look-up four times slower
 * over 10³ to 10⁶ entries, which is a slope of 0.2. The next order that occurs in code, a square root, has the slope 0.5.
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
 * Returns `{ slope, isWorse }`. The slope is the greater one of two slopes: over all points, and over the upper half of them, where a
 * constant part of the cost hides less growth.
 */
export function judgeOrder (points, order) {
  const upper = points.slice(Math.min(points.length >> 1, points.length - 3))
  const slope = Math.max(slopeOf(points), slopeOf(upper))
  return { slope, isWorse: slope > EXPONENTS[order] + TOLERANCE }
}
