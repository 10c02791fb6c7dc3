import { CacheRegistry, MemoryCache, NullCache } from '@x/cache-core'
import { serializedBy, type Serializer } from '@x/cache-core/implementing'
import { CacheClient, toRichText } from '@x/cache-core/suite'
import v8 from 'node:v8'
import t from 'tap'
import { settle } from '@x/test-kit/deferred'
import { FakeClock } from '@x/test-kit/fake-clock'
import { ForeignCache } from '@x/test-kit/foreign-caches'
import { CostLedger } from '../../src/ledger/cost-ledger.js'
import { buildApp } from '../fixtures/build-app.js'
import { scrape } from '../fixtures/parse-text.js'

function build (impl: 'memory' | 'foreign' = 'foreign') {
  const clock = new FakeClock()
  const registry = new CacheRegistry({ clock })
  registry.stats.measuresDurations = true
  const ledger = CostLedger.of(registry)
  registry.register(impl === 'memory' ? new MemoryCache({ clock }) : new ForeignCache())
  const client = new CacheClient(registry)
  const load = async (key: string, value: unknown, seconds = 0.5, ttl = 60): Promise<void> => {
    await client.getOrSet(key, async () => {
      clock.advance(seconds)
      return value
    }, { ttl })
    await settle()
  }
  return { clock, registry, ledger, client, load }
}

t.test('of: one ledger for each cache', async (t) => {
  const registry = new CacheRegistry()
  t.equal(CostLedger.of(registry), CostLedger.of(registry))
  t.not(CostLedger.of(registry), CostLedger.of(new CacheRegistry()))
})

t.test('report: saved seconds and bytes of the hits of each pattern', async (t) => {
  const { ledger, load, clock } = build()
  for (let turn = 0; turn < 5; turn++) await load('user:1', 'x'.repeat(100))
  await load('post:1', 'x')
  clock.advance(9)
  const { seconds, rows } = ledger.report()
  t.equal(seconds, 10)
  t.match(rows.find(({ keyPattern }) => keyPattern === 'user'), { reads: 5, hits: 4, stores: 1, savedSeconds: 2, meanLoadSeconds: 0.5, savedBytes: 400, storedBytes: 100 })
  t.match(rows.find(({ keyPattern }) => keyPattern === 'post'), { hits: 0, savedSeconds: 0, savedBytes: 0 })
})

t.test('report: loads that failed, however slow, change no duration of a load and no saving', async (t) => {
  const { ledger, load, client, clock } = build()
  const fail = (seconds: number): Promise<unknown> => t.rejects(client.getOrSet('user:2', async () => {
    clock.advance(seconds)
    throw new Error('down')
  }))
  await fail(30)
  t.match(ledger.report().rows, [{ savedSeconds: undefined, meanLoadSeconds: undefined, text: /no load succeeded/ }])
  await load('user:1', 'x')
  await fail(30)
  await fail(0)
  await load('user:1', 'x')
  t.match(ledger.report().rows, [{ hits: 1, savedSeconds: 0.5, meanLoadSeconds: 0.5 }])
})

t.test('report: what is held ends with its lifetime, its removal, a clear, and the implementation', async (t) => {
  const heldOf = (ledger: CostLedger): number => ledger.numbers().find(({ keyPattern, impl }) => keyPattern === 'user' && impl !== 'null')?.heldBytes ?? 0
  const { ledger, load, clock, client, registry } = build()
  const bytes = 100 + 2 * 'user:1'.length + 128
  for (const at of [1, 2, 3]) await load(`user:${at}`, 'x'.repeat(100), 0, at * 10)
  t.equal(heldOf(ledger), 3 * bytes)
  clock.advance(10)
  t.equal(heldOf(ledger), 2 * bytes)
  await client.del('user:2')
  t.equal(heldOf(ledger), bytes)
  registry.events.emit('cleared')
  t.equal(heldOf(ledger), 0)
  await load('user:4', 'x'.repeat(100))
  t.equal(heldOf(ledger), bytes)
  registry.register(new NullCache())
  t.equal(heldOf(ledger), 0)
})

t.test('report: the bytes of a MemoryCache are divided among its patterns', async (t) => {
  const { ledger, load, registry } = build('memory')
  for (let at = 0; at < 50; at++) {
    await load(`big:${at}`, 'x'.repeat(1000))
    await load(`small:${at}`, 'x')
  }
  const [big, small] = ['big', 'small'].map((name) => ledger.numbers().find(({ keyPattern }) => keyPattern === name)!.heldBytes!) as [number, number]
  t.equal(Math.round(big + small), registry.active.status().memory!.bytes)
  t.ok(big > 5 * small)
})

