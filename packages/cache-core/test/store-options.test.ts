import type { GetOrSetOptions } from '@x/cache-core'
import { causeOf, MAX_TTL } from '@x/cache-core/implementing'
import t from 'tap'
import { Flight } from '../src/loading/single-flight.js'
import { checkTagOptions, knownTags, storeOptions } from '../src/loading/store-options.js'

function of (options: GetOrSetOptions<any>, value: unknown = 1, flight?: Flight, snapshot?: object): any {
  const own = flight ?? new Flight('key', knownTags(options), { hasLateTags: typeof options.tags === 'function' })
  return storeOptions(options, own, value, snapshot, (ttl) => Math.min(ttl ?? 60, MAX_TTL))
}

t.test('knownTags: those that are named, covering ones among them', async (t) => {
  t.same(knownTags({}), [])
  t.same(knownTags({ tags: ['a'] }), ['a'])
  t.same(knownTags({ tags: ['a'], coveringTags: ['b'] }), ['a', 'b'])
  t.same(knownTags({ tags: () => ['a'], coveringTags: ['b'] }), ['b'])
  t.same(knownTags({ tags: 'a' as never, coveringTags: 7 as never }), [])
})

t.test('checkTagOptions: a tags function needs covering tags, a list is checked', async (t) => {
  for (const options of [{}, { tags: [] }, { tags: ['a'] }, { coveringTags: ['a'] }, { tags: () => ['a'], coveringTags: ['b'] }]) {
    t.equal(checkTagOptions(options), undefined)
  }
  const wrong = [{ tags: () => ['a'] }, { tags: () => ['a'], coveringTags: [] }, { tags: 'a' }, { tags: null }, { coveringTags: 'a' }, { tags: ['a'], coveringTags: [''] }]
  for (const options of wrong) t.equal(checkTagOptions(options as never)?.code, 'CACHE_ERR_TAG_INVALID', JSON.stringify(options))
})

t.test('storeOptions: carries lifetimes, tags and snapshot, and nothing that was not asked for', async (t) => {
  const snapshot = {}
  t.same(of({}), { ttl: 60, staleWhileRevalidate: undefined, staleIfError: undefined })
  const full = of({ ttl: 5, staleWhileRevalidate: 6, staleIfError: 7, tags: ['a'] }, 1, undefined, snapshot)
  t.same(full, { ttl: 5, staleWhileRevalidate: 6, staleIfError: 7, tags: ['a'], snapshot })
  t.equal(full.snapshot, snapshot)
})

t.test('storeOptions: the ttl may be a function of the value, and has its bound', async (t) => {
  t.equal(of({ ttl: (value: number) => value * 2 }, 4).ttl, 8)
  t.equal(of({ ttl: Infinity }).ttl, MAX_TTL)
  t.equal(of({ ttl: (() => undefined) as never }).ttl, 60)
})

t.test('storeOptions: undefined for what is not to be stored', async (t) => {
  t.equal(of({ ttl: 0 }), undefined)
  t.equal(of({ ttl: () => 0 }), undefined)
  const flight = new Flight('key', ['c'], { hasLateTags: true })
  flight.invalidated!.add('late')
  t.equal(of({ tags: () => ['late'], coveringTags: ['c'] }, 1, flight), undefined)
  t.not(of({ tags: () => ['other'], coveringTags: ['c'] }, 1, flight), undefined)
})

t.test('storeOptions: an error, never a throw, for what cannot be stored', async (t) => {
  const bug = () => { throw new Error('bug') }
  for (const [options, code] of [
    [{ ttl: bug }, 'CACHE_ERR_TTL_INVALID'], [{ ttl: -1 }, 'CACHE_ERR_TTL_INVALID'], [{ ttl: NaN }, 'CACHE_ERR_TTL_INVALID'],
    [{ ttl: '1' }, 'CACHE_ERR_TTL_INVALID'], [{ jitter: NaN }, 'CACHE_ERR_TTL_INVALID'], [{ jitter: 'x' }, 'CACHE_ERR_TTL_INVALID'],
    [{ staleIfError: -1 }, 'CACHE_ERR_TTL_INVALID'], [{ softTimeoutMs: '200' }, 'CACHE_ERR_TTL_INVALID'], [{ softTimeoutMs: NaN }, 'CACHE_ERR_TTL_INVALID'],
    [{ tags: bug, coveringTags: ['c'] }, 'CACHE_ERR_TAG_INVALID'], [{ tags: () => 'a', coveringTags: ['c'] }, 'CACHE_ERR_TAG_INVALID']
  ] as const) {
    t.equal(of(options as never).code, code, JSON.stringify(options))
  }
  t.match(causeOf(of({ ttl: bug as never })), { message: 'bug' })
  const flight = new Flight('key', [])
  t.equal(storeOptions({}, flight, undefined, undefined, Number), undefined)
})

t.test('storeOptions: late tags join those that are known, each once', async (t) => {
  t.same(of({ tags: () => ['a', 'b', 'a', 'c'], coveringTags: ['c'] }).tags, ['c', 'a', 'b'])
})

t.test('storeOptions: jitter only shortens, by no more than its fraction', async (t) => {
  for (let round = 0; round < 1000; round++) {
    const { ttl } = of({ ttl: 100, jitter: 0.1 })
    if (!(ttl > 90 && ttl <= 100)) t.fail(String(ttl))
  }
})
