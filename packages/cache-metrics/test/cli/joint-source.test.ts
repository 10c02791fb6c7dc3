import Fastify from 'fastify'
import { cacheCore } from '@x/cache-core'
import t, { type Test } from 'tap'
import { cacheMetrics, type CacheMetricsOptions } from '../../src/index.js'
import { Time } from '../fixtures/advised-app.js'
import { run } from '../fixtures/run-cli.js'

const SALT = 'a secret of both apps'

/** Starts an app to which requests for the users from `first` to `first + 20` were sent, ten times each; returns its address. */
async function observed (t: Test, first: number, advisor: Exclude<CacheMetricsOptions['advisor'], undefined>, guarded = false): Promise<string> {
  const app = Fastify()
  t.teardown(() => app.close())
  const guard = async (request: { headers: Record<string, unknown> }): Promise<void> => {
    if (request.headers['x-token'] !== 'let me in') throw Object.assign(new Error('no'), { statusCode: 401 })
  }
  await app.register(cacheCore, { clock: new Time().clock, ...guarded ? { guard } : {} })
  await app.register(cacheMetrics, { advisor })
  await app.ready()
  for (let turn = 0; turn < 200; turn++) await app.cache.getOrSet(`user:${first + turn % 20}`, () => 'value', { ttl: 60 })
  return app.listen({ port: 0, host: '127.0.0.1' })
}

t.test('report: two apps are reported on as if they shared one cache', async (t) => {
  const advisor = { salt: SALT, minRequests: 1 }
  const urls = [await observed(t, 0, advisor), await observed(t, 0, advisor), await observed(t, 20, advisor)]
  const argv = (...apps: string[]): string[] => ['report', '--format', 'json', ...apps.flatMap((app) => ['--app', app])]
  const { status, stdout, stderr } = await run(argv(...urls))
  t.equal(stderr, '')
  const report = JSON.parse(stdout)
  t.match(report, { version: 1, source: '3 apps', notes: [/3 processes together/], advice: [{ name: 'user', verdict: 'good' }] })
  t.equal(status, { go: 0, 'no-go': 1 }[report.verdict as string] ?? 2)
  // The 600 requests are for 40 keys, each of which the three apps together load once.
  t.equal(report.advice[0].hitRate, 560 / 600)
  t.equal(JSON.parse((await run(argv(urls[0]!))).stdout).advice[0].hitRate, 180 / 200)
  t.match((await run(['plan', '--app', urls[0]!, '--app', urls[1]!])).stdout, /"allow": \[\n *"user"/)
  t.match((await run(['gates', '--app', urls[0]!, '--app', urls[1]!])).stdout, /\| Candidate volume \|/)
})

t.test('report: two processes that began in the same millisecond, as workers of a cluster do, are two', async (t) => {
  const { now } = Date
  t.teardown(() => { Date.now = now })
  Date.now = () => 1_790_000_000_000
  const urls = [await observed(t, 0, { salt: SALT }), await observed(t, 0, { salt: SALT })]
  Date.now = now
  t.match(await run(['report', '--app', urls[0]!, '--app', urls[1]!]), { stdout: /from 2 apps/, stderr: '' })
})

t.test('report: guarded apps get the headers', async (t) => {
  const urls = [await observed(t, 0, { salt: SALT }, true), await observed(t, 0, { salt: SALT }, true)]
  const argv = ['report', '--app', urls[0]!, '--app', urls[1]!]
  t.match(await run(argv), { status: 3, stderr: /answers 401: give what its guard wants with --header/ })
  t.match(await run([...argv, '--header', 'x-token: let me in']), { stdout: /\| user \|/, stderr: '' })
})

t.test('report: what cannot be merged is one sentence', async (t) => {
  const url = await observed(t, 0, { salt: SALT })
  const other = async (advisor: CacheMetricsOptions['advisor']) => run(['report', '--app', url, '--app', await observed(t, 0, advisor!)])
  t.match(await other(true), { status: 3, stderr: /has no accesses: give the apps the same secret with option advisor\.salt or CACHE_ADVICE_SALT/ })
  t.match(await other({ salt: 'a secret of one app' }), { status: 3, stderr: /cannot be merged with those of .*its keys have another salt/ })
  t.match(await other({ salt: SALT, entries: [100] }), { status: 3, stderr: /cannot be merged with those of .*other cache sizes/ })
  t.match(await run(['report', '--app', url, '--app', `${url}/`]), { status: 3, stderr: /are the same process: give the address of each process/ })
  t.match(await other(false), { status: 3, stderr: /answers 404: is @x\/cache-metrics of this release registered/ })
  const app = Fastify()
  app.get('/*', async () => ({ something: 'else' }))
  t.teardown(() => app.close())
  t.match(await run(['report', '--app', url, '--app', await app.listen({ port: 0, host: '127.0.0.1' })]), { status: 3, stderr: /not with accesses that can be merged: it is no state of an advisor/ })
})

t.test('rollout: is that of one app', async (t) => {
  t.match(await run(['rollout', 'status', '--app', 'http://a', '--app', 'http://b']), { status: 3, stderr: /A rollout is that of one app: give --app once/ })
})
