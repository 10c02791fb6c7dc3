import { CacheRegistry, NullCache, type Cache } from '@x/cache-core'
import { ERROR_TYPES } from '@x/cache-core/suite'
import t from 'tap'
import { METRICS } from '../src/index.js'
import { buildApp } from './fixtures/build-app.js'
import { addRoutes, makeTraffic } from './fixtures/make-traffic.js'
import { scrape } from './fixtures/parse-text.js'

t.test('METRICS: names, types and labels are those that dashboards know', async (t) => {
  t.strictSame(METRICS.map(({ name, type, labelNames }) => [name, type, ...labelNames]), [
    ['cache_hits_total', 'counter', 'impl', 'key_pattern'],
    ['cache_miss_total', 'counter', 'impl', 'key_pattern'],
    ['cache_set_total', 'counter', 'impl', 'key_pattern'],
    ['cache_del_total', 'counter', 'impl', 'key_pattern'],
    ['cache_errors_total', 'counter', 'impl', 'error_type'],
    ['cache_invalidate_total', 'counter', 'impl', 'tag'],
    ['cache_enabled', 'gauge', 'impl'],
    ['cache_candidate_requests', 'counter', 'route', 'method'],
    ['cache_edge_candidates_total', 'counter'],
    ['etag_match_total', 'counter'],
    ['cache_operation_duration_seconds', 'histogram', 'impl', 'operation'],
    ['cache_load_duration_seconds', 'histogram', 'key_pattern'],
    ['cache_saved_load_seconds_total', 'counter', 'impl', 'key_pattern'],
    ['cache_cost_seconds_total', 'counter', 'impl', 'key_pattern', 'part'],
    ['cache_serialize_seconds_total', 'counter', 'impl', 'key_pattern'],
    ['cache_saved_bytes_total', 'counter', 'impl', 'key_pattern'],
    ['cache_stored_bytes_total', 'counter', 'impl', 'key_pattern'],
    ['cache_held_bytes', 'gauge', 'impl', 'key_pattern'],
    ['cache_shadow_reads_total', 'counter', 'key_pattern', 'outcome'],
    ['cache_shadow_age_seconds', 'histogram', 'key_pattern', 'outcome'],
    ['cache_advised_hit_rate', 'gauge', 'key_pattern'],
    ['cache_request_duration_seconds', 'histogram', 'route', 'arm'],
    ['cache_request_failures_total', 'counter', 'route', 'arm'],
    ['cache_loads_total', 'counter', 'key_pattern', 'arm'],
    ['cache_rollout_percent', 'gauge'],
    ['cache_rollout_stage', 'gauge'],
    ['cache_rollout_paused', 'gauge'],
    ['cache_rollout_verdict', 'gauge', 'verdict'],
    ['cache_breaker_state', 'gauge'],
    ['cache_tracking_state', 'gauge'],
    ['cache_queued_invalidations', 'gauge'],
    ['cache_degraded', 'gauge'],
    ['cache_near_hits_total', 'counter'],
    ['cache_near_entries', 'gauge'],
    ['cache_near_bytes', 'gauge'],
    ['cache_near_age_bound_seconds', 'gauge']
  ])
})

t.test('METRICS: all are listed before anything happened', async (t) => {
  const { types, help, samples } = await scrape(await buildApp(t))
  t.same(types, Object.fromEntries(METRICS.map(({ name, type }) => [name, type])))
  t.same(Object.keys(help), METRICS.map(({ name }) => name))
  t.same(samples, {
    ...Object.fromEntries(ERROR_TYPES.map((type) => [`cache_errors_total{error_type="${type}",impl="null"}`, 0])),
    'cache_enabled{impl="null"}': 0,
    cache_edge_candidates_total: 0,
    etag_match_total: 0,
    cache_rollout_percent: 0,
    cache_breaker_state: 0,
    cache_tracking_state: 2,
    cache_queued_invalidations: 0,
    cache_degraded: 0
  })
})

t.test('METRICS: each counts what it is for', async (t) => {
  const app = await buildApp(t, {}, { implementation: 'memory', personal: ['/user'] })
  addRoutes(app)
  await makeTraffic(app)
  const { samples } = await scrape(app)
  t.match(samples, {
    'cache_hits_total{impl="memory",key_pattern="table"}': 3,
    'cache_miss_total{impl="memory",key_pattern="table"}': 3,
    'cache_set_total{impl="memory",key_pattern="table"}': 3,
    'cache_hits_total{impl="memory",key_pattern="user"}': 2,
    'cache_miss_total{impl="memory",key_pattern="user"}': 1,
    'cache_miss_total{impl="memory",key_pattern="order"}': 1,
    'cache_miss_total{impl="null",key_pattern="late"}': 1,
    'cache_del_total{impl="memory",key_pattern="user"}': 1,
    'cache_errors_total{error_type="key_invalid",impl="memory"}': 1,
    'cache_errors_total{error_type="value_invalid",impl="memory"}': 1,
    'cache_invalidate_total{impl="memory",tag="table"}': 1,
    'cache_invalidate_total{impl="memory",tag="user"}': 1,
    'cache_enabled{impl="memory"}': 0,
    'cache_enabled{impl="null"}': 0,
    'cache_candidate_requests{method="GET",route="/tables/:id"}': 5,
    'cache_candidate_requests{method="HEAD",route="/tables/:id"}': 1,
    'cache_candidate_requests{method="GET",route="/quote/:text"}': 1,
    cache_edge_candidates_total: 2,
    etag_match_total: 1,
    'cache_operation_duration_seconds_count{impl="memory",operation="del"}': 1,
    'cache_load_duration_seconds_count{key_pattern="table"}': 3,
    'cache_load_duration_seconds_bucket{key_pattern="failing",le="+Inf"}': 1,
    'cache_request_duration_seconds_count{arm="cached",route="/tables/:id"}': 6,
    'cache_request_duration_seconds_count{arm="none",route="unmatched"}': 1,
    cache_rollout_percent: 0
  })
  t.notOk('cache_candidate_requests{method="GET",route="/user/me"}' in samples)
})

