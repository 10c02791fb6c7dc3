import { CacheRegistry } from '@x/cache-core'
import t from 'tap'
import { Collector } from '../src/metrics/collect.js'
import { type Metric } from '../src/metrics/metric.js'
import { Sources, type Source } from '../src/metrics/sources.js'
import type { Traffic } from '../src/traffic/traffic.js'

const counter: Metric = {
  name: 'gets',
  type: 'counter',
  help: 'Gets.',
  labelNames: ['impl', 'key_pattern'],
  ofCache ({ stats }, emit) {
    for (const { label, counters } of stats.impls.values()) {
      for (const { keyPattern, misses } of counters.values()) emit(misses, label, keyPattern)
    }
  }
}

function sourceOf (cache: CacheRegistry): Source {
  return { cache, traffic: {} as Traffic }
}

function sourcesOf (...caches: CacheRegistry[]): Sources {
  const sources = new Sources()
  for (const cache of caches) sources.add(sourceOf(cache))
  return sources
}

t.test('read: gives each series with its labels', async (t) => {
  const cache = new CacheRegistry()
  cache.stats.for('memory').of('a:1').misses = 3
  cache.stats.for('memory').of('b:1').misses = 4
  t.match(new Collector(counter).read(sourcesOf(cache)), [
    { labels: { impl: 'memory', key_pattern: 'a' }, value: 3 },
    { labels: { impl: 'memory', key_pattern: 'b' }, value: 4 }
  ])
})

t.test('read: adds the counts of several caches under the same labels', async (t) => {
  const [one, other] = [new CacheRegistry(), new CacheRegistry()]
  one.stats.for('memory').of('a:1').misses = 3
  other.stats.for('memory').of('a:1').misses = 4
  const points = new Collector(counter).read(sourcesOf(one, other))
  t.equal(points.length, 1)
  t.equal(points[0]!.value, 7)
})

t.test('read: takes a cache that two apps share once', async (t) => {
  const cache = new CacheRegistry()
  cache.stats.for('memory').of('a:1').misses = 3
  t.equal(new Collector(counter).read(sourcesOf(cache, cache))[0]!.value, 3)
})

t.test('read: of a gauge the highest value holds', async (t) => {
  const gauge: Metric = { name: 'percent', type: 'gauge', help: 'Percent.', labelNames: [], ofCache: ({ rollout }, emit) => emit(rollout.percent) }
  const caches = [10, 50, 20].map((percent) => new CacheRegistry({ rollout: { percent } }))
  t.match(new Collector(gauge).read(sourcesOf(...caches)), [{ labels: {}, value: 50 }])
})

t.test('read: adds histograms bucket by bucket and leaves them alone', async (t) => {
  const histogram: Metric = {
    name: 'loads',
    type: 'histogram',
    help: 'Loads.',
    labelNames: ['key_pattern'],
    ofCache ({ stats }, emit) {
      for (const { keyPattern, durations } of stats.loads.values()) emit(durations, keyPattern)
    }
  }
  const [one, other] = [new CacheRegistry(), new CacheRegistry()]
  one.stats.loadsOf('a').record(0.0002, false)
  other.stats.loadsOf('a').record(0.0002, false)
  other.stats.loadsOf('a').record(20, false)
  const collector = new Collector(histogram)
  for (let times = 0; times < 2; times++) {
    const [point] = collector.read(sourcesOf(one, other))
    t.match(point!.value, { count: 3, counts: { 1: 2, 16: 1 } })
  }
  t.equal(one.stats.loadsOf('a').durations.count, 1)
})

t.test('read: forgets the series of a source that is gone', async (t) => {
  const [one, other] = [sourceOf(new CacheRegistry()), sourceOf(new CacheRegistry())]
  one.cache.stats.for('memory').of('a:1').misses = 3
  other.cache.stats.for('memory').of('b:1').misses = 4
  const sources = new Sources()
  sources.add(one)
  sources.add(other)
  const collector = new Collector(counter)
  t.equal(collector.read(sources).length, 2)
  sources.delete(one)
  t.match(collector.read(sources), [{ labels: { key_pattern: 'b' }, value: 4 }])
  t.equal(collector.read(sources).length, 1)
})

t.test('read, labels: a series has one labels object for good', async (t) => {
  const cache = new CacheRegistry()
  cache.stats.for('memory').of('a:1').misses = 3
  const collector = new Collector(counter)
  const [first] = collector.read(sourcesOf(cache))
  const { labels } = first!
  t.equal(collector.read(sourcesOf(cache))[0]!.labels, labels)
  t.equal(collector.labels(['memory', 'a']), labels)
})

t.test('read: series that differ in their third label alone are two', async (t) => {
  const metric: Metric = {
    name: 'three',
    type: 'counter',
    help: 'Three labels.',
    labelNames: ['a', 'b', 'c'],
    ofCache (_cache, emit) {
      emit(1, 'x', 'y', 'one')
      emit(2, 'x', 'y', 'two')
      emit(4, 'x', 'yone', '')
    }
  }
  t.match(new Collector(metric).read(sourcesOf(new CacheRegistry())), [{ labels: { c: 'one' }, value: 1 }, { labels: { c: 'two' }, value: 2 }, { labels: { b: 'yone' }, value: 4 }])
})
