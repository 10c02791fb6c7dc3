import fc from 'fast-check'
import t from 'tap'
import { LOG_FORMATS } from '../../src/cli/logs/log-formats.js'
import { formatOfFields } from '../../src/cli/logs/json-formats.js'
import { isKeyShaped } from '../../src/cli/plain-trace.js'
import { MAKERS, traefikLine, type LoggedRequest } from '../fixtures/log-lines.js'
import { entriesOf, formatNamed } from '../fixtures/logs.js'
import { anyCharacter } from '@x/test-kit/texts'

const request: fc.Arbitrary<LoggedRequest> = fc.record({
  host: fc.stringMatching(/^[a-z][a-z0-9-]{0,10}\.example$/),
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'OPTIONS'),
  // The targets contain no quotes, backslashes and blanks, since each server escapes them in its own way.
  target: fc.stringMatching(/^\/[!#-&(->@-[\]-_a-~]{0,30}(?:\?[!#-&(->@-[\]-_a-~]{1,20})?$/).filter((target) => !target.endsWith('?-')),
  status: fc.integer({ min: 100, max: 599 }),
  time: fc.integer({ min: Date.UTC(2002, 0), max: Date.UTC(2090, 0) }),
  bytes: fc.nat({ max: 1e9 }),
  took: fc.nat({ max: 600_000 })
})

t.test('LOG_FORMATS: each has a maker of lines', async (t) => {
  t.same(Object.keys(MAKERS).sort(), LOG_FORMATS.map(({ name }) => name).sort())
})

for (const [name, { head = [], lines, hasHost, hasBytes, hasSeconds, isRough }] of Object.entries(MAKERS)) {
  t.test(`${name}: random requests are read as what they were made of, by no other format`, async () => {
    fc.assert(fc.property(fc.array(request, { minLength: 1, maxLength: 5 }), (requests) => {
      const read = entriesOf(...head, ...requests.flatMap(lines))
      const entries = read[name] ?? []
      return Object.keys(read).length === 1 && entries.length === requests.length && requests.every((one, at) => {
        const { host, method, target, status, time, bytes, seconds } = entries[at]!
        return host.replace(/:443$/, '') === (hasHost === true ? one.host : '') && method === one.method && target === one.target && status === one.status &&
          time === (isRough === true ? Math.floor(one.time / 1000) * 1000 : one.time) &&
          Object.is(bytes, hasBytes === true ? one.bytes : NaN) &&
          (hasSeconds === true ? Math.abs(seconds - one.took / 1000) < 1e-9 : Number.isNaN(seconds))
      })
    }))
  })

  t.test(`${name}: hostile lines do not throw, and no neighbour of one is lost`, async () => {
    const broken = fc.oneof(
      fc.string({ unit: anyCharacter }),
      fc.json(),
      fc.tuple(request, fc.nat({ max: 400 }), fc.string({ maxLength: 5 })).map(([one, at, inside]) => lines(one, 0).map((line) => `${line.slice(0, at)}${inside}${line.slice(at)}`).at(-1)!),
      fc.tuple(request, fc.nat({ max: 400 })).map(([one, at]) => lines(one, 0)[0]!.slice(0, at))
    ).filter((line) => !line.startsWith('#Fields'))
    fc.assert(fc.property(fc.array(fc.tuple(request, broken), { minLength: 1, maxLength: 4 }), (pairs) => {
      const read = formatNamed(name).open()
      for (const line of head) read(line)
      return pairs.every(([one, hostile], at) => {
        read(hostile)
        const entry = lines(one, at + 1).map(read).at(-1)
        return entry?.target === one.target && entry.status === one.status
      })
    }))
  })

  t.test(`${name}: no line has the shape of a key`, async () => {
    fc.assert(fc.property(request, (one) => lines(one, 0).every((line) => !isKeyShaped(line))))
  })

  t.test(`${name}: a line made to be slow is not`, async (t) => {
    const [line] = lines({ host: 'a.example', method: 'GET', target: '/a', status: 200, time: Date.UTC(2024, 0), bytes: 1, took: 1 }, 0)
    const read = formatNamed(name).open()
    const began = process.cpuUsage().user
    for (const filling of ['a ', '" "', '\\"', '[ ', '/', '{"a":', '0/', '\t', '] "', ' - ']) {
      for (const at of [0, 10, 40, 80, 400]) read(line!.slice(0, at) + filling.repeat(60_000 / filling.length))
    }
    t.ok(process.cpuUsage().user - began < 5e6)
  })
}

t.test('common: a line of Traefik has its response time, also where a client sends such an end', async (t) => {
  fc.assert(fc.property(request, (one) => entriesOf(traefikLine(one)).common?.[0]?.seconds === one.took / 1000))
  t.same(entriesOf('10.0.0.1 - - [01/May/2024:10:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "5ms"').common?.[0]?.seconds, NaN)
})

t.test('edge, squid, haproxy, cloudflare, cloudfront: a response from a cache in front has no load time', async (t) => {
  const edge = (result: string) => entriesOf(`10.0.0.1 [2024-05-01T10:00:00+00:00] "GET /a HTTP/1.1" 200 cached ${result} 0.250`).edge![0]!.seconds
  t.same(['HIT', 'STALE', 'UPDATING', 'MISS', 'EXPIRED', 'REVALIDATED', '-'].map(edge), [NaN, NaN, NaN, 0.25, 0.25, 0.25, 0.25])
  const squid = (result: string) => entriesOf(`1286536309.450 250 10.0.0.1 ${result}/200 9 GET http://a/b - HIER_NONE/- text/html`).squid![0]!.seconds
  t.same(['TCP_HIT', 'TCP_MEM_HIT', 'TCP_IMS_HIT', 'TCP_MISS', 'TCP_REFRESH_HIT', 'TCP_REFRESH_UNMODIFIED'].map(squid), [NaN, NaN, NaN, 0.25, 0.25, 0.25])
  t.same(entriesOf('10.0.0.1:5 [01/May/2024:10:00:00.000] web app/<CACHE> 0/0/0/0/1 200 9 - - ---- 1/1/0/0/0 0/0 "GET /a HTTP/1.1"').haproxy![0]!.seconds, NaN)
  const cloudflare = (CacheCacheStatus: string) => entriesOf(JSON.stringify({
    ClientRequestHost: 'a', ClientRequestMethod: 'GET', ClientRequestURI: '/', EdgeResponseStatus: 200, EdgeStartTimestamp: 1526810289280000000, CacheCacheStatus, OriginResponseDurationMs: 250
  })).cloudflare![0]!.seconds
  t.same(['hit', 'stale', 'miss', 'dynamic'].map(cloudflare), [NaN, NaN, 0.25, 0.25])
})

t.test('envoy-json: a response that no upstream made, with null as its time, took the whole time', async (t) => {
  const line = { start_time: '2024-05-01T10:00:00.000Z', method: 'GET', path: '/a?b', response_code: 503, bytes_sent: 19, duration: 250, upstream_service_time: null, authority: 'A.example' }
  t.match(entriesOf(JSON.stringify(line))['envoy-json'], [{ host: 'a.example', target: '/a?b', status: 503, bytes: 19, seconds: 0.25 }])
})

t.test('nginx-json: the host is the first name, where a log shipper has added an object, or a host has none', async (t) => {
  const hostOf = (more: object) => entriesOf(JSON.stringify({ time: 1_714_557_600, request: 'GET / HTTP/1.1', status: 200, ...more }))['nginx-json']?.[0]?.host
  for (const host of [{ name: 'node-1', ip: ['10.0.0.1'] }, ['a'], null, '', '-', 7]) t.equal(hostOf({ host, http_host: 'A.example' }), 'a.example', JSON.stringify(host))
  t.equal(hostOf({ host: {}, http_host: '-', server_name: 'b.example' }), 'b.example')
  t.equal(hostOf({ host: {} }), '')
})

t.test('--fields: a query that stands in a member of its own is part of the target', async (t) => {
  const read = formatOfFields('time=t,method=m,target=uri,query=args,status=s').open()
  const target = (args: unknown) => read(JSON.stringify({ t: 1_700_000_000, m: 'GET', uri: '/a', args, s: 200 }))?.target
  t.same(['x=1', '?x=1', '-', '', undefined].map(target), ['/a?x=1', '/a?x=1', '/a', '/a', '/a'])
})

t.test('haproxy: brackets of a client and quotes of a captured cookie begin neither the time nor the request', async (t) => {
  const line = '[::1]:5000 [01/May/2024:10:00:00.000] web app/one/two 0/0/0/250/+251 200 +9 sid="a" sid="b" ---- 1/1/0/0/0 0/0 {a|b} "GET http://A.example:80?b HTTP/1.1"'
  t.match(entriesOf(line).haproxy, [{ host: 'a.example', method: 'GET', target: '/?b', status: 200, bytes: 9, seconds: 0.25, time: Date.UTC(2024, 4, 1, 10) }])
})

t.test('squid: a time before the year 2001 is none', async (t) => {
  const line = (time: string) => `${time}     -1 ::1 TCP_MISS/200 9 GET https://A.example:443/b?c frank HIER_NONE/- text/html`
  t.match(entriesOf(line('1286536309.450')).squid, [{ host: 'a.example', target: '/b?c', hasUser: true, time: 1286536309450, seconds: NaN }])
  t.same(entriesOf(line('999999999.999'), line('0999999999.999')), {})
})

t.test('pino: the id of a request may have another label, and a line may have all of a request', async (t) => {
  const line = (more: object) => JSON.stringify({ level: 30, time: 1_700_000_000_000, msg: '', ...more })
  const req = { method: 'GET', url: '/a' }
  for (const label of ['requestId', 'request_id', 'traceId']) {
    const other = line({ [label]: 2, req: { ...req, url: '/b' } })
    const lines = [line({ [label]: 1, req }), other, line({ [label]: 1, res: { statusCode: 200 }, responseTime: 250 })]
    t.match(entriesOf(...lines).pino, [{ target: '/a', status: 200, seconds: 0.25 }], label)
  }
  const whole = line({ req: { ...req, headers: { host: 'A.example' } }, res: { statusCode: 200 }, responseTime: 250 })
  t.match(entriesOf(whole).pino, [{ host: 'a.example', target: '/a', status: 200, seconds: 0.25 }])
  const res = { statusCode: 500 }
  const failed = [line({ reqId: 1, req }), line({ reqId: 1, req, res, err: {} }), line({ reqId: 1, res, responseTime: 9 })]
  t.match(entriesOf(...failed).pino, [{ status: 500, seconds: 0.009 }], 'the line of an error is no request of its own')
  t.equal(entriesOf(...failed).pino?.length, 1)
})

t.test('pino: lines of several processes with one reqId are joined by process, and requests that never end use bounded memory', async (t) => {
  const line = (pid: number, reqId: string, more: object) => JSON.stringify({ level: 30, time: 1_700_000_000_000, pid, hostname: 'h', reqId, ...more })
  const begin = (pid: number, reqId: string, url: string) => line(pid, reqId, { req: { method: 'GET', url }, msg: 'incoming request' })
  const end = (pid: number, reqId: string) => line(pid, reqId, { res: { statusCode: 200 }, responseTime: 1, msg: 'request completed' })
  const targets = (...lines: string[]) => entriesOf(...lines).pino?.map(({ target }) => target)
  t.same(targets(begin(1, 'req-1', '/a'), begin(2, 'req-1', '/b'), end(1, 'req-1'), end(2, 'req-1')), ['/a', '/b'])
  t.same(targets(begin(1, 'req-1', '/a'), begin(1, 'req-1', '/b'), end(1, 'req-1'), end(1, 'req-1')), ['/b'], 'a process that was restarted counts anew')
  const many = Array.from({ length: 10_001 }, (_, at) => begin(1, `req-${at}`, `/${at}`))
  t.same(targets(...many, end(1, 'req-0'), end(1, 'req-1'), end(1, 'req-10000')), ['/1', '/10000'], 'the oldest is given up')
  const long = Array.from({ length: 100 }, (_, at) => begin(1, `req-${at}`, `/${'x'.repeat(60_000)}`))
  t.equal(targets(...long, ...long.map((_, at) => end(1, `req-${at}`)))?.length, 69, '4 MiB of targets at most')
})

t.test('formatOfFields: members of any name, nested ones and the units of the time', async (t) => {
  const read = formatOfFields('time=at, request=http.line,status=code,ms=took,bytes=sent,host=site,user=who').open()
  t.match(read('{"at":"2024-05-01T10:00:00.5Z","http":{"line":"GET /a?b HTTP/1.1"},"code":"200","took":12,"sent":"7","site":"A.example","who":"u"}'), {
    host: 'a.example', method: 'GET', target: '/a?b', status: 200, time: Date.UTC(2024, 4, 1, 10, 0, 0, 500), bytes: 7, seconds: 0.012, hasUser: true
  })
  t.equal(read('{"at":"2024-05-01T10:00:00.5Z","http.line":"GET /dotted HTTP/1.1","code":200}')?.target, '/dotted')
  for (const [unit, value] of [['seconds', 2], ['ms', 2e3], ['us', 2e6], ['ns', 2e9]] as const) {
    t.equal(formatOfFields(`time=t,method=m,target=u,status=s,${unit}=d`).open()(`{"t":1700000000,"m":"GET","u":"/","s":200,"d":${value}}`)?.seconds, 2)
  }
  for (const wrong of ['', 'time', 'time=a,status=b', 'time=a,status=b,method=c', 'time=a,time=b,status=c,request=d', 'verb=a', 'time=a,status=b,request=c,ms=d,ns=e', '__proto__=a']) {
    t.throws(() => formatOfFields(wrong), { code: 'CACHE_ERR_ADVISOR', message: /--fields/ }, wrong)
  }
})

t.test('LOG_FORMATS: times of any zone and precision are the same time', async (t) => {
  const at = (time: unknown) => entriesOf(JSON.stringify({ time, request: 'GET / HTTP/1.1', status: 200 }))['nginx-json']?.[0]?.time
  for (const time of ['2024-05-01T10:00:00Z', '2024-05-01T12:00:00+02:00', '2024-05-01T06:30:00-0330', '2024-05-01 10:00:00', '01/May/2024:10:00:00 +0000',
    '01/May/2024:12:00:00 +0200', 1714557600, 1714557600000, 1714557600000000, 1714557600000000000, '1714557600.000', '2024-05-01T10:00:00.000999999Z']) {
    t.equal(at(time), Date.UTC(2024, 4, 1, 10), String(time))
  }
  for (const time of ['yesterday', 17, '2024-13-01T10:00:00Z', '2024-05-01T24:00:00Z', null, {}, true]) t.equal(at(time), undefined, String(time))
})
