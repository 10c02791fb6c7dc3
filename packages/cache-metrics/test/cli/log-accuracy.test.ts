import t, { type Test } from 'tap'
import Fastify from 'fastify'
import { hitRateOf } from '../fixtures/exact-log.js'
import { MAKERS, traefikLine, type LineMaker, type LoggedRequest } from '../fixtures/log-lines.js'
import { fileOf, run } from '../fixtures/run-cli.js'
import { random, zipf } from '../fixtures/streams.js'

const TTLS = [10, 60, 3600]
const SIZES = [20, 100, 1000]
const START = Date.UTC(2024, 4, 1, 10)

/** The requests of half an hour, about 20 a second, to two hosts, by Zipf's law. */
const requests: readonly LoggedRequest[] = (() => {
  const next = random(11)
  let time = START
  return zipf(12, 0.8, 400, 12_000).map((key, at) => {
    time += Math.floor(next() * 100)
    const query = key % 4 === 0 ? `?page=${key}&q=%20` : ''
    const status = next() < 0.03 ? 404 : next() < 0.1 ? 304 : 200
    return { host: next() < 0.5 ? 'a.example' : 'b.example', method: next() < 0.05 ? 'POST' : 'GET', target: `/things/${key}${query}`, status, time, bytes: 500 + key, took: 20 + at % 5 }
  })
})()

// Lines that occur between those of a log; the first kinds are requests in another format.
const BANNERS: ReadonlyArray<(at: number) => string> = [
  (at) => JSON.stringify({ level: 30, time: START + at, pid: 1, hostname: 'h', reqId: `req-${at}`, req: { method: 'GET', url: '/health' }, msg: 'incoming request' }),
  (at) => JSON.stringify({ level: 30, time: START + at, pid: 1, hostname: 'h', reqId: `req-${at - 1}`, res: { statusCode: 200 }, responseTime: 1, msg: 'request completed' }),
  (at) => `10.0.0.1 - - [01/May/2024:10:00:00 +0000] "GET /health/${at} HTTP/1.1" 200 5 "-" "-"`,
  (at) => `== step ${at} of the start`,
  (at) => `word-${at}`,
  (at) => `\tat Object.<anonymous> (/app/index.js:${at}:5)`
]

async function reportOf (t: Test, lines: readonly string[], ...more: string[]) {
  const { stdout, stderr } = await run(['report', '--trace', fileOf(t, lines.join('\n')), '--format', 'json', '--ttl', TTLS.join(), '--entries', SIZES.join(), ...more])
  t.equal(stderr, '')
  return JSON.parse(stdout)
}

/** Returns the exact hit rates of the requests, by ttl and size. */
function exactRates (hasHost: boolean): Map<string, number> {
  const candidates = requests.filter(({ method, status }) => method === 'GET' && status !== 404)
  const exact = hitRateOf(candidates.map(({ host, target, time }) => ({ key: hasHost ? host + target : target, now: time })))
  return new Map(TTLS.flatMap((ttl) => SIZES.map((entries) => [`${ttl} ${entries}`, exact(ttl, entries)] as const)))
}

// The exact rates are simulated once for all formats: each format has the host or lacks it.
const EXACT = { withHost: exactRates(true), withoutHost: exactRates(false) }

/** Returns the largest difference between the hit rates of a report and those of the exact simulation. */
function errorOf (points: ReadonlyArray<{ ttl: number, entries: number, hitRate: number }>, hasHost = false): number {
  const exact = hasHost ? EXACT.withHost : EXACT.withoutHost
  return Math.max(...points.map(({ ttl, entries, hitRate }) => Math.abs(hitRate - exact.get(`${ttl} ${entries}`)!)))
}

const ALL: Readonly<Record<string, LineMaker>> = { ...MAKERS, 'common of Traefik': { lines: (one) => [traefikLine(one)], hasBytes: true, hasSeconds: true, isRough: true } }

