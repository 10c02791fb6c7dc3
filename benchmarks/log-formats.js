// Measures the CPU time for reading a line of each log format. Rivals: for JSON, JSON.parse of the same line; for text, splitting the line
// at its blanks. Wanted: at most 2.5 times the rival. The heap after a trace of a million lines is also printed, since a trace must fit
// into constant memory.
import { cpuTime, report } from './measure.js'

// The modules are imported by their path in `dist`, since the package does not export them.
const cli = new URL('dist/cli/', import.meta.resolve('@x/cache-metrics/package.json'))
const { LOG_FORMATS } = await import(new URL('logs/log-formats.js', cli))
const { TraceLines } = await import(new URL('trace-lines.js', cli))
const { TraceStudy } = await import(new URL('trace-study.js', cli))

const LINES = 2000
const AGENT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Safari/537.36'
const W3C = ['date', 'time', 's-ip', 'cs-method', 'cs-uri-stem', 'cs-uri-query', 's-port', 'cs-username', 'c-ip', 'cs(User-Agent)', 'sc-status', 'time-taken']
const CLOUDFRONT = ['date', 'time', 'x-edge-location', 'sc-bytes', 'c-ip', 'cs-method', 'cs(Host)', 'cs-uri-stem', 'sc-status', 'cs(Referer)', 'cs(User-Agent)', 'cs-uri-query', 'x-edge-result-type', 'x-host-header', 'time-taken']

/** Makes the lines of each format from the number of a request, at 20 requests a second. */
const MAKERS = {
  common: (at) => [`10.0.0.1 - - [01/May/2024:10:${two(at / 1200)}:${two(at / 20)} +0000] "GET /things/${at % 400}?q=1 HTTP/1.1" 200 512 "https://a.example/" "${AGENT}"`],
  edge: (at) => [`10.0.0.1 [2024-05-01T10:${two(at / 1200)}:${two(at / 20)}+00:00] "GET /things/${at % 400}?q=1 HTTP/1.1" 200 cached MISS 0.012`],
  haproxy: (at) => [`10.0.0.1:5000 [01/May/2024:10:${two(at / 1200)}:${two(at / 20)}.123] web app/one 0/0/0/12/13 200 512 - - ---- 1/1/0/0/0 0/0 {${AGENT}} "GET /things/${at % 400}?q=1 HTTP/1.1"`],
  squid: (at) => [`171455760${at % 10}.123     12 10.0.0.1 TCP_MISS/200 512 GET http://a.example/things/${at % 400}?q=1 - FIRSTUP_PARENT/10.0.0.9 text/html`],
  envoy: (at) => [`[2024-05-01T10:${two(at / 1200)}:${two(at / 20)}.123Z] "GET /things/${at % 400}?q=1 HTTP/2" 200 - 0 512 13 12 "10.0.35.28" "${AGENT}" "cc21d9b0-cf5c" "a.example" "10.0.2.1:80"`],
  alb: (at) => [`https 2024-05-01T10:${two(at / 1200)}:${two(at / 20)}.123456Z app/my-lb/50dc6c495c0c9188 10.0.0.1:2817 10.0.0.1:80 0.001 0.012 0.000 200 200 34 512 "GET https://a.example:443/things/${at % 400}?q=1 HTTP/1.1" "${AGENT}" - - arn:x "Root=1" "a.example" "-" 0`],
  cloudfront: (at) => [['2024-05-01', `10:${two(at / 1200)}:${two(at / 20)}`, 'LAX1', 512, '10.0.0.1', 'GET', 'd.cloudfront.net', `/things/${at % 400}`, 200, '-', AGENT, 'q=1', 'Miss', 'a.example', '0.012'].join('\t')],
  iis: (at) => [`2024-05-01 10:${two(at / 1200)}:${two(at / 20)} 10.0.0.1 GET /things/${at % 400} q=1 80 - 10.0.0.2 ${AGENT.replaceAll(' ', '+')} 200 12`],
  'nginx-json': (at) => json({ msec: `171455760${at % 10}.123`, host: 'a.example', request_method: 'GET', request_uri: `/things/${at % 400}?q=1`, status: '200', body_bytes_sent: '512', request_time: '0.013', upstream_response_time: '0.012', http_user_agent: AGENT }),
  caddy: (at) => json({ level: 'info', ts: 1714557600.123 + at, logger: 'http.log.access', msg: 'handled request', request: { remote_ip: '10.0.0.1', proto: 'HTTP/2.0', method: 'GET', host: 'a.example', uri: `/things/${at % 400}?q=1`, headers: { 'User-Agent': [AGENT] } }, user_id: '', duration: 0.012, size: 512, status: 200, resp_headers: { Server: ['Caddy'] } }),
  'traefik-json': (at) => json({ ClientAddr: '10.0.0.1:5', ClientUsername: '-', DownstreamContentSize: 512, DownstreamStatus: 200, Duration: 13e6, OriginDuration: 12e6, RequestHost: 'a.example', RequestMethod: 'GET', RequestPath: `/things/${at % 400}?q=1`, StartUTC: `2024-05-01T10:${two(at / 1200)}:${two(at / 20)}.123456789Z`, 'request_User-Agent': AGENT }),
  'envoy-json': (at) => json({ start_time: `2024-05-01T10:${two(at / 1200)}:${two(at / 20)}.123Z`, method: 'GET', path: `/things/${at % 400}?q=1`, protocol: 'HTTP/2', response_code: 200, response_flags: '-', bytes_received: 0, bytes_sent: 512, duration: 13, upstream_service_time: '12', user_agent: AGENT, request_id: 'cc21d9b0-cf5c', authority: 'a.example', upstream_host: '10.0.2.1:80' }),
  cloudflare: (at) => json({ ClientIP: '10.0.0.1', ClientRequestHost: 'a.example', ClientRequestMethod: 'GET', ClientRequestURI: `/things/${at % 400}?q=1`, EdgeResponseBytes: 512, EdgeResponseStatus: 200, EdgeStartTimestamp: `2024-05-01T10:${two(at / 1200)}:${two(at / 20)}Z`, CacheCacheStatus: 'miss', OriginResponseDurationMs: 12, ClientRequestUserAgent: AGENT }),
  pino: (at) => [
    ...json({ level: 30, time: 1714557600123 + at, pid: 7, hostname: 'pod', reqId: `req-${at.toString(36)}`, req: { method: 'GET', url: `/things/${at % 400}?q=1`, host: 'a.example', remoteAddress: '10.0.0.1', remotePort: 5 }, msg: 'incoming request' }),
    ...json({ level: 30, time: 1714557600135 + at, pid: 7, hostname: 'pod', reqId: `req-${at.toString(36)}`, res: { statusCode: 200 }, responseTime: 12.1, msg: 'request completed' })
  ]
}
const HEADS = { iis: `#Fields: ${W3C.join(' ')}`, cloudfront: `#Fields: ${CLOUDFRONT.join(' ')}` }

