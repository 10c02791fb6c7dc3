import fc from 'fast-check'
import t from 'tap'
import { LinePrefix } from '../../src/cli/logs/line-prefix.js'
import { LOG_FORMATS } from '../../src/cli/logs/log-formats.js'
import { MAKERS } from '../fixtures/log-lines.js'
import { anyCharacter } from '@x/test-kit/texts'

function without (...lines: string[]): string[] {
  const taken: string[] = []
  const prefix = new LinePrefix((line) => { taken.push(line) })
  for (const line of lines) prefix.line(line)
  prefix.end()
  return taken
}

const ISO = '2024-05-01T10:00:00.669794202Z'
const PREFIXES: Readonly<Record<string, (line: string) => string>> = {
  'Kubernetes (CRI)': (line) => `${ISO} stdout F ${line}`,
  'Kubernetes with an offset': (line) => `2024-05-01T10:00:00.669794202+02:00 stderr F ${line}`,
  'Docker json-file': (line) => JSON.stringify({ log: `${line}\n`, stream: 'stdout', time: ISO }),
  'syslog in a file': (line) => `May  1 10:00:00 host-1 nginx: ${line}`,
  'syslog with a process id': (line) => `May 11 10:00:00 10.0.0.1 haproxy[12]: ${line}`,
  'syslog of rsyslog with an ISO time': (line) => `2024-05-01T10:00:00.123456+00:00 host-1 haproxy[12]: ${line}`,
  'syslog on the wire': (line) => `<190>May  1 10:00:00 host nginx: ${line}`,
  'syslog without a host': (line) => `<134>May  1 10:00:00 haproxy[12]: ${line}`,
  'RFC 5424': (line) => `<165>1 ${ISO} host app 12 - - ${line}`,
  'RFC 5424 with structured data': (line) => `<165>1 ${ISO} host app 12 ID47 [a@1 b="c \\] d"][e@2 f="g"] \xef\xbb\xbf${line}`,
  'syslog in the journal': (line) => `May  1 10:00:00.123456 host squid(a)[12]: ${line}`,
  'syslog in the journal, with an ISO time': (line) => `2024-05-01T10:00:00+0200 host (squid-1)[12]: ${line}`,
  'kubectl logs --timestamps': (line) => `${ISO} ${line}`,
  'kubectl logs --prefix': (line) => `[pod/web-7d9f5/app] ${line}`,
  'kubectl logs --prefix --timestamps': (line) => `[pod/web-7d9f5/app] ${ISO} ${line}`,
  'docker compose logs': (line) => `web-1         | ${line}`,
  'docker compose logs --timestamps': (line) => `web_1 | ${ISO} ${line}`,
  'syslog within Docker Compose': (line) => `web-1  | <134>May  1 10:00:00 haproxy[12]: ${line}`,
  'syslog within Kubernetes': (line) => `${ISO} stdout F <134>May  1 10:00:00 haproxy[12]: ${line}`
}
const request = { host: 'a.example', method: 'GET', target: '/a?b=1', status: 200, time: Date.UTC(2024, 4, 1), bytes: 7, took: 12 }

for (const [name, wrap] of Object.entries(PREFIXES)) {
  t.test(`LinePrefix: the prefix of ${name} is removed from a line of each format`, async (t) => {
    for (const { lines } of Object.values(MAKERS)) for (const line of lines(request, 1)) t.same(without(wrap(line)), [line])
  })
}

t.test('LinePrefix: a line of a log format without a prefix is left as it is', async (t) => {
  for (const { name } of LOG_FORMATS) for (const line of MAKERS[name]!.lines(request, 1)) t.same(without(line), [line])
  for (const line of ['', 'user:1', '{"log":"', '{"log":1}', '{"log":"a', ISO, `${ISO} user:1`, '[pod/a]', 'a | ', '<1>', '2024']) t.same(without(line), [line])
})

t.test('LinePrefix: the parts of a long line are joined, and only those of one stream', async (t) => {
  t.same(without(`${ISO} stdout P ab `, `${ISO} stdout P cd`, `${ISO} stdout F ef`, `${ISO} stdout F g`), ['ab cdef', 'g'])
  t.same(without(`${ISO} stdout P ab`, `${ISO} stderr F x`, `${ISO} stdout F cd`), ['ab', 'x', 'cd'])
  t.same(without(`${ISO} stdout P ab`, 'plain', `${ISO} stdout F cd`), ['ab', 'plain', 'cd'])
  t.same(without(`${ISO} stdout P ab`), ['ab'])
  t.same(without('{"log":"ab","stream":"stdout"}', '{"log":"cd\\n","stream":"stdout"}'), ['abcd'])
})

t.test('LinePrefix: endless parts use bounded memory', async (t) => {
  const taken = without(...Array.from({ length: 100 }, () => `${ISO} stdout P ${'x'.repeat(16_000)}`))
  t.equal(taken.join('').length, 1_600_000)
  t.ok(Math.max(...taken.map(({ length }) => length)) < 2 * 64 * 1024)
})

t.test('LinePrefix: no line throws or takes its neighbour with it', async () => {
  fc.assert(fc.property(fc.oneof(fc.string({ unit: anyCharacter }), fc.string().map((text) => `{"log":"${text}`), fc.string().map((text) => `<1>1 - a b c d [${text}`)), (line) => {
    const [, last] = [without(line).length, without(line, 'the next line').at(-1)]
    return last === 'the next line'
  }))
})
