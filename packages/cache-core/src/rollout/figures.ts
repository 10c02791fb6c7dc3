import type { Difference } from './evidence.js'

/** A larger number says no more than that it is large: so few requests give any number. */
const LARGEST = 1000

/** A number with at most three significant digits, or all digits before the point. */
export function number (value: number | undefined): string {
  if (value === undefined) return 'unknown'
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)))
}

/** A share or a change in percent; a change above 1000 is `more than 1000 %`. */
export function percent (value: number | undefined): string {
  return value === undefined ? 'unknown' : `${bounded(value)} %`
}

/** A number of which a large one is named as such. */
export function bounded (value: number): string {
  return value > LARGEST ? `more than ${LARGEST}` : value < -LARGEST ? `less than -${LARGEST}` : number(value)
}

/** A time that ends now, in words: `in the last 20 minutes`, `in the last 3.5 hours`. */
export function lastMinutes (minutes: number): string {
  if (minutes === 1) return 'in the last minute'
  return minutes < 120 ? `in the last ${minutes} minutes` : `in the last ${number(minutes / 60)} hours`
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
  const signed = (difference: number): string => {
    const shown = value(difference)
    return `${shown > 0 && shown <= LARGEST ? '+' : ''}${bounded(shown)}`
  }
  return {
    unit,
    value,
    shown: ({ estimate, low, high }) => `${signed(estimate)} ${suffix} (${signed(low)} to ${signed(high)})`
  }
}
