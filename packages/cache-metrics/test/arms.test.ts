import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { toMarkdown } from '../src/advisor/report/report.js'
import { build, reportOf, Time, URL } from './fixtures/advised-app.js'
import { scrape } from './fixtures/parse-text.js'

const USERS = Array.from({ length: 200 }, (_, at) => `user-${at}`)

/** Starts an app whose requests take time without the cache, and sometimes fail; the header `x-user-id` names the user. */
async function start (t: Test, core: object = {}): Promise<{ app: FastifyInstance; time: Time }> {
  const time = new Time()
  const app = await build(t, { core: { implementation: 'memory', rollout: { percent: 50 }, ...core }, time })
  app.get('/item/:id', async (request) => {
    const { id } = request.params as { id: string }
    return request.cache.getOrSet(`item:${id}`, async () => {
      time.advance(0.1)
      return { id }
    })
  })
  app.get('/other', async ({ cache }) => cache.get('other:1'))
  app.get('/failing', async (request) => {
    await request.cache.get('other:1')
    throw new Error('broken')
  })
  app.get('/plain', async () => 'no cache')
  await app.ready()
  return { app, time }
}

async function ask (app: FastifyInstance, url: string, users = USERS): Promise<void> {
  for (const user of users) await app.inject({ url, headers: { 'x-user-id': user } })
}

t.test('arms: both are measured by route and key pattern, in the report, the status and the metrics', async (t) => {
  const { app } = await start(t)
  const { rollout } = app.cache.registry
  for (let round = 0; round < 3; round++) await ask(app, '/item/1')
  await ask(app, '/failing')
  await ask(app, '/plain')
  const { arms } = await reportOf(app)
  const insiders = USERS.filter((user) => rollout.includes(user)).length
  t.ok(insiders > 60 && insiders < 140)
  t.match(arms, { percent: 50, routes: [{ name: '/item/:id' }, { name: '/failing' }], patterns: [{ name: 'item' }, { name: 'other' }] })
  const [item, failing] = arms!.routes
  t.match(item, { cached: { requests: 3 * insiders, failures: { rate: 0, low: 0 } }, control: { requests: 3 * (200 - insiders) } })
  t.ok(Math.abs(item!.control.p50! - 100) < 5, 'the durations of the control arm are those of its loads')
  t.ok(item!.cached.p99! < 1)
  t.match(failing, { cached: { failures: { rate: 1, high: 1 } }, control: { failures: { rate: 1 } } })
  t.ok(failing!.cached.failures.low > 0.9)
  const [pattern] = arms!.patterns
  const outside = 3 * (200 - insiders)
  const control = { reads: outside, loads: outside, loadsPerRead: 1, hits: { rate: 0 } }
  t.match(pattern, { cached: { reads: 3 * insiders, loads: 1 }, control })
  t.ok(pattern!.cached.hits.low < pattern!.cached.hits.rate && pattern!.cached.hits.rate < 1)
  t.match(arms!.sentence, /^cached arm: p99 .*, errors .*, \d+ % fewer loads$/)
  t.match(item!.sentence, /^cached arm: p99 .*, errors unchanged$/)
  t.match(pattern!.sentence, /^cached arm: \d+ % fewer loads$/)
  t.same((await app.inject('/internal/cache')).json().arms, JSON.parse(JSON.stringify(arms)))
  const { samples } = await scrape(app)
  t.match(samples, {
    'cache_loads_total{arm="cached",key_pattern="item"}': 1,
    'cache_loads_total{arm="control",key_pattern="item"}': 3 * (200 - insiders),
    'cache_request_failures_total{arm="cached",route="/failing"}': insiders,
    'cache_request_failures_total{arm="control",route="/failing"}': 200 - insiders,
    'cache_request_failures_total{arm="cached",route="/item/:id"}': 0,
    'cache_request_failures_total{arm="none",route="/plain"}': 0,
    'cache_request_duration_seconds_count{arm="cached",route="/item/:id"}': 3 * insiders
  })
  t.equal(samples['cache_request_failures_total{arm="cached",route="/plain"}'], undefined)
})

t.test('arms: the report has them as Markdown, with intervals', async (t) => {
  const { app } = await start(t)
  await ask(app, '/item/1')
  const text = (await app.inject({ url: URL, headers: { accept: 'text/markdown' } })).body
  t.match(text, '## With and without the cache')
  t.match(text, /\| \/item\/:id \| \d+, without \d+ \| 0 % \(0 to [\d.]+\), without 0 % /)
  t.match(text, /\| item \| \d+, without \d+ \| [\d.]+ % \([\d.]+ to [\d.]+\) \| [\d.]+, without 1 \|/)
  t.notMatch(toMarkdown({ ...await reportOf(app), arms: undefined }), 'With and without')
})

t.test('arms: counting begins anew when the percent changes, or both would be compared over different times', async (t) => {
  const { app, time } = await start(t)
  await ask(app, '/item/1')
  time.advance(3600)
  app.cache.registry.rollout.percent = 30
  await ask(app, '/other')
  const { arms } = await reportOf(app)
  t.match(arms, { percent: 30, seconds: 0, routes: [{ name: '/other' }] })
  t.equal(arms!.routes.length, 1)
  t.same(arms!.patterns.map(({ name }) => name), ['other'])
})

t.test('arms: are absent without both of them', async (t) => {
  for (const percent of [0, 100]) {
    const { app } = await start(t, { rollout: { percent } })
    await ask(app, '/item/1')
    t.equal((await reportOf(app)).arms, undefined)
    t.equal((await app.inject('/internal/cache')).json().arms, undefined)
  }
  const { app } = await start(t)
  await ask(app, '/item/1', USERS.slice(0, 20))
  t.equal((await reportOf(app)).arms, undefined, 'nor with few requests of one')
})
