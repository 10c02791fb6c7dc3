const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const COMMON = /^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d(?:\.\d{1,9})?(?: [+-]\d{4})?$/
const ISO = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?$/
const NUMBER = /^\d{9,19}(?:\.\d{1,9})?$/
/** The source of a pattern of an ISO 8601 time with a time zone, for patterns of lines. */
export const ISO_TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)`
const DOT = 46
const ZERO = 48
const SLASH = 47
const HYPHEN = 45
/**
 * The forms of a time as text: `shape`, the pattern; `length`, the length up to the second; `secondOf`, the function that reads the time up
 * to the second.
 */
const COMMON_FORM = { shape: COMMON, length: 20, secondOf: commonSecond }
const ISO_FORM = { shape: ISO, length: 19, secondOf: isoSecond }

/** Parses a time in a log into milliseconds since 1970; NaN: the value is no time. */
export type TimeParser = (value: unknown) => number

/**
 * Creates a parser of times such as `10/Oct/2000:13:55:36 -0700`, `2000-10-10T13:55:36.123Z` and seconds, milliseconds, microseconds or
 * nanoseconds since 1970. These units are distinguished by their number of digits, which is unambiguous from the year 2001 on. The last
 * parsed second is remembered, since many lines have the same second.
 */
export function timeParser (): TimeParser {
  let second = ''
  let zone = ''
  let base = NaN
  /** Returns the time of a text that has the same second and time zone as the previous text; NaN: one of them differs. */
  const again = (value: string): number => {
    if (second === '' || !value.startsWith(second)) return NaN
    const end = endOfFraction(value, second.length)
    return value.length === end + zone.length && value.endsWith(zone) ? base + fractionOf(value, second.length, end) : NaN
  }
  return (value) => {
    if (typeof value === 'number') return epoch(value)
    if (typeof value !== 'string') return NaN
    const known = again(value)
    if (!Number.isNaN(known)) return known
    const form = value.charCodeAt(2) === SLASH ? COMMON_FORM : value.charCodeAt(4) === HYPHEN ? ISO_FORM : undefined
    if (form === undefined) return NUMBER.test(value) ? epoch(Number(value)) : NaN
    if (!form.shape.test(value)) return NaN
    second = value.slice(0, form.length)
    zone = value.slice(endOfFraction(value, second.length))
    base = form.secondOf(second) - offsetOf(zone.trimStart())
    return again(value)
  }
}

function epoch (value: number): number {
  if (!(value >= 1e9 && value < 1e19)) return NaN
  if (value < 1e11) return Math.round(value * 1000)
  return Math.floor(value < 1e14 ? value : value < 1e17 ? value / 1e3 : value / 1e6)
}

/** Returns the index at which a fraction of a second ends that begins at `from`; the result is `from` if there is no fraction. */
function endOfFraction (text: string, from: number): number {
  if (text.charCodeAt(from) !== DOT) return from
  let end = from + 1
  while (text.charCodeAt(end) >= ZERO && text.charCodeAt(end) <= ZERO + 9) end++
  return end
}

/** Returns the whole milliseconds of a fraction of a second, which begins with a point. */
function fractionOf (text: string, from: number, end: number): number {
  let sum = 0
  for (let at = from + 1, weight = 100; at < end && weight >= 1; at++, weight /= 10) sum += (text.charCodeAt(at) - ZERO) * weight
  return sum
}

/** Returns the milliseconds by which a time zone such as `+0200`, `-03:30` or `Z` is ahead of UTC; without a time zone 0. */
function offsetOf (zone: string): number {
  if (zone === '' || zone === 'Z') return 0
  return (numberAt(zone, 1) * 60 + numberAt(zone, zone.length - 2)) * (zone.startsWith('-') ? -60_000 : 60_000)
}

function commonSecond (text: string): number {
  return utcOf(numberAt(text, 7) * 100 + numberAt(text, 9), MONTHS.indexOf(text.slice(3, 6)), numberAt(text, 0), text, 12)
}

function isoSecond (text: string): number {
  return utcOf(numberAt(text, 0) * 100 + numberAt(text, 2), numberAt(text, 5) - 1, numberAt(text, 8), text, 11)
}

function utcOf (year: number, month: number, day: number, text: string, at: number): number {
  const [hours, minutes, seconds] = [numberAt(text, at), numberAt(text, at + 3), numberAt(text, at + 6)]
  const isDay = month >= 0 && month <= 11 && day >= 1 && day <= 31
  // The second 60 is accepted, since it occurs as a leap second.
  return isDay && hours <= 23 && minutes <= 59 && seconds <= 60 ? Date.UTC(year, month, day, hours, minutes, seconds) : NaN
}

/** Returns the number that two digits at a position of a text have. */
function numberAt (text: string, at: number): number {
  return (text.charCodeAt(at) - ZERO) * 10 + text.charCodeAt(at + 1) - ZERO
}
