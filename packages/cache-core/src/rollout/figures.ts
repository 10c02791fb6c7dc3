import type { Difference } from './evidence.js'

/** A number with at most three significant digits, or all digits before the point. */
export function number (value: number | undefined): string {
  if (value === undefined) return 'unknown'
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)))
}

/** A share in percent. */
export function percent (value: number | undefined): string {
  return value === undefined ? 'unknown' : `${number(value)} %`
}

/** How a difference is shown to a person. */
export interface Scale {
  readonly unit: 'percent' | 'points'
  value (difference: number): number
  shown (difference: Difference): string
}

/** The logarithm of an odds ratio as a change in percent. */
export const asOdds: Scale = scale('percent', '%', (difference) => 100 * Math.expm1(difference))
/** A difference of ratios in percentage points. */
export const asPoints: Scale = scale('points', 'points', (difference) => 100 * difference)

function scale (unit: Scale['unit'], suffix: string, value: (difference: number) => number): Scale {
  const signed = (difference: number): string => `${difference > 0 ? '+' : ''}${number(value(difference))}`
  return {
    unit,
    value,
    shown: ({ estimate, low, high }) => `${signed(estimate)} ${suffix} (${signed(low)} to ${signed(high)})`
  }
}