t.test('cache_enabled: follows the implementation in service', async (t) => {
  const app = await buildApp(t, {}, { implementation: 'memory' })
  t.match((await scrape(app)).samples, { 'cache_enabled{impl="memory"}': 1, 'cache_enabled{impl="null"}': 0 })
  app.cache.registry.register(new NullCache())
  t.match((await scrape(app)).samples, { 'cache_enabled{impl="memory"}': 0, 'cache_enabled{impl="null"}': 0 })
})

t.test('cache_breaker_state, cache_degraded: are what the implementation says of itself', async (t) => {
  const status: Record<string, unknown> = {}
  const failing = Object.assign(new NullCache(), { name: 'failing', passThrough: false, status: () => status }) as Cache
  const app = await buildApp(t, {}, { implementation: failing })
  for (const [breaker, state] of [['closed', 0], ['half-open', 1], ['open', 2], ['unheard-of', 0], [undefined, 0]] as const) {
    Object.assign(status, { breaker, degraded: breaker === 'open' })
    t.match((await scrape(app)).samples, { cache_breaker_state: state, cache_degraded: breaker === 'open' ? 1 : 0 })
  }
})

t.test('cache_tracking_state, cache_queued_invalidations: are what the implementation says of itself', async (t) => {
  const status: Record<string, unknown> = {}
  const distant = Object.assign(new NullCache(), { name: 'distant', passThrough: false, status: () => status }) as Cache
  const app = await buildApp(t, {}, { implementation: distant })
  for (const [tracking, state, queuedInvalidations] of [['trusted', 0, 0], ['in doubt', 1, 7], ['off', 2, 3]] as const) {
    Object.assign(status, { tracking, queuedInvalidations })
    t.match((await scrape(app)).samples, { cache_tracking_state: state, cache_queued_invalidations: queuedInvalidations })
  }
})

t.test('cache_near_*: are what the implementation says of its near cache', async (t) => {
  const status = { near: { entries: 3, bytes: 1000, hits: 7, ageBoundMs: 2500 } }
  const near = Object.assign(new NullCache(), { name: 'near', passThrough: false, status: () => status }) as Cache
  const app = await buildApp(t, {}, { implementation: near })
  t.match((await scrape(app)).samples, {
    cache_near_hits_total: 7, cache_near_entries: 3, cache_near_bytes: 1000, cache_near_age_bound_seconds: 2.5
  })
})

t.test('cache_degraded: an implementation whose status throws does not take the page down', async (t) => {
  const broken = Object.assign(new NullCache(), { status: () => { throw new Error('broken') } }) as Cache
  const app = await buildApp(t, {}, { implementation: broken })
  t.match((await scrape(app)).samples, { cache_breaker_state: 0, cache_degraded: 0 })
})

t.test('METRICS: label budgets hold under a million keys, tags and URLs', async (t) => {
  const app = await buildApp(t)
  app.get('/tables/*', async () => 'table')
  for (let from = 0; from < 1_000_000; from += 1000) {
    const names = Array.from({ length: 1000 }, (_, at) => `p${from + at}`)
    await app.cache.getMany(names.map((name) => `${name}:1`))
    for (let at = 0; at < names.length; at += 50) await app.cache.tags.invalidate(names.slice(at, at + 50))
  }
  for (let at = 0; at < 1000; at++) await app.inject(at % 2 === 0 ? `/tables/${at}` : `/${at}`)
  const { samples } = await scrape(app)
  const values = (metric: string, label: string) => new Set(Object.keys(samples)
    .filter((name) => name.startsWith(`${metric}{`))
    .map((name) => new RegExp(`${label}="(.*?)"`).exec(name)![1]!))
  t.equal(values('cache_miss_total', 'key_pattern').size, 101)
  t.ok(values('cache_miss_total', 'key_pattern').has('other'))
  t.same([...values('cache_invalidate_total', 'tag')], ['other'], 'patterns of tags and keys share the budget')
  t.same([...values('cache_request_duration_seconds_count', 'route')], ['/tables/*', 'unmatched'])
  const gets = Object.entries(samples).filter(([name]) => name.startsWith('cache_miss_total')).reduce((sum, [, value]) => sum + value, 0)
  t.equal(gets, 1_000_000, 'and nothing is lost')
})

t.test('METRICS: an app that only observes has a rollout of 0 %, so that a later start at 50 % is no step back', async (t) => {
  const percentOf = (cache: CacheRegistry): number[] => {
    const values: number[] = []
    METRICS.find(({ name }) => name === 'cache_rollout_percent')!.ofCache!(cache, (value) => values.push(value as number))
    return values
  }
  t.same(percentOf(new CacheRegistry()), [0])
})

t.test('METRICS: an error of each type has a series at 0 before the first one, also of an implementation that came later', async (t) => {
  const app = await buildApp(t, {}, { implementation: 'memory' })
  t.ok(ERROR_TYPES.includes('timeout') && ERROR_TYPES.includes('key_invalid'))
  for (const impl of ['null', 'memory']) {
    for (const type of ERROR_TYPES) t.equal((await scrape(app)).samples[`cache_errors_total{error_type="${type}",impl="${impl}"}`], 0, `${impl} ${type}`)
  }
})
