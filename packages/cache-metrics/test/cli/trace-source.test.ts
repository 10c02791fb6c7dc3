import { gzipSync } from 'node:zlib'
import t from 'tap'
import { fileOf, run } from '../fixtures/run-cli.js'
import { zipf } from '../fixtures/streams.js'

const keys = (prefix: string, requests = 2000) => zipf(1, 1, 100, requests).map((key) => `${prefix}${key}`)
const json = async (...argv: string[]) => JSON.parse((await run([...argv, '--format', 'json'])).stdout)

t.test('report: points are each ttl with each size, ttl by ttl', async (t) => {
  const file = fileOf(t, gzipSync('a\nb\n\na\nb\na\n'), 'trace.gz')
  const { points, requests, observedSeconds } = await json('report', '--trace', file, '--rate', '2', '--ttl', '1,10,60', '--entries', '1,100')
  t.same(points, [
    { ttl: 1, entries: 1, hitRate: 0 }, { ttl: 1, entries: 100, hitRate: 0 },
    { ttl: 10, entries: 1, hitRate: 0 }, { ttl: 10, entries: 100, hitRate: 0.6 },
    { ttl: 60, entries: 1, hitRate: 0 }, { ttl: 60, entries: 100, hitRate: 0.6 }
  ])
  t.equal(requests, 5)
  t.equal(observedSeconds, 2.5)
})

t.test('report: an entry is gone as its ttl ends', async (t) => {
  const file = fileOf(t, 'a\na\na\na\n')
  t.match(await json('report', '--trace', file, '--rate', '1', '--ttl', '1,2,3', '--entries', '1'), { points: [{ hitRate: 0 }, { hitRate: 0.5 }, { hitRate: 0.5 }] })
})

t.test('report: patterns are those of the cache', async (t) => {
  const file = fileOf(t, [...keys('user:'), ...keys('12345:'), ...keys('page:', 1000), ...keys('')].join('\r\n'))
  const { advice } = await json('report', '--trace', file)
  t.same(advice.map(({ name }: { name: string }) => name).sort(), ['other', 'page', 'user'])
  const { advice: [all] } = await json('report', '--trace', fileOf(t, keys('').join('\n')))
  t.match(all, { kind: 'pattern', name: 'all', verdict: 'good' })
})

t.test('report: what a load takes and a value weighs prices the hits', async (t) => {
  const file = fileOf(t, keys('user:').join('\n'))
  const priced = await json('report', '--trace', file, '--load-ms', '500', '--value-bytes', '1000', '--min-days', '0')
  t.match(priced, { verdict: 'go', advice: [{ meanSeconds: 0.5, priority: 'CRITICAL' }] })
  t.ok(priced.advice[0].memoryBytes > 100 * 1000)
  t.notMatch(priced.notes.join(), /unknown/)
  t.match(await json('report', '--trace', file, '--load-ms', '0'), { verdict: 'no-go' })
  const { status, stdout } = await run(['report', '--trace', file, '--min-days', '0'])
  t.equal(status, 0, 'by the hits alone')
  t.match(stdout, /Load times are unknown.*\n.*Sizes of values are unknown/)
  t.match(stdout, /\| user \| 72,000\/h \| – \|.*\| – \|.*\| – \| good \|/)
})

t.test('report: a few requests are not enough, a trace of nothing but new keys is no-go', async (t) => {
  const few = fileOf(t, keys('user:', 20).join('\n'))
  t.equal((await run(['report', '--trace', few])).status, 2)
  t.equal((await run(['report', '--trace', few, '--min-requests', '10', '--min-days', '0'])).status, 1, 'too few a minute for the gates')
  t.equal((await run(['report', '--trace', fileOf(t, Array.from({ length: 500 }, (_, at) => `user:${at}`).join('\n'))])).status, 1)
  for (const nothing of ['', '\n\n \r\n']) {
    const { status, stdout } = await run(['report', '--trace', fileOf(t, nothing)])
    t.equal(status, 2)
    t.match(stdout, /The trace has no requests/)
    t.equal((await run(['gates', '--trace', fileOf(t, nothing), '--min-days', '0'])).status, 2)
  }
})

t.test('report: reads standard input', async (t) => {
  t.match(JSON.parse((await run(['report', '--trace', '-', '--format', 'json'], { stdin: gzipSync(keys('user:').join('\n')) })).stdout), { requests: 2000, source: /standard input/ })
})