function json (object) {
  return [JSON.stringify(object)]
}

function two (value) {
  return String(Math.floor(value) % 60).padStart(2, '0')
}

/** Returns lines that share no memory with one another, like the lines of a file. */
function linesOf (name) {
  return Array.from({ length: LINES }, (_, at) => MAKERS[name](at)).flat().map((line) => Buffer.from(line).toString('latin1'))
}

const rows = []
for (const { name, open } of LOG_FORMATS) {
  const lines = linesOf(name)
  const isJson = lines[0].startsWith('{')
  const read = open()
  if (HEADS[name] !== undefined) read(HEADS[name])
  let entries = 0
  const ofAll = (call) => () => { for (const line of lines) call(line) }
  const { reading, rival } = await cpuTime({
    reading: ofAll((line) => { if (read(line)) entries++ }),
    rival: ofAll(isJson ? (line) => { entries += JSON.parse(line) === null ? 1 : 0 } : (line) => { entries += line.split(name === 'cloudfront' ? '\t' : ' ').length === 0 ? 1 : 0 })
  }, { calls: 3, rounds: 15 })
  if (entries % LINES !== 0 || entries === 0) throw new Error(`${name}: ${entries} requests were read`)
  rows.push([`${name}, against ${isJson ? 'JSON.parse' : 'split'}`, `${(reading / rival).toFixed(2)}   (${Math.round(reading / lines.length)} ns a line)`, 'at most 2.5'])
}
report('reading one line of a log', rows)

const memory = []
for (const name of ['common', 'pino']) {
  const lines = linesOf(name)
  const trace = new TraceLines(() => new TraceStudy({ ttls: [60], entries: [1000], loadSeconds: undefined, valueBytes: undefined }), 20)
  const heaps = []
  for (let round = 0; round < 500; round++) {
    for (const line of lines) trace.line(line)
    if (round === 50 || round === 499) {
      globalThis.gc?.()
      heaps.push(process.memoryUsage().heapUsed / 1024 / 1024)
    }
  }
  memory.push([`${name}: heap after ${trace.lines / 10} and after ${trace.lines} lines`, heaps.map((heap) => `${heap.toFixed(1)} MiB`).join(', '), 'the same'])
}
report('memory of a trace', memory)