t.test('report: the control arm and NullCache have no row', async (t) => {
  const registry = new CacheRegistry()
  const ledger = CostLedger.of(registry)
  await new CacheClient(registry).getOrSet('user:1', () => 1)
  t.same(ledger.report().rows, [])
})

t.test('report: a value whose toJSON throws fails no store, and is left out', async (t) => {
  const { ledger, client, registry } = build()
  registry.register(Object.assign(new NullCache(), { name: 'unchecked', passThrough: false }))
  const failures: unknown[] = []
  registry.events.on('listenerFailed', (event) => failures.push(event))
  t.match(await client.set('user:1', { toJSON () { throw new Error('bug') } }), { ok: true })
  t.match(ledger.numbers()[0], { stores: 1, storedBytes: undefined })
  t.same(failures, ['stored'])
})

t.test('report: the bytes of a rich value are those of its rich text, and no listener fails', async (t) => {
  const app = await buildApp(t, {}, { implementation: 'memory', serializer: 'rich' })
  const failures: unknown[] = []
  app.cache.registry.events.on('listenerFailed', (event) => failures.push(event))
  const value = { price: 12n, roles: new Set(['admin']) }
  for (let turn = 0; turn < 2; turn++) t.same(await app.cache.getOrSet('book:1', () => value), value)
  await app.cache.getOrSet('price:1', () => ({ at: new Date(0), price: 12n }))
  await settle()
  t.same(failures, [])
  const { length } = toRichText(value).text!
  t.match(CostLedger.of(app.cache.registry).numbers().find(({ keyPattern }) => keyPattern === 'book'), { impl: 'memory', storedBytes: length, savedBytes: length })
})

t.test('report: a value is measured by the serializer of the implementation in service, as rich text if it is the app\'s own', async (t) => {
  const value = { price: 12n, roles: new Set(['admin']) }
  const own: Serializer = { serialize: v8.serialize, deserialize: v8.deserialize }
  for (const serializer of ['rich', own]) {
    const { registry, ledger, client } = build()
    registry.register(Object.defineProperty(new MemoryCache({ serializer: 'rich' }), serializedBy, { value: serializer }))
    for (let turn = 0; turn < 2; turn++) await client.getOrSet('book:1', () => value)
    t.match(ledger.numbers().find(({ keyPattern }) => keyPattern === 'book'), { storedBytes: toRichText(value).text.length })
  }
})

t.test('GET /internal/cache/advice: has the ledger, as JSON and as Markdown', async (t) => {
  const app = await buildApp(t, {}, { implementation: 'memory' })
  for (let turn = 0; turn < 3; turn++) await app.cache.getOrSet('user:1', () => 1)
  const { ledger } = (await app.inject('/internal/cache/advice')).json()
  t.match(ledger.rows, [{ impl: 'memory', keyPattern: 'user', reads: 3, hits: 2, verdict: 'not enough data' }])
  const { body } = await app.inject({ url: '/internal/cache/advice', headers: { accept: 'text/markdown' } })
  t.match(body, /## Cost ledger\n/)
})

t.test('metrics: the sums of the ledger by implementation and key pattern', async (t) => {
  const clock = new FakeClock()
  const app = await buildApp(t, {}, { implementation: 'memory', clock })
  for (let turn = 0; turn < 3; turn++) {
    await app.cache.getOrSet('user:1', async () => {
      clock.advance(0.25)
      return 'x'.repeat(100)
    })
    await settle()
  }
  const { samples } = await scrape(app)
  const labels = 'impl="memory",key_pattern="user"'
  t.match(samples, {
    [`cache_saved_load_seconds_total{${labels}}`]: 0.5,
    [`cache_cost_seconds_total{${labels},part="read"}`]: 0,
    [`cache_cost_seconds_total{${labels},part="refresh"}`]: 0,
    [`cache_serialize_seconds_total{${labels}}`]: 0,
    [`cache_saved_bytes_total{${labels}}`]: 200,
    [`cache_stored_bytes_total{${labels}}`]: 100
  })
  t.ok(samples[`cache_held_bytes{${labels}}`]! > 100)
  t.notOk(Object.keys(samples).some((name) => name.startsWith('cache_saved') && name.includes('impl="null"')))
})

t.test('metrics: OpenTelemetry exports fractions of a second', async (t) => {
  const clock = new FakeClock()
  const app = await buildApp(t, { otel: true }, { implementation: 'memory', clock })
  for (let turn = 0; turn < 2; turn++) {
    await app.cache.getOrSet('user:1', async () => {
      clock.advance(0.25)
      return 1
    })
    await settle()
  }
  t.match((await app.inject('/metrics/otel')).body, /^cache_saved_load_seconds_total\{.*key_pattern="user".*\} 0\.25$/m)
})