t.test('report: a log is told by its first lines, and shows routes', async (t) => {
  const lines = zipf(2, 1, 50, 1000).map((id, at) =>
    `10.0.0.1 - - [10/Oct/2023:13:${String(Math.floor(at / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')} +0000] "GET /products/${id} HTTP/1.1" ${at % 3 === 0 ? '304 0' : '200 512'} "-" "x"`)
  const file = fileOf(t, ['# a comment', ...lines, 'broken'].join('\n'))
  const report = await json('report', '--trace', file, '--min-days', '0', '--load-ms', '100')
  t.match(report, { source: /access log/, requests: 1000, observedSeconds: 1000, verdict: 'go', advice: [{ kind: 'route', name: 'GET /products/:id', verdict: 'good' }] })
  t.match(report.notes.join(), /2 of 1002 lines could not be read/)
  const gate = (name: string) => report.gates.find((each: { name: string }) => each.name === name)
  t.match(gate('Edge hit rate'), { value: 0.334, verdict: 'go' })
  t.match(gate('Candidate volume'), { value: 1, verdict: 'no-go' })
  t.match(gate('Busiest key pattern, per minute'), { verdict: 'not enough data' })
  const plan = await run(['plan', '--trace', file])
  t.equal(plan.status, 0)
  t.match(plan.stdout, /"prefix": "\/products\/:id",\n *"exact": true,\n *"maxAge": \d+,\n *"store": true/)
})

t.test('report: a file that is no trace is refused', async (t) => {
  const binary = Buffer.from(Array.from({ length: 5000 }, (_, at) => at * 7919 % 251))
  const utf16 = Buffer.from('user:1\nuser:2\n', 'utf16le')
  for (const content of [binary, utf16, 'x'.repeat(1024 * 1024), Array.from({ length: 10 }, () => 'k'.repeat(5000)).join('\n')]) {
    const { status, stdout, stderr } = await run(['report', '--trace', fileOf(t, content)])
    t.equal(status, 3)
    t.equal(stdout, '')
    t.match(stderr, /^cache-advisor: \S+ is no trace: \d+ of \d+ lines are not recognised, the first is line \d+: .*\n$/)
  }
})

t.test('report: keys may be in any language', async (t) => {
  t.match(await json('report', '--trace', fileOf(t, '\ufeffname:à\nname:ã\nname:à\nname:à\n'), '--ttl', '60', '--entries', '10', '--min-requests', '1'), {
    points: [{ hitRate: 0.5 }], advice: [{ name: 'name' }]
  })
})

t.test('gates: a trace of keys is judged by its patterns', async (t) => {
  const file = fileOf(t, keys('user:').join('\n'))
  t.equal((await run(['gates', '--trace', file])).status, 2, 'not for a week')
  t.equal((await run(['gates', '--trace', file, '--min-days', '0'])).status, 0)
  t.equal((await run(['gates', '--trace', file, '--min-days', '0', '--rate', '1'])).status, 1)
})

t.test('plan: allows the patterns that are good, or all where they have no names', async (t) => {
  const named = fileOf(t, [...keys('user:'), ...Array.from({ length: 500 }, (_, at) => `once:${at}`), ...keys('page:')].join('\n'))
  t.same((await json('plan', '--trace', named)).options.rollout.allow.sort(), ['page', 'user'])
  const unnamed = fileOf(t, keys('').join('\n'))
  t.match(await json('plan', '--trace', unnamed), { options: { rollout: { allow: ['*'] }, defaultTtl: Number, patterns: undefined }, env: { CACHE_IMPL: 'memory', CACHE_PATTERN_WHITELIST: '*' } })
  const { status, stdout } = await run(['plan', '--trace', unnamed])
  t.equal(status, 0)
  t.match(stdout, /\nawait app\.register\(import\('@x\/cache-core'\), /)
})

t.test('plan: without one says why, and gives null as JSON', async (t) => {
  const poor = fileOf(t, Array.from({ length: 500 }, (_, at) => `user:${at}`).join('\n'))
  t.match(await run(['plan', '--trace', poor, '--format', 'json']), { status: 1, stdout: 'null\n', stderr: /no key pattern and no route is good enough/ })
  t.match(await run(['plan', '--trace', fileOf(t, 'user:1\n')]), { status: 2, stdout: '', stderr: /not enough data/ })
})
