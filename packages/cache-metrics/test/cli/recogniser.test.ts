import fc from 'fast-check'
import t from 'tap'
import { isKeyShaped } from '../../src/cli/plain-trace.js'
import { TraceLines } from '../../src/cli/trace-lines.js'
import { TraceStudy } from '../../src/cli/trace-study.js'
import { entriesOf } from '../fixtures/logs.js'

const isLogLine = (line: string) => Object.keys(entriesOf(line)).length > 0
const word = fc.stringMatching(/^[a-z][a-z0-9.]{0,12}$/)
const client = fc.oneof(fc.ipV4(), fc.ipV6(), word)
// The user may contain blanks and brackets. The target of a browser or scanner may contain nearly everything, with quotes escaped.
const user = fc.oneof(fc.constant('-'), fc.stringMatching(/^[A-Za-z][A-Za-z (.\]-]{0,12}[a-z]$/))
const target = fc.stringMatching(/^\/[!#-[\]-~]{0,40}$/)
const request = fc.oneof(fc.tuple(fc.constantFrom('GET', 'HEAD', 'POST'), target).map(([method, path]) => `${method} ${path} HTTP/1.1`), fc.constant('-'), fc.constant('\\x16\\x03 \\"'))
const status = fc.integer({ min: 100, max: 599 })
const date = fc.date({ min: new Date('2000-01-01T00:00:00Z'), max: new Date('2099-12-31T00:00:00Z'), noInvalidDate: true }).map((at) => new Date(Math.floor(at.getTime() / 1000) * 1000))
const two = (value: number) => String(value).padStart(2, '0')
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const commonTime = (at: Date) => `${two(at.getUTCDate())}/${MONTHS[at.getUTCMonth()]}/${at.getUTCFullYear()}:${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} +0000`

const commonParts = fc.record({
  host: fc.oneof(fc.constant(''), word, word.map((name) => `${name}:443`)),
  client,
  user,
  date,
  request,
  status,
  bytes: fc.oneof(fc.nat(), fc.constant('-' as const)),
  tail: fc.constantFrom('', ' "-" "agent/1.0"', ' "http://a/" "a b" 0.012')
})
const commonLine = (
  { host, client, user, date, request, status, bytes, tail }: typeof commonParts extends fc.Arbitrary<infer T> ? T : never
) =>
  `${host === '' ? '' : `${host} `}${client} - ${user} [${commonTime(date)}] "${request}" ${status} ${bytes}${tail}`
const edgeLine = fc.tuple(client, date, request, status, fc.constantFrom('cached', 'bypassed'), fc.constantFrom('HIT', 'MISS', '-'), fc.nat(9999))
  .map(([from, at, asked, code, arm, cache, ms]) => `${from} [${at.toISOString().replace('.000Z', '+00:00')}] "${asked}" ${code} ${arm} ${cache} ${(ms / 1000).toFixed(3)}`)

t.test('LOG_FORMATS: a line of the common, combined or vhost_combined format is read as what it was made of', async () => {
  fc.assert(fc.property(commonParts, (parts) => {
    const { common: [entry] = [], ...others } = entriesOf(commonLine(parts))
    const [, method, target] = /^([A-Z]+) (\S+) HTTP/.exec(parts.request) ?? []
    return entry !== undefined && Object.keys(others).length === 0 &&
      entry.host === parts.host && entry.method === (method ?? '') && entry.target === (target ?? '') && entry.status === parts.status &&
      entry.time === parts.date.getTime() && Object.is(entry.bytes, Number(parts.bytes)) && entry.hasUser === (parts.user !== '-')
  }))
})

t.test('LOG_FORMATS: a line of our nginx.conf is read by its format and by no other', async () => {
  fc.assert(fc.property(edgeLine, (line) => Object.keys(entriesOf(line)).join() === 'edge'))
})

t.test('LOG_FORMATS: what has the shape of a key is no line of a log, and a line of a log has not that shape', async () => {
  fc.assert(fc.property(fc.string({ minLength: 1 }), (text) => !isKeyShaped(text) || !isLogLine(text)))
  fc.assert(fc.property(fc.oneof(commonParts.map(commonLine), edgeLine), (line) => !isKeyShaped(line)))
})

t.test('TraceLines: whatever stands before a log, the log is read if it is at least half of the file', async () => {
  const banner = fc.array(fc.string().filter((text) => !isLogLine(text.trim())), { maxLength: 20 })
  const logs = fc.array(commonParts, { minLength: 1, maxLength: 20 })
  fc.assert(fc.property(banner, logs, (before, parts) => {
    const lines = new TraceLines(() => new TraceStudy({ ttls: [1], entries: [10], loadSeconds: undefined, valueBytes: undefined }), 20)
    for (const line of [...before, ...parts.map(commonLine)]) lines.line(line)
    const read = () => lines.end('a file')
    const strange = before.filter((line) => line.trim() !== '').length
    if (strange <= parts.length) {
      const trace = read()
      return trace.kind === 'route' && trace.requests === parts.length && lines.unreadable === strange
    }
    try {
      read()
      return false
    } catch (error) {
      const first = before.findIndex((line) => line.trim() !== '') + 1
      return (error as Error).message.includes(` are not recognised, the first is line ${first}: `)
    }
  }))
})

t.test('TraceLines: keys before a lone line of a log are refused with the first of them, and are keys if that is said', async (t) => {
  const linesOf = (format?: 'keys') => {
    const lines = new TraceLines(
      () => new TraceStudy({ ttls: [1], entries: [10], loadSeconds: undefined, valueBytes: undefined }), 20, format
    )
    for (let at = 1; at < 300; at++) lines.line(`user:${at}`)
    lines.line('10.0.0.1 - - [10/Oct/2000:13:00:00 +0000] "GET / HTTP/1.1" 200 5')
    return lines
  }
  t.throws(() => linesOf().end('a file'), { code: 'CACHE_ERR_ADVISOR', message: /299 of 300 lines are not recognised, the first is line 1: "user:1"/ })
  t.equal(linesOf('keys').end('a file').study.requests, 300)
})
