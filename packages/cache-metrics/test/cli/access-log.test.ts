import t from 'tap'
import { AccessLog } from '../../src/cli/access-log.js'
import { TraceStudy } from '../../src/cli/trace-study.js'
import { entriesOf, formatNamed } from '../fixtures/logs.js'

const isLogLine = (line: string) => Object.keys(entriesOf(line)).length > 0

function logOf (...lines: string[]) {
  const study = new TraceStudy({ ttls: [1, 10], entries: [100], loadSeconds: undefined, valueBytes: undefined })
  const log = new AccessLog(study, formatNamed('common'))
  return { study, log, taken: lines.map((line) => log.take(line)), rates: study.points().map(({ hitRate }) => hitRate) }
}
const line = (request = 'GET /a HTTP/1.1', { time = '10/Oct/2000:13:55:36 -0700', status = '200', bytes = '2326', user = '-' } = {}) =>
  `127.0.0.1 - ${user} [${time}] "${request}" ${status} ${bytes}`
const at = (second: number, zone = '+0000') => ({ time: `10/Oct/2000:13:55:${String(second).padStart(2, '0')} ${zone}` })

t.test('isLogLine: common, combined, with a virtual host, with what is hard to read', async (t) => {
  const good = [
    '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326',
    '::1 - - [10/Oct/2000:13:55:36 +0530] "GET / HTTP/2.0" 304 - "https://a/" "Mozilla/5.0 (X11)"',
    'shop.example:443 10.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "-"',
    '10.0.0.1 - Ada Lovelace [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 5',
    '10.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "GET /a\\"b HTTP/1.1" 200 5',
    '10.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "\\x16\\x03\\x01" 400 150',
    '10.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "" 408 -',
    '10.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 5 0.003 upstream=x'
  ]
  for (const one of good) t.ok(isLogLine(one), one)
  const bad = ['', 'user:1', '{"time":"10/Oct/2000:13:55:36 -0700"}', '127.0.0.1 - - [yesterday] "GET / HTTP/1.1" 200 5',
    '127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 2000 5', '127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1 200 5']
  for (const one of bad) t.notOk(isLogLine(one), one)
})

t.test('isLogLine: a line made to be slow is not', async (t) => {
  const began = process.cpuUsage().user
  for (const hostile of ['a '.repeat(32_000), `a a ${'[ '.repeat(30_000)}`, `a a - [10/Oct/2000:13:55:36 -0700] "${'\\'.repeat(60_000)}`, `a a - [10/Oct/2000:13:55:36 -0700] "${'\\"'.repeat(30_000)}`]) t.notOk(isLogLine(hostile))
  t.ok(process.cpuUsage().user - began < 1e6)
})

t.test('take: counts GET and HEAD with success or 304, by one key', async (t) => {
  const { study, log, taken } = logOf(
    line('GET /a/1?x=y HTTP/1.1'), line('HEAD /a/1?x=y HTTP/1.1'), line('GET /a/1?x=y', { status: '304', bytes: '-' }), line('GET /a/2 HTTP/1.1', { status: '204', bytes: '-' }),
    line('POST /a/1 HTTP/1.1'), line('GET /a/1 HTTP/1.1', { status: '404' }), line('GET /a/1 HTTP/1.1', { status: '301' }), line('\\x16\\x03', { status: '400' }), 'nonsense')
  t.same(taken, [true, true, true, true, true, true, true, true, false])
  t.equal(study.requests, 4)
  t.equal(log.requests, 8)
  t.equal(log.notModified, 1)
  t.match(study.observations('route', log.seconds), [{ name: 'GET /a/:id', distinct: 2, requests: 4 }])
  t.match(log.notes.join(), /4 requests are left out/)
})

