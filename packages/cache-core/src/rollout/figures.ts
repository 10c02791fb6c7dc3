import type { Difference } from './evidence.js'

/**
 * The largest number that is shown to an operator; larger ones are shown as `more than 1000`, since such numbers come from few requests and
 * are imprecise.
 */
const LARGEST = 1000

/** Formats a number with at most three significant digits, but with all digits before the decimal point. */
export function number (value: number | undefined): string {
  if (value === undefined) return 'unknown'
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)))
}

/** Formats a share or a change in percent; a change above 1000 is `more than 1000 %`. */
export function percent (value: number | undefined): string {
  return value === undefined ? 'unknown' : `${bounded(value)} %`
}

/** Formats a duration in milliseconds. */
export function milliseconds (value: number | undefined): string {
  return value === undefined ? 'unknown' : `${number(value)} ms`
}

/** Formats a number; one above 1000 is `more than 1000`, one below -1000 `less than -1000`. */
export function bounded (value: number): string {
  return value > LARGEST ? `more than ${LARGEST}` : value < -LARGEST ? `less than -${LARGEST}` : number(value)
}

/** Formats a number of minutes that end now: `in the last 20 minutes`, `in the last 3.5 hours`. */
export function lastMinutes (minutes: number): string {
  if (minutes === 1) return 'in the last minute'
  return minutes < 120 ? `in the last ${minutes} minutes` : `in the last ${number(minutes / 60)} hours`
}

/** The unit in which an operator sees a difference between the arms. */
export interface Scale {
  readonly unit: 'percent' | 'points'
  value (difference: number): number
  shown (difference: Difference): string
}

/** Formats the logarithm of an odds ratio as a change of the odds in percent. */
export const asOdds: Scale = scale('percent', '%', (difference) => 100 * Math.expm1(difference))
/** Formats a difference of ratios in percentage points. */
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
