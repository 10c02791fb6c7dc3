import t from 'tap'
import { fileOf, run } from '../fixtures/run-cli.js'

const report = async (t: Parameters<typeof fileOf>[0], lines: readonly string[], ...more: string[]) => {
  const ran = await run(['report', '--trace', fileOf(t, lines.join('\n')), '--format', 'json', ...more])
  return { ...ran, data: ran.stdout === '' ? undefined : JSON.parse(ran.stdout) }
}
const many = (count: number, line: (at: number) => string) => Array.from({ length: count }, (_, at) => line(at))
const two = (value: number) => String(value % 60).padStart(2, '0')
const combined = (at: number, path = `/a/${at % 10}`) => `10.0.0.1 - - [10/Oct/2000:13:00:${two(at)} +0000] "GET ${path} HTTP/1.1" 200 5 "-" "-"`

// Lines of unknown log formats, for which a wrong report of 100 % one-hit keys must not be made.
const FOREIGN: Readonly<Record<string, (at: number) => string>> = {
  'JSON lines': (at) => `{"time":${at},"url":"/a","status":200}`,
  'JSON lines with blanks': (at) => `{ "level": 30, "reqId": "req-${at}" }`,
  'columns with blanks': (at) => `2000-10-10 13:00:${two(at)} 10.0.0.1 GET /a - 80 - 200 ${at}`,
  'columns with tabs': (at) => `2000-10-10\t13:00:${two(at)}\tGET\t/a\t${at}`,
  'columns with commas': (at) => `10.0.0.1,GET,/a,200,${at}`,
  'columns with bars': (at) => `10.0.0.1|GET|/a|200|${at}`,
  logfmt: (at) => `method=GET path=/a status=200 seconds=${at}`,
  syslog: (at) => `Oct 10 13:00:${two(at)} host proxy[1]: 10.0.0.1:${at} GET /a`,
  'a time, then a request': (at) => `[2000-10-10T13:00:${two(at)}.000Z] "GET /a HTTP/1.1" 200 - 0 ${at}`
}
for (const [name, line] of Object.entries(FOREIGN)) {
  t.test(`report: ${name} are no keys, but refused with the line and what is accepted`, async (t) => {
    const { status, stderr } = await report(t, many(300, line))
    t.equal(status, 3)
    t.match(stderr, /300 of 300 lines are not recognised, the first is line 1: ".*\. Accepted are .*common.*--log-format forces one/)
    t.match((await report(t, many(300, line), '--log-format', 'keys')).data, { requests: 300, source: /one key a line/ })
  })
}

t.test('report: the log that the nginx.conf of the edge writes is read', async (t) => {
  const { data } = await report(t, many(600, (at) => `10.0.0.1 [2000-10-10T13:00:${two(at / 10 | 0)}+00:00] "GET /a/${at % 10} HTTP/1.1" 200 cached HIT 0.00${at % 9}`))
  t.match(data, { source: /nginx\.conf/, requests: 600, observedSeconds: 60, advice: [{ name: 'GET /a/:id', kind: 'route' }] })
})

for (const [what, banner] of [['60 lines', many(60, (at) => `== starting, step ${at}`)], ['150 lines', many(150, (at) => `== starting, step ${at}`)], ['60 words', many(60, (at) => `step-${at}`)]] as const) {
  t.test(`report: a banner of ${what} before a log does not make it keys`, async (t) => {
    const { data } = await report(t, [...banner, ...many(3000, (at) => combined(at))])
    t.match(data, { source: /access log/, requests: 3000 })
    t.match(data.notes.join(), new RegExp(`${banner.length} of ${3000 + banner.length} lines could not be read`))
  })
}

t.test('report: the same path of two virtual hosts is two keys', async (t) => {
  const args = ['--ttl', '3600', '--entries', '1000']
  const rate = async (lines: string[]) => (await report(t, lines, ...args)).data.points[0].hitRate
  t.equal(await rate(many(400, (at) => `site${at % 20}.example:443 ${combined(0, `/a/${Math.floor(at / 20) % 10}`)}`)), 0.5)
  t.equal(await rate(many(400, (at) => `site${at % 20}.example ${combined(0, `/a/${Math.floor(at / 20) % 10}`)}`)), 0.5, 'without a port')
  t.equal(await rate(many(400, (at) => `${at}[worker:7] ${combined(0, `/a/${Math.floor(at / 20) % 10}`)}`)), 0.975, 'nor is the prefix of a tool')
  t.equal(await rate(many(400, (at) => `10.0.0.${at % 20}:50${at % 60 + 10} - Ada Lovelace [10/Oct/2000:13:00:00 +0000] "GET /a/${Math.floor(at / 20) % 10} HTTP/1.1" 200 5`)), 0.975, 'a client with its port is no virtual host')
})

// The fields in front of the time, with an address of a client or of a proxy where vhost_combined has a virtual host.
const FORWARDED: Readonly<Record<string, (client: number) => string>> = {
  'an address': (client) => `203.0.113.${client} 10.0.0.1 - -`,
  'an address with its port': (client) => `203.0.113.${client}:50${client + 10} 10.0.0.1 - -`,
  'an address in front of one with a port': (client) => `203.0.113.${client}:49152 10.0.0.1:5000 - frank`,
  'an IPv6 address': (client) => `2001:db8::${client} 10.0.0.1 - -`,
  'an IPv6 address in brackets': (client) => `[2001:db8::${client}] [::1] - -`,
  'an IPv6 address with its port': (client) => `[2001:db8::${client}]:50443 ::ffff:10.0.0.1 - -`,
  'an address in front of a host': (client) => `203.0.113.${client} proxy.example - -`,
  'a list': (client) => `203.0.113.${client}, 198.51.100.${client}, 10.0.0.2 10.0.0.1 - -`,
  'a list with ports': (client) => `203.0.113.${client}:443, 198.51.100.${client}:443 10.0.0.1 - -`,
  'an address with its port in front of an IPv6 list': (client) => `203.0.113.${client}:50443 2001:db8::1, 10.0.0.2 - -`,
  'an address with its port in front of "unknown"': (client) => `203.0.113.${client}:50123 unknown - -`,
  'an address with its port in front of a host': (client) => `203.0.113.${client}:1024 proxy.example - -`,
  'a list without blanks': (client) => `203.0.113.${client},198.51.100.${client} 10.0.0.1 - -`,
  'an address in half of the lines': (client) => `${client % 2 === 0 ? '-' : `203.0.113.${client}`} 10.0.0.1 - -`,
  'an address or "unknown"': (client) => `${client % 2 === 0 ? 'unknown' : `203.0.113.${client}`} 10.0.0.1 - -`,
  'a virtual host in front of an address or a list': (client) => `shop.example ${client % 2 === 0 ? '' : '198.51.100.9, 10.0.0.2, '}203.0.113.${client} - -`,
  'a virtual host in front of two addresses': (client) => `shop.example 203.0.113.${client} 10.0.0.1 - -`
}
for (const [name, fields] of Object.entries(FORWARDED)) {
  t.test(`report: ${name}, as of X-Forwarded-For, does not make 20 clients 20 virtual hosts`, async (t) => {
    const lines = many(200, (at) => `${fields(at % 20)} [10/Oct/2000:13:00:${two(at / 10 | 0)} +0000] "GET /a HTTP/1.1" 200 5`)
    const { data } = await report(t, lines, '--ttl', '3600', '--entries', '1000')
    t.match(data, { requests: 200, points: [{ hitRate: 0.995 }] })
  })
}

t.test('report: an address is a virtual host where the port of a server is behind it, whatever the client is', async (t) => {
  for (const [port, client] of [[443, 'client.example'], [443, '203.0.113.9'], [80, '2001:db8::1'], [8080, 'unknown'], [3000, '203.0.113.9'], [8000, '203.0.113.9'], [8443, '203.0.113.9']]) {
    const lines = many(400, (at) => `10.0.0.${at % 20}:${port} ${client} - - [10/Oct/2000:13:00:00 +0000] "GET /a/${Math.floor(at / 20) % 10} HTTP/1.1" 200 5`)
    t.match((await report(t, lines, '--ttl', '3600', '--entries', '1000')).data, { points: [{ hitRate: 0.5 }] }, `${port} ${client}`)
  }
})

t.test('report: --log-format takes a format that exists', async (t) => {
  t.match(await report(t, ['a'], '--log-format', 'other'), { status: 3, stderr: /--log-format is one of keys, common, edge/ })
  t.match(await report(t, many(300, (at) => `user:${at}`), '--log-format', 'common'), { status: 3, stderr: /300 of 300 lines are not recognised/ })
})

t.test('report: a refused line shows no query', async (t) => {
  const { stderr } = await report(t, ['GET /a?token=hidden HTTP/1.1'])
  t.match(stderr, /GET \/a\?… HTTP/)
  t.notMatch(stderr, /hidden/)
})
