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

function signed (share: number): string {
  return `${share > 0 ? '+' : ''}${number(100 * share)}`
}

/** A difference of shares in percentage points. */
export function points (difference: number): string {
  return `${signed(difference)} points`
}

/** The bounds of a difference of shares in percentage points. */
export function interval ({ low, high }: Difference): string {
  return `${signed(low)} to ${signed(high)}`
}
