import { MemoryCache, type Cache } from '@x/cache-core'
import { err, unavailable } from '@x/cache-core/implementing'
import t, { type Test } from 'tap'
import { holds } from '@x/test-kit/servers'
import type { CacheEdgeOptions } from '../src/index.js'
import { buildEdge } from './fixtures/edge-app.js'
import { FakeVarnish } from './fixtures/fake-varnish.js'

const until = (what: string, condition: () => boolean): Promise<void> => holds(what, condition, 120_000)
const silent = { logger: { level: 'silent' } }
/** A time limit of a ban that no machine reaches, for claims that count the requests. */
const PATIENT = { timeoutMs: 60_000 }

/** Builds an app that sends bans to a proxy; by default each ban is sent once. */
async function build (t: Test, purge: Partial<NonNullable<CacheEdgeOptions['purge']>> = {}, implementation?: Cache) {
  const varnish = await FakeVarnish.start(t)
  const core = implementation === undefined ? {} : { implementation }
  const app = await buildEdge(t, { edge: { purge: { varnish: [varnish.url], againAfterMs: 0, ...purge } }, core, server: silent })
  await app.ready()
  return { app, varnish }
}

for (const url of ['http://varnish:port', 'http://[bad', 'https://', 'http://user:%zz-hunter2@host', 'http://user:hunter2@host:99999', 'ftp://user:hunter2@host', 'varnish:80', 'hunter2', '']) {
  t.test(`purge.varnish: ${JSON.stringify(url)} is refused as the plugin is registered, and no password is shown`, async (t) => {
    const registered = buildEdge(t, { edge: { purge: { varnish: ['http://127.0.0.1:8902', url] } } })
    const error: any = await registered.then(() => undefined, (error) => error)
    t.match(error, { code: 'CACHE_ERR_OPTION_INVALID', message: /purge\.varnish\.1/ })
    t.notMatch(`${error?.stack} ${JSON.stringify(error)} ${String(error?.cause)}`, 'hunter2')
  })
}

t.test('purge.varnish: user and password go as Basic, percent-decoded', async (t) => {
  const varnish = await FakeVarnish.start(t)
  const { app } = await build(t, { varnish: [varnish.url.replace('//', '//us%40er:p%3Aw@')] })
  await app.cache.tags.invalidate('a')
  await until('it was told', () => varnish.heads.length === 1)
  t.match(varnish.heads[0]!.toLowerCase(), `authorization: basic ${Buffer.from('us@er:p:w').toString('base64')}`.toLowerCase())
})

t.test('purge: one tag fifty times is one ban on its way, and one for all that came meanwhile', async (t) => {
  const { app, varnish } = await build(t, PATIENT)
  varnish.hold()
  await Promise.all(Array.from({ length: 50 }, () => app.cache.tags.invalidate('a')))
  await until('the first is there', () => varnish.requests.length === 1)
  varnish.release()
  await app.close()
  t.same(varnish.requests, ['a', 'a'])
})

t.test('purge: 5000 tags take one connection and few requests; each is said twice', async (t) => {
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => { warnings.push(warning) }
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const { app, varnish } = await build(t, { ...PATIENT, againAfterMs: 300 })
  const tags = Array.from({ length: 5000 }, (_none, at) => `item:${at}`)
  await Promise.all(tags.map((tag) => app.cache.tags.invalidate(tag)))
  await until('all were told twice', () => varnish.tags.length >= 10_000)
  for (const round of [varnish.tags.slice(0, 5000), varnish.tags.slice(5000)]) t.same(round.toSorted(), tags.toSorted())
  t.equal(varnish.connections, 1)
  t.ok(varnish.requests.length < 400, `${varnish.requests.length} requests`)
  t.same(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning'), [])
  t.equal(app.cacheEdge.purgeFailures, 0)
})

t.test('purge: what does not fit the queue is one ban of everything', async (t) => {
  const { app, varnish } = await build(t, PATIENT)
  varnish.hold()
  const invalidate = (from: number, to: number) => Promise.all(Array.from({ length: to - from }, (_none, at) => app.cache.tags.invalidate(`item:${from + at}`)))
  await invalidate(0, 10_001)
  await until('the first is there', () => varnish.requests.length === 1)
  await invalidate(10_001, 10_002)
  varnish.release()
  await until('all were told', () => varnish.tags.includes('item:10001') || varnish.tags.includes('*'))
  await app.close()
  t.same(varnish.requests, ['item:0', '*'])
  t.equal(app.cacheEdge.purgeFailures, 0)
})

t.test('purge: a tag is counted once for each proxy, though neither time succeeds', async (t) => {
  const [one, other] = [await FakeVarnish.start(t), await FakeVarnish.start(t)]
  one.status = other.status = 503
  const { app } = await build(t, { varnish: [one.url, other.url], attempts: 2, againAfterMs: 20 })
  await app.cache.tags.invalidate(['a', 'b', 'c'])
  await until('the second time is over', () => one.tags.length === 12 && other.tags.length === 12)
  await app.close()
  t.equal(app.cacheEdge.purgeFailures, 6)
})

t.test('purge: what was asked for is said when the app closes, and not again', async (t) => {
  const { app, varnish } = await build(t, { againAfterMs: 600_000 })
  varnish.hold()
  for (const tag of ['a', 'b', 'c']) await app.cache.tags.invalidate(tag)
  const closed = app.close()
  await until('the first is there', () => varnish.requests.length === 1)
  varnish.release()
  await closed
  t.same(varnish.tags, ['a', 'b', 'c'])
})

t.test('purge: a proxy that does not answer holds up the close for one attempt and the one that was on its way', async (t) => {
  const { app, varnish } = await build(t, { timeoutMs: 200, attempts: 20 })
  varnish.hold()
  await app.cache.tags.invalidate('first')
  for (let at = 0; at < 500; at++) await app.cache.tags.invalidate(`item:${at}`)
  await until('the first is there', () => varnish.requests.length === 1)
  await app.close()
  t.ok(varnish.requests.length <= 2, 'no request for each tag')
  t.equal(app.cacheEdge.purgeFailures, 501)
})

t.test('clear: everything is banned', async (t) => {
  const { app, varnish } = await build(t, { againAfterMs: 20 })
  t.match(await app.cache.clear(), { ok: true })
  await until('it was told twice', () => varnish.requests.length === 2)
  t.same(varnish.requests, ['*', '*'])
})

/** A cache whose store cannot be reached. */
class AwayCache extends MemoryCache {
  queued = true
  override readonly tags = { ...new MemoryCache().tags, invalidate: async () => this.#refuse() }
  override clear = async () => this.#refuse()
  #refuse () { return err(Object.assign(unavailable('test'), this.queued ? { queued: true } : {})) }
}

t.test('invalidate, clear: what waits for the store of the cache is told, what failed is not', async (t) => {
  const away = new AwayCache()
  const { app, varnish } = await build(t, {}, away)
  t.match(await app.cache.tags.invalidate('a'), { ok: false, error: { queued: true } })
  await until('the tag was told', () => varnish.requests.length === 1)
  t.match(await app.cache.clear(), { ok: false, error: { queued: true } })
  await until('the rest was told', () => varnish.requests.length === 2)
  away.queued = false
  await app.cache.tags.invalidate('b')
  await app.cache.clear()
  await app.close()
  t.same(varnish.requests, ['a', '*'])
})
