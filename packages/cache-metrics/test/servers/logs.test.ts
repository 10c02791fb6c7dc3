import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { hitRateOf } from '../fixtures/exact-log.js'
import { isInstalled, LOG_SERVERS, RunningServer } from '../fixtures/log-servers.js'
import { fileOf, run } from '../fixtures/run-cli.js'
import { random, zipf } from '../fixtures/streams.js'

const REQUESTS = 400
const LAST = '/the-end'
const SIZES = [5, 20, 60]

interface Asked { readonly host: string, readonly path: string, readonly method: string }

async function origin (t: Test): Promise<number> {
  const server = createServer((request, response) => {
    response.statusCode = request.url!.startsWith('/none') ? 404 : 200
    response.end('x'.repeat(1000))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  return (server.address() as AddressInfo).port
}

/** Makes requests to two hosts by Zipf's law, with queries and with requests that are no candidates. */
function requests (): Asked[] {
  const next = random(4)
  return zipf(3, 0.9, 40, REQUESTS).map((key) => {
    const host = next() < 0.5 ? 'a.example' : 'b.example'
    const path = `${next() < 0.05 ? '/none' : '/items'}/${key}${key % 3 === 0 ? `?q=%22${key}&x=a+b` : ''}`
    return { host, path, method: next() < 0.05 ? 'POST' : next() < 0.05 ? 'HEAD' : 'GET' }
  })
}

const prefixed: Readonly<Record<string, (line: string, at: number) => string>> = {
  plain: (line) => line,
  'the log of Kubernetes': (line, at) => `2024-05-01T10:00:00.${String(at).padStart(9, '0')}Z stdout F ${line}`,
  'json-file of Docker': (line) => JSON.stringify({ log: `${line}\n`, stream: 'stdout', time: '2024-05-01T10:00:00.0Z' }),
  syslog: (line) => `May  1 10:00:00 host-1 web[12]: ${line}`
}

for (const [name, server] of Object.entries(LOG_SERVERS)) {
  t.test(`report: the log of ${name} gives the hit rates of the requests that were sent`, { skip: isInstalled(server) ? false : `${server.binary} is not installed` }, async (t) => {
    const running = await RunningServer.start(t, server, await origin(t))
    await running.ready(Object.keys(server.logs))
    const sent = requests()
    for (const { host, path, method } of sent) await running.ask(host, path, method)
    await running.ask('a.example', LAST)
    for (const [file, { format, hasHost = false, hasSeconds = false, hasBytes = false }] of Object.entries(server.logs)) {
      const text = await running.log(file, LAST)
      const lines = text.trimEnd().split('\n').filter((line) => !line.includes('/ready') && !line.includes(LAST))
      const candidates = sent.filter(({ path, method }) => method !== 'POST' && !path.startsWith('/none'))
      // HAProxy is configured to log each request three times, in three forms.
      const copies = name === 'haproxy' ? 3 : 1
      const logged = candidates.flatMap((one) => Array<Asked>(copies).fill(one))
      const exact = hitRateOf(logged.map(({ host, path }, now) => ({ key: hasHost ? host + path : path, now })))
      for (const [prefix, wrap] of Object.entries(prefixed)) {
        // Two of the three forms of HAProxy already have a prefix of syslog.
        if (name === 'haproxy' && prefix === 'syslog') continue
        const args = format.includes(',') ? ['--fields', 'time=at,host=site.name,request=line,status=code,bytes=sent,seconds=took'] : []
        const { stdout, stderr } = await run(['report', '--trace', fileOf(t, lines.map(wrap).join('\n')), '--format', 'json', '--ttl', '86400', '--entries', SIZES.join(), ...args])
        t.equal(stderr, '', `${file}, ${prefix}`)
        const { points, advice, requests } = JSON.parse(stdout)
        t.equal(requests, candidates.length * copies, `${file}, ${prefix}: every request is read`)
        for (const { entries, hitRate } of points) t.ok(Math.abs(hitRate - exact(86_400, entries)) <= 0.005, `${file}, ${prefix}: ${entries} entries`)
        t.equal(typeof advice[0].meanSeconds === 'number', hasSeconds, `${file}, ${prefix}: response times`)
        t.equal(typeof advice[0].memoryBytes === 'number', hasBytes, `${file}, ${prefix}: sizes`)
      }
    }
  })
}
