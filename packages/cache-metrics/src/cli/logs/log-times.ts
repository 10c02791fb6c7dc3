const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const COMMON = /^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d(?:\.\d{1,9})?(?: [+-]\d{4})?$/
const ISO = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?$/
const NUMBER = /^\d{9,19}(?:\.\d{1,9})?$/
const LENGTH_OF_SECOND = { common: 20, iso: 19 } as const

/** Parses a time in a log into milliseconds since 1970; NaN: the value is no time. */
export type TimeParser = (value: unknown) => number

/**
 * Creates a parser of times such as `10/Oct/2000:13:55:36 -0700`, `2000-10-10T13:55:36.123Z` and seconds, milliseconds, microseconds or
 * nanoseconds since 1970, which differ in their number of digits from the year 2001 on. The second before is remembered, since the lines of a
 * log share it.
 */
export function timeParser (): TimeParser {
  let text = ''
  let base = NaN
  return (value) => {
    if (typeof value === 'number') return epoch(value)
    if (typeof value !== 'string') return NaN
    const kind = COMMON.test(value) ? 'common' : ISO.test(value) ? 'iso' : undefined
    if (kind === undefined) return NUMBER.test(value) ? epoch(Number(value)) : NaN
    const second = value.slice(0, LENGTH_OF_SECOND[kind])
    if (second !== text) {
      text = second
      base = kind === 'common' ? commonSecond(second) : isoSecond(second)
    }
    return base + rest(value, second.length)
  }
}

function epoch (value: number): number {
  if (!(value >= 1e9 && value < 1e19)) return NaN
  if (value < 1e11) return Math.round(value * 1000)
  return Math.floor(value < 1e14 ? value : value < 1e17 ? value / 1e3 : value / 1e6)
}

/** Milliseconds by a fraction of the second and a time zone, from `from` to the end of a time. */
function rest (text: string, from: number): number {
  let at = from
  let fraction = 0
  if (text[at] === '.') {
    for (at++; isDigit(text, at); at++) if (at - from <= 3) fraction += Number(text[at]) * 10 ** (3 - at + from)
  }
  if (text[at] === ' ') at++
  const sign = text[at] === '-' ? -1 : text[at] === '+' ? 1 : 0
  if (sign === 0) return fraction
  const minutes = Number(text.slice(at + 1, at + 3)) * 60 + Number(text.slice(-2))
  return fraction - sign * minutes * 60_000
}

function isDigit (text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code >= 48 && code <= 57
}

function commonSecond (text: string): number {
  return second(text.slice(7, 11), MONTHS.indexOf(text.slice(3, 6)), text.slice(0, 2), text.slice(12))
}

function isoSecond (text: string): number {
  return second(text.slice(0, 4), Number(text.slice(5, 7)) - 1, text.slice(8, 10), text.slice(11))
}

function second (year: string, month: number, day: string, time: string): number {
  const [hours, minutes, seconds] = [Number(time.slice(0, 2)), Number(time.slice(3, 5)), Number(time.slice(6, 8))]
  const isDay = month >= 0 && month <= 11 && Number(day) >= 1 && Number(day) <= 31
  // Second 60 is a valid time, since it is a leap second.
  if (!isDay || hours > 23 || minutes > 59 || seconds > 60) return NaN
  return Date.UTC(Number(year), month, Number(day), hours, minutes, seconds)
}
