import fc from 'fast-check'
import t from 'tap'
import { formatHttpDate, parseHttpDate } from '../src/http/http-date.js'
import { anyCharacter } from '@x/test-kit/texts'

const EXAMPLE = Date.UTC(1994, 10, 6, 8, 49, 37)
const NOW = Date.UTC(2025, 5, 15)

t.test('parseHttpDate: reads the three forms of RFC 9110 §5.6.7', async (t) => {
  for (const text of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']) {
    t.equal(parseHttpDate(text, NOW), EXAMPLE, text)
  }
  t.equal(parseHttpDate('Wed Nov 16 08:49:37 1994'), Date.UTC(1994, 10, 16, 8, 49, 37))
})

t.test('parseHttpDate: whatever else Date.parse would read is none', async (t) => {
  for (const text of [
    '', '0', '-1', '1994-11-06T08:49:37Z', '06 Nov 1994 08:49:37 GMT', 'Sun, 6 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49:37 +0000', 'Sun, 06 Nov 1994 08:49:37', 'Sun, 06 Nov 94 08:49:37 GMT', 'sun, 06 nov 1994 08:49:37 gmt',
    ' Sun, 06 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:37 GMT ', 'Sun, 06 Nov 1994 08:49 GMT', 'Sun Nov 06 08:49:37 GMT 1994',
    'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT', 'Sun, 06-Nov-1994 08:49:37 GMT', 'Sun Nov 6 08:49:37 1994'
  ]) t.equal(parseHttpDate(text), undefined, text)
})

t.test('parseHttpDate: a day or a time that is not in the calendar is none', async (t) => {
  for (const text of [
    'Sun, 00 Nov 1994 08:49:37 GMT', 'Sun, 31 Nov 1994 08:49:37 GMT', 'Tue, 29 Feb 2023 08:49:37 GMT', 'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:60:37 GMT', 'Sun, 06 Nov 1994 08:49:61 GMT', 'Tuesday, 29-Feb-23 08:49:37 GMT', 'Tue Feb 30 08:49:37 2024'
  ]) t.equal(parseHttpDate(text, NOW), undefined, text)
  t.equal(parseHttpDate('Thu, 29 Feb 2024 00:00:00 GMT'), Date.UTC(2024, 1, 29))
  t.equal(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT'), Date.UTC(2017, 0, 1), 'a leap second')
})

t.test('parseHttpDate: RFC 9110 §5.6.7: a year of two digits is at most 50 years ahead', async (t) => {
  const at = (text: string) => parseHttpDate(text, NOW)
  t.equal(at('Friday, 14-Jun-75 00:00:00 GMT'), Date.UTC(2075, 5, 14))
  t.equal(at('Sunday, 15-Jun-75 00:00:00 GMT'), Date.UTC(2075, 5, 15))
  t.equal(at('Monday, 16-Jun-75 00:00:00 GMT'), Date.UTC(1975, 5, 16))
  t.equal(at('Monday, 01-Jan-76 00:00:00 GMT'), Date.UTC(1976, 0, 1))
  t.equal(at('Saturday, 01-Jan-00 00:00:00 GMT'), Date.UTC(2000, 0, 1))
  t.equal(parseHttpDate('Friday, 01-Jan-10 00:00:00 GMT', Date.UTC(2080, 0, 1)), Date.UTC(2110, 0, 1), 'in the next century')
})

t.test('parseHttpDate: the years before 100 are not of the twentieth century', async (t) => {
  t.equal(new Date(parseHttpDate('Sat, 01 Jan 0050 00:00:00 GMT')!).toISOString(), '0050-01-01T00:00:00.000Z')
})

t.test('http-date: any second of four-digit years comes back', async () => {
  fc.assert(fc.property(fc.date({ min: new Date('0000-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }), (date) => {
    const text = formatHttpDate(date.getTime())
    return text.length === 29 && parseHttpDate(text) === Math.floor(date.getTime() / 1000) * 1000
  }))
})

t.test('parseHttpDate: any text is a date or none', async () => {
  fc.assert(fc.property(fc.string({ unit: anyCharacter }), fc.double(), (text, now) => parseHttpDate(text, now) === undefined))
})
