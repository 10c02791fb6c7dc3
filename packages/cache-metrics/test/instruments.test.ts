import { CacheRegistry, coreOf } from '@x/cache-core'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import t from 'tap'
import { Instruments } from '../src/metrics/instruments.js'
import { METRICS } from '../src/index.js'
import { Traffic } from '../src/traffic/traffic.js'
import { buildApp } from './fixtures/build-app.js'

class Reader extends MetricReader {
  protected override async onForceFlush () {}
  protected override async onShutdown () {}

  /** Returns the values of a metric, by labels. */
  async values (name: string): Promise<Record<string, any>> {
    const { resourceMetrics } = await this.collect()
    const data = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics).find(({ descriptor }) => descriptor.name === name)
    return Object.fromEntries(data?.dataPoints.map(({ attributes, value }) => [Object.values(attributes).join(), value]) ?? [])
  }
}

function build () {
  const reader = new Reader()
  return { reader, instruments: new Instruments(new MeterProvider({ readers: [reader] }).getMeter('test')) }
}

async function sourceOf (t: Parameters<typeof buildApp>[0], cache = new CacheRegistry()) {
  const core = coreOf(await buildApp(t, {}, { registry: cache }))!
  return { cache, client: core.client, traffic: new Traffic(core) }
}

t.test('add: counters and gauges are the numbers of the cache at the time of reading', async (t) => {
  const { reader, instruments } = build()
  const source = await sourceOf(t)
  await source.client.get('table:1')
  const remove = instruments.add(source)
  await source.client.get('table:2')
  t.same(await reader.values('cache_miss_total'), { 'null,table': 2 })
  await source.client.get('table:3')
  t.same(await reader.values('cache_miss_total'), { 'null,table': 3 })
  t.same(await reader.values('cache_rollout_percent'), { '': 0 })
  remove()
})

t.test('add: histograms hold what happened since, in the buckets of the core', async (t) => {
  const { reader, instruments } = build()
  const source = await sourceOf(t)
  await source.client.getOrSet('table:1', () => 1)
  const remove = instruments.add(source)
  await source.client.getOrSet('table:1', () => 1)
  await source.client.get('table:1')
  const loads = await reader.values('cache_load_duration_seconds')
  t.equal(loads.table.count, 1)
  t.same(loads.table.buckets.boundaries, METRICS.find(({ name }) => name === 'cache_load_duration_seconds')!.buckets)
  t.equal((await reader.values('cache_operation_duration_seconds'))['null,get'].count, 1)
  remove()
})

t.test('add: two apps with one cache record its observations once', async (t) => {
  const { reader, instruments } = build()
  const cache = new CacheRegistry()
  const [one, other] = [await sourceOf(t, cache), await sourceOf(t, cache)]
  const remove = [instruments.add(one), instruments.add(other)]
  await one.client.getOrSet('table:1', () => 1)
  t.equal((await reader.values('cache_load_duration_seconds')).table.count, 1)
  t.same(await reader.values('cache_miss_total'), { 'null,table': 1 })
  remove[0]!()
  await other.client.getOrSet('table:1', () => 1)
  t.equal((await reader.values('cache_load_duration_seconds')).table.count, 2, 'the other still listens')
  remove[1]!()
})

t.test('add: nothing is heard or read any more once the source is taken away, until it is added again', async (t) => {
  const { reader, instruments } = build()
  const source = await sourceOf(t)
  const remove = instruments.add(source)
  await source.client.getOrSet('table:1', () => 1)
  t.equal((await reader.values('cache_load_duration_seconds')).table.count, 1)
  remove()
  t.notOk(source.cache.events.has('loaded'))
  t.notOk(source.cache.events.has('operated'))
  await source.client.getOrSet('table:1', () => 1)
  t.equal((await reader.values('cache_load_duration_seconds')).table.count, 1)
  instruments.add(source)()
  instruments.add(source)
  await source.client.getOrSet('table:1', () => 1)
  t.equal((await reader.values('cache_load_duration_seconds')).table.count, 2)
  t.same(await reader.values('cache_miss_total'), { 'null,table': 3 })
})
