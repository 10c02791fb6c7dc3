import { MemoryCache, type Cache } from '@x/cache-core'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { responseKey, variantKey } from '../src/store/cache-key.js'
import { decode, encodeIndex } from '../src/store/stored-response.js'
import { ask, buildEdge, Time, type EdgeSetup } from './fixtures/edge-app.js'
import { isHit, page } from './fixtures/page.js'

const REAL = ['de', 'en', 'fr']
const KEY = responseKey({ scheme: 'http', host: 'localhost:80', url: '/a' })

async function languages (t: Test, setup: EdgeSetup = {}): Promise<{
  app: FastifyInstance; store: MemoryCache; time: Time; asked: (language: string) => Promise<boolean>
}> {
  const time = new Time(t)
  const store = new MemoryCache({ clock: time.clock })
  const { app } = await page(t, { time, core: { implementation: store }, cache: { vary: ['accept-language'], maxAge: 100 }, ...setup }, (request) => String(request.headers['accept-language']))
  return { app, store, time, asked: async (language) => isHit(await ask(app, '/a', { 'accept-language': language })) }
}

t.test('50 junk values of a vary header do not fill a URL: what is asked for again and again is stored', async (t) => {
  const { asked } = await languages(t)
  for (let junk = 0; junk < 50; junk++) await asked(`junk-${junk}`)
  for (const language of REAL) await asked(language)
  for (const language of REAL) await asked(language)
  for (const language of REAL) t.ok(await asked(language), language)
})

t.test('junk values that are asked once each do not push out what is asked for again and again', async (t) => {
  const { asked } = await languages(t)
  for (let times = 0; times < 3; times++) for (const language of REAL) await asked(language)
  for (let junk = 0; junk < 500; junk++) {
    await asked(`junk-${junk}`)
    if (junk % 20 === 0) for (const language of REAL) t.ok(await asked(language), `${language} behind ${junk} others`)
  }
})

t.test('one junk value that is asked once per lifetime does not keep the places of those that are over', async (t) => {
  const { asked, time, store } = await languages(t)
  // Each value is requested three times, so that no new value is requested more often.
  for (let junk = 0; junk < 50; junk++) for (let times = 0; times < 3; times++) await asked(`junk-${junk}`)
  for (let lifetimes = 0; lifetimes < 4; lifetimes++) {
    time.advance(110)
    await asked('junk-0')
  }
  const stored = await store.get<Uint8Array>(KEY)
  const index = decode(stored.ok ? stored.value : undefined)
  t.ok(index !== undefined && 'index' in index && index.index.variants.length === 1)
  for (const language of REAL) await asked(language)
  for (const language of REAL) t.ok(await asked(language), language)
})

t.test('places belong to nobody: a newcomer that is asked as often as one of them has its place', async (t) => {
  const { asked } = await languages(t, { edge: { maxVariants: 2 } })
  for (const junk of ['x', 'y']) for (let times = 0; times < 4; times++) await asked(junk)
  for (let times = 0; times < 4; times++) t.notOk(await asked('de'), `time ${times}`)
  t.ok(await asked('de'))
})

t.test('maxVariants: what gave way is removed from the store, so that no more than so many are held', async (t) => {
  const { asked, store } = await languages(t, { edge: { maxVariants: 4 } })
  for (let times = 1; times < 200; times++) {
    await asked(`l${Math.floor(times ** 2 / 7) % 11}`)
    t.ok(store.size <= 1 + 4, `${store.size} entries`)
  }
  const { store: held, asked: askedThere } = await languages(t, { edge: { maxVariants: 1 } })
  for (const language of ['a', 'b', 'c']) await askedThere(language)
  t.equal(held.size, 2)
})

t.test('an index of an earlier version is read: its representations are over together', async (t) => {
  const { asked, store } = await languages(t)
  await asked('de')
  const own = variantKey(KEY, JSON.stringify([['accept-language', 'de']]))
  await store.set(KEY, encodeIndex({ vary: ['accept-language'], variants: [own], until: Date.now() + 100_000 }), 100)
  t.ok(await asked('de'))
  await asked('en')
  for (const language of ['de', 'en']) t.ok(await asked(language))
})

t.test('store compromise: an index that names keys of others removes none of them', async (t) => {
  const { asked, store } = await languages(t, { edge: { maxVariants: 2 } })
  await store.set('user:1', 'theirs')
  const until = Date.now() + 100_000
  await store.set(KEY, encodeIndex({ vary: ['accept-language'], variants: ['user:1', 'edge:user', KEY], untils: [until, until, until], until }), 100)
  for (const language of REAL) await asked(language)
  t.same(await store.get('user:1'), { ok: true, value: 'theirs' })
  t.ok(await asked('fr'))
})

for (const [what, index] of Object.entries({
  'more places than there may be': { variants: Array.from({ length: 10_001 }, (_, at) => `${KEY}:${at}`) },
  'a key that is too long': { variants: ['x'.repeat(1025)] },
  'fewer ends than places': { untils: [] },
  'an end that is no number': { untils: ['1'] },
  'more names than a request has': { vary: Array.from({ length: 1001 }, (_, at) => `x-${at}`) }
})) {
  t.test(`store compromise: an index with ${what} is a miss that is counted as an error`, async (t) => {
    const { app, asked, store } = await languages(t)
    await store.set(KEY, encodeIndex({ vary: ['accept-language'], variants: [`${KEY}:x`], until: Date.now() + 100_000, ...index as object }), 100)
    await asked('de')
    t.ok(app.cache.registry.active.stats.totals().errors > 0)
    t.ok(await asked('de'))
  })
}

t.test('a cache without delMany gives the place of one representation to another', async (t) => {
  const store = new MemoryCache()
  const own: Cache = { name: 'own', get: (key) => store.get(key), getEntry: (key) => store.getEntry(key), set: (key, value, ttl) => store.set(key, value, ttl), del: (key) => store.del(key), tags: store.tags, clear: () => store.clear(), health: () => store.health(), close: () => store.close() }
  const app = await buildEdge(t, { core: { implementation: own }, edge: { maxVariants: 1 } })
  app.get('/a', { config: { cache: { store: true, vary: ['accept-language'] } } }, async (request) => String(request.headers['accept-language']))
  for (const language of ['a', 'b', 'c']) await ask(app, '/a', { 'accept-language': language })
  t.equal(store.size, 2)
  t.equal(app.cache.registry.active.stats.totals().errors, 0)
})

t.test('key patterns of junk do not take the label of stored responses', async (t) => {
  const app = await buildEdge(t, { core: { maxKeyPatterns: 2 } })
  for (let junk = 0; junk < 5; junk++) await app.cache.get(`junk${junk}:1`)
  app.get('/a', { config: { cache: { store: true } } }, async () => 'x')
  for (let times = 0; times < 2; times++) await ask(app, '/a')
  t.match([...app.cache.registry.active.stats.counters].find(([pattern]) => pattern === 'edge'), ['edge', { hits: 1 }])
})