for (const [name, { head = [], lines, hasHost, hasBytes, hasSeconds }] of Object.entries(ALL)) {
  let kept: readonly string[] | undefined
  /** Returns the lines of all requests, which are made for the first of both tests. */
  const linesOfAll = (): readonly string[] => (kept ??= requests.flatMap(lines))

  t.test(`report: ${name}: hit rates are those of an exact simulation within 0.005, and the log prices the hits`, async (t) => {
    const report = await reportOf(t, [...head, ...linesOfAll()])
    const error = errorOf(report.points, hasHost)
    t.ok(error <= 0.005, `error ${error}`)
    const [advice] = report.advice
    t.equal(advice.meanSeconds === undefined ? undefined : Math.round(advice.meanSeconds * 1000), hasSeconds === true ? 22 : undefined)
    t.equal(typeof advice.memoryBytes === 'number', hasBytes === true)
    t.equal(/Load times are unknown/.test(report.notes.join()), hasSeconds !== true)
  })

  t.test(`report: ${name}: 600 lines of other logs before and 300 between change no hit rate`, async (t) => {
    const other = (count: number) => Array.from({ length: count }, (_, at) => BANNERS[at % BANNERS.length]!(at))
      .filter((line) => (name !== 'pino' || !line.startsWith('{')) && (!name.startsWith('common') || !line.startsWith('10.')))
    const made = linesOfAll()
    const middle = made.length / 2
    const report = await reportOf(t, [...other(600), ...head, ...made.slice(0, middle), ...other(300), ...made.slice(middle)])
    t.ok(errorOf(report.points, hasHost) <= 0.005)
    t.match(report.notes.join(), /lines could not be read/)
  })
}

t.test('report: --load-ms and --value-bytes go before what the log has', async (t) => {
  const report = await reportOf(t, requests.flatMap(MAKERS.squid!.lines), '--load-ms', '500', '--value-bytes', '7000000')
  t.equal(report.advice[0].meanSeconds, 0.5)
  t.ok(report.advice[0].memoryBytes > 7_000_000 * 100)
})

t.test('report: the log that a Fastify app writes is read, with the lines of the app between', async (t) => {
  const lines: string[] = []
  const app = Fastify({ logger: { stream: { write: (line: string) => { lines.push(line.trimEnd()) } } } })
  t.teardown(() => app.close())
  app.get('/things/:id', async (request) => {
    request.log.info({ id: 1 }, 'a line of the app')
    return { ok: true }
  })
  const keys = zipf(5, 0.9, 50, 500)
  for (const key of keys) await app.inject({ url: `/things/${key}`, headers: { host: `h${key % 2}.example` } })
  await app.inject('/missing')
  const { points, requests: read, source, advice, notes } = await reportOf(t, lines)
  t.equal(read, 500)
  t.match(source, /pino/)
  t.notMatch(notes.join(), /could not be read/)
  t.equal(typeof advice[0].meanSeconds, 'number')
  const exact = hitRateOf(keys.map((key, now) => ({ key: String(key), now })))
  for (const { ttl, entries, hitRate } of points) if (ttl === 3600) t.ok(Math.abs(hitRate - exact(ttl, entries)) <= 0.005)
})

t.test('report: a JSON log with names of its own needs --fields, and is refused without', async (t) => {
  const lines = requests.map(({ host, method, target, status, time, took }) =>
    JSON.stringify({ t: time, verb: method, where: { host, path: target }, code: status, took }))
  const { points } = await reportOf(t, lines, '--fields', 'time=t,method=verb,target=where.path,host=where.host,status=code,ms=took')
  t.ok(errorOf(points, true) <= 0.005)
  const { status, stderr } = await run(['report', '--trace', fileOf(t, lines.join('\n'))])
  t.equal(status, 3)
  t.match(stderr, /12000 of 12000 lines are not recognised, the first is line 1: .*Accepted are .*haproxy \(HAProxy httplog\).*--fields/)
})

t.test('report: --log-format reads one format alone, and --fields makes one', async (t) => {
  const mixed = requests.flatMap((one, at) => [...MAKERS.squid!.lines(one, at), ...(at % 3 === 0 ? MAKERS.haproxy!.lines(one, at) : [])])
  t.match((await reportOf(t, mixed)).source, /Squid/)
  const squid = fileOf(t, requests.flatMap(MAKERS.squid!.lines).join('\n'))
  t.match(await run(['report', '--trace', squid, '--log-format', 'haproxy']), { status: 3, stderr: /12000 of 12000 lines are not recognised/ })
  t.match(await run(['report', '--trace', squid, '--log-format', 'json']), { status: 3, stderr: /--log-format json needs --fields/ })
  t.match(await run(['report', '--trace', squid, '--log-format', 'squid', '--fields', 'time=a,request=b,status=c']), { status: 3, stderr: /--fields goes with/ })
})

t.test('report: a log whose queries Squid has cut says so', async (t) => {
  const lines = requests.flatMap((one, at) => MAKERS.squid!.lines({ ...one, target: one.target.replace(/\?.*/, '?') }, at))
  t.match((await reportOf(t, lines)).notes.join(), /strip_query_terms/)
  t.notMatch((await reportOf(t, requests.flatMap(MAKERS.squid!.lines))).notes.join(), /strip_query_terms/)
})
