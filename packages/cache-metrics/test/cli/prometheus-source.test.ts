import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { run } from '../fixtures/run-cli.js'

// Starts a server with a fixed answer, for tests of failures. Answers of a real server are tested in
// test/servers/advisor-prometheus.test.ts.
async function answering (
  t: Test, answer: (query: string) => { status?: number, body: unknown }
): Promise<{ url: string, queries: string[] }> {
  const queries: string[] = []
  const app = Fastify()
  app.get('/prefix/api/v1/query', async (request, reply) => {
    const { query } = request.query as { query: string }
    queries.push(query)
    const { status = 200, body } = answer(query)
    return reply.code(status).type('application/json').send(typeof body === 'string' ? body : JSON.stringify(body))
  })
  t.teardown(() => app.close())
  return { url: `${await app.listen({ port: 0, host: '127.0.0.1' })}/prefix`, queries }
}

const vector = (...samples: Array<[Record<string, string>, number | string]>) =>
  ({ body: { status: 'success', data: { resultType: 'vector', result: samples.map(([metric, value]) => ({ metric, value: [1, String(value)] })) } } })

t.test('report: without any series is not enough data, and says what may be wrong', async (t) => {
  const { url, queries } = await answering(t, () => vector())
  const { status, stdout } = await run(['report', '--prometheus', url, '--selector', 'job="api"'])
  t.equal(status, 2)
  t.match(stdout, /no cache metrics in the window with job="api"/)
  t.equal(queries.length, 10)
  t.match(queries[0], /^time\(\) - \(min\(min_over_time\(timestamp\(cache_rollout_percent\{job="api"\}\)\[605406s:303s\]\)\)/)
  for (const query of queries.slice(1)) t.match(query, /\{job="api"\}\[604800s\]/)
  t.equal((await run(['gates', '--prometheus', url, '--min-days', '0'])).status, 2)
})

t.test('report: numbers that are none do not count', async (t) => {
  const { url } = await answering(t, (query) => query.startsWith('time()') ? vector([{}, 86_400]) : vector([{ route: '/a', key_pattern: 'a', impl: 'x' }, 'NaN'], [{}, '+Inf']))
  const { status, stdout } = await run(['report', '--prometheus', url, '--window', '1d', '--min-days', '1', '--format', 'json'])
  t.equal(status, 2)
  t.match(JSON.parse(stdout), { observedSeconds: 86_400, requests: 0, measured: [], advice: [] })
})

t.test('report: a metric without any series is not enough data, and no value of 0', async (t) => {
  const week = 7 * 86_400
  const grown: Record<string, ReturnType<typeof vector>> = {
    cache_edge_candidates_total: vector([{}, 150 * week]),
    cache_request_duration_seconds_count: vector([{}, 200 * week])
  }
  const gatesOf = async (more: typeof grown) => {
    const all = { ...grown, ...more }
    const { url } = await answering(t, (query) => query.startsWith('time()') ? vector([{}, 2 * week]) : all[/increase\((\w+)/.exec(query)?.[1] ?? ''] ?? vector())
    const { verdict, gates } = JSON.parse((await run(['report', '--prometheus', url, '--format', 'json'])).stdout)
    const rows = gates.map(({ name, value = null, verdict }: Record<string, unknown>) => [name, [value, verdict]])
    return { verdict, ...Object.fromEntries(rows) }
  }
  const none = [null, 'not enough data']
  t.match(await gatesOf({}), {
    verdict: 'not enough data',
    'Candidate volume': none,
    'Candidate routes': none,
    'Busiest route, per minute': none,
    'Busiest route, per hour': none,
    'Busiest key pattern, per minute': none,
    'Edge hit rate': none,
    '304 rate': none
  })
  t.match(await gatesOf({ cache_candidate_requests: vector([{ route: '/a' }, 0]), etag_match_total: vector([{}, 0]) }), {
    verdict: 'no-go', 'Candidate volume': [0, 'no-go'], 'Candidate routes': [0, 'no-go'], '304 rate': [0, 'no-go'], 'Busiest key pattern, per minute': none
  })
})

t.test('report: candidates are found under the name of an OpenMetrics registry, too', async (t) => {
  const { url, queries } = await answering(t, (query) =>
    query.startsWith('time()') ? vector([{}, 86_400]) : query.includes('cache_candidate_requests_total') ? vector([{ route: '/a' }, 86_400 * 200]) : vector())
  const { gates } = JSON.parse((await run(['report', '--prometheus', url, '--window', '1d', '--min-days', '1', '--format', 'json'])).stdout)
  t.match(gates.find(({ name }: { name: string }) => name === 'Candidate volume'), { value: 200, verdict: 'go' })
  t.match(queries.filter((query) => query.includes('cache_candidate_requests')), [
    'sum by (route) (increase(cache_candidate_requests{}[86400s]) or increase(cache_candidate_requests_total{}[86400s]))'
  ])
  t.notMatch(queries.join(), /(?:total|sum|count|bucket)_total/)
})

t.test('report: a week of a busy app is judged', async (t) => {
  const week = 7 * 86_400
  const grown: Record<string, ReturnType<typeof vector>> = {
    cache_candidate_requests: vector([{ route: '/users/:id' }, 150 * week], [{ route: '/a' }, 10]),
    etag_match_total: vector([{}, 60 * week]),
    cache_edge_candidates_total: vector([{}, 150 * week]),
    cache_request_duration_seconds_count: vector([{}, 200 * week]),
    cache_request_duration_seconds_bucket: vector([{ route: '/users/:id' }, 0.75], [{ route: '/report' }, 2]),
    cache_hits_total: vector([{ impl: 'redis', key_pattern: 'user' }, 60 * week]),
    cache_miss_total: vector([{ impl: 'redis', key_pattern: 'user' }, 20 * week], [{ impl: 'null', key_pattern: 'user' }, 20 * week], [{ impl: 'null', key_pattern: 'page' }, week]),
    cache_load_duration_seconds_sum: vector([{ key_pattern: 'user' }, week]),
    cache_load_duration_seconds_count: vector([{ key_pattern: 'user' }, 40 * week])
  }
  const { url } = await answering(t, (query) => query.startsWith('time()') ? vector([{}, 2 * week]) : grown[/increase\((\w+)/.exec(query)?.[1] ?? ''] ?? vector())
  const { status, stdout } = await run(['report', '--prometheus', url, '--format', 'json'])
  t.equal(status, 0)
  const report = JSON.parse(stdout)
  t.match(report, {
    version: 1,
    source: `prometheus ${url}`,
    observedSeconds: week,
    requests: 200 * week,
    verdict: 'go',
    measured: [{ name: 'user', readsPerHour: 360_000, hitRate: 0.75, meanLoadSeconds: 0.025, savedSecondsPerHour: 5400 }, { name: 'page', readsPerHour: 3600 }]
  })
  t.equal(report.measured[1].hitRate, undefined)
  const values = Object.fromEntries(report.gates.map(({ name, value, verdict }: Record<string, unknown>) => [name, [value, verdict]]))
  t.match(values, { '304 rate': [0.3, 'go'], 'Candidate routes': [2, 'no-go'], 'Busiest key pattern, per minute': [6000, 'go'], 'Slow endpoints': [2, 'go'] })
  t.match((await run(['report', '--prometheus', url])).stdout, /## Measured\n\n.*\n.*\n\| user \| 360,000\/h \| 25 ms \| 75 % \| 1.5 h\/h \|\n\| page \| 3,600\/h \| – \| observed only \| – \|/)
  t.equal((await run(['gates', '--prometheus', url])).status, 0)
})

t.test('gates: an app with a canary is judged by the criteria of its stage that need no subjects', async (t) => {
  const arms = (cached: number, control: number) => vector([{ arm: 'cached' }, cached], [{ arm: 'control' }, control], [{ arm: 'none' }, 7])
  const impls = (redis: number, none: number) => vector([{ impl: 'redis' }, redis], [{ impl: 'null' }, none])
  const numbers = (failures: number, percent: number): Record<string, ReturnType<typeof vector>> => ({
    cache_request_duration_seconds_count: arms(50_000, 50_000),
    cache_request_failures_total: arms(failures, 10),
    cache_loads_total: arms(10_000, 50_000),
    cache_request_duration_seconds_bucket: arms(0.02, 0.1),
    cache_hits_total: impls(40_000, 0),
    cache_miss_total: impls(10_000, 50_000),
    cache_errors_total: vector([{ impl: 'redis', error_type: 'timeout' }, 5], [{ impl: 'redis', error_type: 'key_invalid' }, 9000]),
    stage: vector([{}, 2]),
    percent: vector([{}, percent]),
    change: vector([{}, 0])
  })
  const serve = async (all: Record<string, ReturnType<typeof vector>>) => answering(t, (query) => {
    if (query.startsWith('time()')) return vector([{}, 3 * 86_400])
    if (query.startsWith('max(max_over_time')) return all.change!
    if (query.startsWith('max(')) return query.includes('stage') ? all.stage! : all.percent!
    return all[/increase\((\w+)/.exec(query)![1]!] ?? vector()
  })
  const gates = async (all: Record<string, ReturnType<typeof vector>>) => run(['gates', '--prometheus', (await serve(all)).url, '--window', '3d'])
  const good = await gates(numbers(10, 50))
  t.match(good.stdout, '## Stage of 50 %\n\nVerdict: **go**')
  t.match(good.stdout, '| hit rate | 80 % | > 40 % | go |')
  t.match(good.stdout, '| p99 | 20 ms | < 50 ms | go |')
  t.match(good.stdout, '| cache errors | 0.01 % |', 'a wrong key is an error of the app')
  t.match(good.stdout, 'judged by the default criteria')
  t.notMatch(good.stdout, 'against control', 'which needs subjects')
  const bad = await gates(numbers(2000, 50))
  t.match(bad.stdout, /Verdict: \*\*back\*\*, error burst: 4 % of 50000 requests/)
  t.equal(bad.status, 1)
  const changed = await gates({ ...numbers(10, 50), change: vector([{}, 40]) })
  t.notMatch(changed.stdout, 'Stage of')
  t.match(changed.stdout, 'give a --window that begins after the change')
  t.match((await gates({ ...numbers(10, 0), stage: vector([{}, 0]) })).stdout, '## Stage of 0 %\n\nVerdict: **go**')
  t.notMatch((await gates({ ...numbers(10, 50), stage: vector() })).stdout, /Stage|canary/)
})

t.test('report: what the server has against a query is told', async (t) => {
  const { url } = await answering(t, () => ({ status: 400, body: { status: 'error', errorType: 'bad_data', error: 'invalid parameter "query": parse error' } }))
  const { status, stdout, stderr } = await run(['gates', '--prometheus', url, '--selector', 'job='])
  t.equal(status, 3)
  t.equal(stdout, '')
  t.match(stderr, /refuses a query: invalid parameter "query": parse error\n$/)
})

t.test('report: an answer that is none is one sentence', async (t) => {
  const answers: Array<[number, unknown, RegExp]> = [
    [404, 'nothing', /answers 404\n$/],
    [401, '{}', /answers 401: .*--header/],
    [503, '', /answers 503\n$/],
    [200, '<html>', /not as a Prometheus server/],
    [200, 'null', /not as a Prometheus server/],
    [200, { status: 'success', data: { resultType: 'matrix', result: [] } }, /not as a Prometheus server/],
    [200, { status: 'success', data: { resultType: 'vector', result: [{ metric: {}, value: ['x'] }] } }, /not as a Prometheus server/]
  ]
  for (const [status, body, sentence] of answers) {
    const { url } = await answering(t, () => ({ status, body }))
    const ran = await run(['report', '--prometheus', url])
    t.equal(ran.status, 3)
    t.match(ran.stderr, sentence)
  }
})