t.test('take: a status that a load balancer did not have is no success', async (t) => {
  const study = new TraceStudy({ ttls: [1], entries: [100], loadSeconds: undefined, valueBytes: undefined })
  const log = new AccessLog(study, formatNamed('alb'))
  const alb = (status: string) => `https 2024-05-01T10:00:00.000000Z app/my-lb/50dc 10.0.0.1:2817 - -1 -1 -1 ${status} - 34 0 "GET https://a.example:443/a HTTP/1.1" "-" - - - "-"`
  t.same([log.take(alb('-')), log.take(alb('200'))], [true, true])
  t.equal(log.requests, 2)
  t.equal(study.requests, 1)
  t.match(log.notes.join(), /1 requests are left out/)
})

t.test('take: a log without a host says that several sites may share keys', async (t) => {
  t.match(logOf(line()).log.notes.filter((note) => /no host/.test(note)), [/equal paths of two sites count as one/])
  t.notMatch(logOf(`shop.example ${line()}`).log.notes.join(), /no host/)
  t.notMatch(logOf(line('POST /a HTTP/1.1')).log.notes.join(), /no host/)
})

t.test('take: bytes are those of whole bodies', async (t) => {
  const { study } = logOf(line('GET /a', { bytes: '100' }), line('GET /a', { bytes: '300' }), line('HEAD /a', { bytes: '9999' }),
    line('GET /a', { status: '206', bytes: '10' }), line('GET /a', { status: '304', bytes: '0' }), line('GET /a', { bytes: '-' }), line('GET /a', { bytes: '0' }))
  t.equal(study.observations('route', 1)[0]!.meanBytes, 200)
})

t.test('take: time is that of the log, in any time zone', async (t) => {
  t.same(logOf(line('GET /a', at(0)), line('GET /a', at(5))).rates, [0, 0.5])
  t.same(logOf(line('GET /a', { time: '10/Oct/2000:23:30:00 +0000' }), line('GET /a', { time: '11/Oct/2000:01:30:05 +0200' })).rates, [0, 0.5], 'the other side of midnight')
  t.same(logOf(line('GET /a', { time: '10/Oct/2000:12:00:00 -0330' }), line('GET /a', { time: '10/Oct/2000:15:30:09 +0000' })).rates, [0, 0.5])
  t.equal(logOf(line('GET /a', at(1)), line('GET /a', at(10))).log.seconds, 10)
})

t.test('take: a line that is slightly out of order counts as one of now', async (t) => {
  const { rates, log } = logOf(line('GET /a', at(50)), line('GET /b', at(58)), line('GET /a', at(49)), line('GET /b', at(59)))
  t.same(rates, [0, 0.5])
  t.equal(log.seconds, 11)
  t.notMatch(log.notes.join(), /sorted/)
})

t.test('take: a clock that jumps is followed, and told', async (t) => {
  const { rates, log } = logOf(line('GET /a', { time: '01/Jan/2040:00:00:00 +0000' }), line('GET /a', at(0)), line('GET /a', at(5)), line('GET /a', at(30)))
  t.same(rates, [0, 0.25])
  t.match(log.notes.join(), /1 lines are more than a minute older/)
})

t.test('take: a time that does not exist is no line of a log', async (t) => {
  for (const time of ['00/Oct/2000:13:55:36 -0700', '32/Oct/2000:13:55:36 -0700', '10/Foo/2000:13:55:36 -0700', '10/Oct/2000:24:00:00 -0700', '10/Oct/2000:13:60:00 -0700']) {
    t.same(logOf(line('GET /a', { time })).taken, [false], time)
  }
})

t.test('take: says when requests were of users', async (t) => {
  t.match(logOf(line('GET /a', { user: 'frank' }), line()).log.notes.join(), /1 requests were of users who had logged in/)
  t.notMatch(logOf(line()).log.notes.join(), /logged in/)
})

t.test('take: a hundred routes have a name, the rest is other', async (t) => {
  const { study } = logOf(...Array.from({ length: 150 }, (_, at) => line(`GET /${String.fromCharCode(97 + at % 26)}${'x'.repeat(at / 26)} HTTP/1.1`)))
  t.equal(study.patterns.length, 101)
  t.same(study.patterns.at(-1), { name: 'other', requests: 50 })
})
