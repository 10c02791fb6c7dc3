const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const MONTH = `(?<month>${MONTHS.join('|')})`
const TIME = '(?<hour>[01]\\d|2[0-3]):(?<minute>[0-5]\\d):(?<second>[0-5]\\d|60)'
const SHORT_DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
const LONG_DAY = '(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day'
const FORMS = [
  new RegExp(`^${SHORT_DAY}, (?<day>\\d\\d) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(`^${LONG_DAY}, (?<day>\\d\\d)-${MONTH}-(?<year>\\d\\d) ${TIME} GMT$`),
  new RegExp(`^${SHORT_DAY} ${MONTH} (?<day>\\d\\d| \\d) ${TIME} (?<year>\\d{4})$`)
]

/**
 * Parses an HTTP date in one of the three forms of RFC 9110 §5.6.7 to milliseconds since the epoch; `undefined`: the text is no such date,
 * or the day does not exist. The day of the week is not checked. A two-digit year that would be more than 50 years after `now` is in the
 * century before.
 */
export function parseHttpDate (text: string, now: number = Date.now()): number | undefined {
  for (const form of FORMS) {
    const parts = form.exec(text)?.groups
    if (parts === undefined) continue
    const month = MONTHS.indexOf(parts['month']!)
    const read = (year: number) => toTime(year, month, parts)
    const year = Number(parts['year'])
    return parts['year']!.length === 4 ? read(year) : inNearestCentury(year, read, now)
  }
  return undefined
}

/** Formats milliseconds since the epoch in the preferred form, IMF-fixdate, for the years 0 to 9999; fractions of a second are cut off. */
export function formatHttpDate (ms: number): string {
  return new Date(ms).toUTCString()
}

function inNearestCentury (year: number, read: (year: number) => number | undefined, now: number): number | undefined {
  const limit = new Date(now)
  limit.setUTCFullYear(limit.getUTCFullYear() + 50)
  const latest = limit.getUTCFullYear()
  let full = latest - latest % 100 + year
  if (full > latest) full -= 100
  const time = read(full)
  return time !== undefined && time > limit.getTime() ? read(full - 100) : time
}

function toTime (year: number, month: number, parts: Readonly<Record<string, string>>): number | undefined {
  // The years 0 to 99 are set by `setUTCFullYear`, since `Date.UTC` reads them as 1900 to 1999.
  const date = new Date(0)
  date.setUTCFullYear(year, month, Number(parts['day']))
  // A date that the month does not have, such as 31 April, is refused: `Date` has turned it into a day of the next month.
  if (date.getUTCMonth() !== month) return undefined
  return date.setUTCHours(Number(parts['hour']), Number(parts['minute']), Number(parts['second']))
}
