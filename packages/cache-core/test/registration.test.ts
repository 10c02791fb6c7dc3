import { CacheRegistry, MemoryCache, type Cache, type Result } from '@x/cache-core'
import { causeOf, ok, STORED_NULL, unavailable } from '@x/cache-core/implementing'
import t from 'tap'
import { Deadlines } from '../src/lib/deadlines.js'
import { Registration } from '../src/service/registration.js'
import { deferred, settle, stateOf } from '@x/test-kit/deferred'
import { fakeTimers } from '@x/test-kit/fake-timers'
import { ForeignCache, ThreeMethodCache } from '@x/test-kit/foreign-caches'

function register (impl: Cache): Registration {
  const limits = { reads: new Deadlines(80), writes: new Deadlines(160) }
  const registry = new CacheRegistry()
  return new Registration(impl, 'Foreign', registry.stats.for('foreign'), limits, registry.patterns)
}

const calls: Record<string, (registration: Registration) => Promise<Result<any>>> = {
  get: (registration) => registration.get('k'),
  getEntry: (registration) => registration.getEntry('k'),
  getMany: (registration) => registration.getMany(['k']),
  set: (registration) => registration.set('k', 1, { ttl: 1 }),
  setMany: (registration) => registration.setMany([{ key: 'k', value: 1 }]),
  del: (registration) => registration.del('k'),
  delMany: (registration) => registration.delMany(['k']),
  capture: (registration) => registration.capture(['t']),
  invalidate: (registration) => registration.invalidate(['t'], false),
  lock: (registration) => registration.lock('k', { ttl: 1 }),
  clear: (registration) => registration.clear(),
  health: (registration) => registration.health()
}
const writes = ['set', 'setMany', 'del', 'delMany', 'invalidate', 'clear']

for (const [member, call] of Object.entries(calls)) {
  t.test(`${member}: a throw, a rejection, and an answer that is no Result, become a coded error`, async (t) => {
    fakeTimers(t)
    for (const fault of ['throws', 'rejects', 'is no Result'] as const) {
      const impl = new ForeignCache()
      impl.faults.set(member, fault)
      const result = await call(register(impl))
      t.match(result, { ok: false, error: { code: 'CACHE_ERR_IMPLEMENTATION' } }, fault)
      if (fault !== 'is no Result') t.match(causeOf((result as any).error), { message: `${member} ${fault === 'throws' ? 'threw' : 'rejected'}` })
    }
  })

  t.test(`${member}: a hang becomes a coded error in time`, async (t) => {
    const { tick } = fakeTimers(t)
    const impl = new ForeignCache()
    impl.faults.set(member, 'hangs')
    const limit = writes.includes(member) ? 160 : 80
    const result = call(register(impl))
    await tick(limit)
    t.equal(await stateOf(result), 'pending')
    await tick(limit / 8)
    t.match(await result, { ok: false, error: { code: 'CACHE_ERR_TIMEOUT' } })
  })

  if (['get', 'set', 'del'].includes(member)) continue
  t.test(`${member}: is unsupported where the implementation lacks it`, async (t) => {
    t.match(await call(register(new ThreeMethodCache())), { ok: false, error: { code: 'CACHE_ERR_UNSUPPORTED' } })
  })
}

const noResults: [unknown, string][] = [
  [undefined, 'no Result'], [null, 'no Result'], ['OK', 'no Result'], [{}, 'no Result'], [[], 'no Result'], [{ ok: 'yes' }, 'no Result'],
  [{ ok: false }, 'failed'], [{ ok: false, error: 'text' }, 'failed'], [{ ok: false, error: new Error('own') }, 'failed'],
  [{ ok: false, error: Object.assign(new Error('own'), { code: 'ECONNREFUSED' }) }, 'failed']
]
t.test('get: any answer but a Result is an error, a foreign error its cause', async (t) => {
  fakeTimers(t)
  for (const [answer, how] of noResults) {
    const impl = Object.assign(new ThreeMethodCache(), { get: async () => answer as never })
    const result: any = await register(impl).get('k')
    t.equal(result.error.code, 'CACHE_ERR_IMPLEMENTATION', JSON.stringify(answer))
    t.match(result.error.message, how)
    if (how === 'failed') t.equal(causeOf(result.error), (answer as { error?: unknown }).error)
  }
})

t.test('get: a coded error is handed on as it is', async (t) => {
  fakeTimers(t)
  const error = unavailable('get')
  const result: any = await register(Object.assign(new ThreeMethodCache(), { get: async () => ({ ok: false, error }) as never })).get('k')
  t.equal(result.error, error)
})

t.test('get: an answer without a promise around it is taken', async (t) => {
  fakeTimers(t)
  const impl = { get: () => ok('value'), set: () => ok(), del: () => ({ ok: true }) } as unknown as Cache
  t.same(await register(impl).get('k'), ok('value'))
  t.match(await register(impl).del('k'), { ok: true, value: undefined })
})

t.test('get: null is told from a miss, also in an implementation that cannot', async (t) => {
  fakeTimers(t)
  const impl = Object.assign(new ThreeMethodCache(), {
    getMany: async (keys: string[]) => ok(keys.map((key) => impl.values.get(key) as never)),
    setMany: async (items: { key: string; value: unknown }[]) => {
      for (const { key, value } of items) impl.values.set(key, value)
      return ok()
    }
  })
  const registration = register(impl)
  await registration.set('a', null, { ttl: 1 })
  await registration.setMany([{ key: 'b', value: null }, { key: 'c', value: 1 }])
  for (const key of ['a', 'b']) {
    t.equal(await registration.get(key), STORED_NULL, key)
    t.match(await registration.lookup(key, {}), { ok: true, value: { value: null, fresh: true } })
  }
  t.not(await registration.get('d'), STORED_NULL)
  t.same(await registration.lookup('d', {}), ok(null))
  t.same(await registration.getMany(['a', 'b', 'c', 'd']), ok([null, null, 1, null]), 'and its stand-in is seen by nobody')
})

t.test('get: null goes as it is to an implementation that tells', async (t) => {
  fakeTimers(t)
  const impl = new ForeignCache()
  await register(impl).set('a', null, { ttl: 1 })
  t.equal(await impl.memory.get('a'), STORED_NULL)
})

t.test('getMany: an answer of another length is an error', async (t) => {
  fakeTimers(t)
  for (const value of [[], [1, 2], 'x', null, undefined]) {
    const impl = Object.assign(new ThreeMethodCache(), { getMany: async () => ok(value) as never })
    t.match(await register(impl).getMany(['k']), { ok: false, error: { code: 'CACHE_ERR_IMPLEMENTATION' } })
  }
})

t.test('set: an implementation gets a plain ttl where nothing else is asked for', async (t) => {
  fakeTimers(t)
  const impl = new ThreeMethodCache()
  const registration = register(impl)
  await registration.set('a', 1, { ttl: 7 })
  await registration.set('a', 1, { ttl: 7, staleIfError: 1 })
  t.same(impl.ttls, [7, { ttl: 7, staleIfError: 1 }])
})

t.test('set, setMany: a tagged entry is refused by an implementation without tags', async (t) => {
  fakeTimers(t)
  const impl = Object.assign(new ThreeMethodCache(), { setMany: async () => ok() })
  const registration = register(impl)
  t.match(await registration.set('a', 1, { ttl: 1, tags: ['t'] }), { ok: false, error: { code: 'CACHE_ERR_UNSUPPORTED' } })
  t.match(await registration.setMany([{ key: 'a', value: 1, options: { tags: ['t'] } }]), { ok: false, error: { code: 'CACHE_ERR_UNSUPPORTED' } })
  t.equal(impl.values.size, 0)
  t.ok((await registration.set('a', 1, { ttl: 1, tags: [] })).ok)
})

t.test('lock: may take as long as it was told to wait, and then is bounded like any read', async (t) => {
  const { tick } = fakeTimers(t)
  const impl = new ForeignCache()
  impl.faults.set('lock', 'hangs')
  const result = register(impl).lock('k', { ttl: 1, waitMs: 8000 })
  await tick(8079)
  t.equal(await stateOf(result), 'pending')
  await tick(1100)
  t.match(await result, { ok: false, error: { code: 'CACHE_ERR_TIMEOUT' } })
})

t.test('lock: its release and extend are behind the boundary, too', async (t) => {
  const { tick } = fakeTimers(t)
  const faulty = { token: 7, release: () => { throw new Error('gone') }, extend: () => new Promise(() => {}) }
  const registration = register(Object.assign(new ThreeMethodCache(), { lock: async () => ok(faulty as never) }))
  const lock = (await registration.lock('k', { ttl: 1 }) as any).value
  t.equal(lock.token, 7)
  t.match(await lock.release('stored'), { ok: false, error: { code: 'CACHE_ERR_IMPLEMENTATION' } })
  const extending = lock.extend(1)
  await tick(180)
  t.match(await extending, { ok: false, error: { code: 'CACHE_ERR_TIMEOUT' } })
})

t.test('lock: null and no value at all are both no lock', async (t) => {
  fakeTimers(t)
  for (const answer of [{ ok: true, value: null }, { ok: true }]) {
    t.same(await register(Object.assign(new ThreeMethodCache(), { lock: async () => answer as never })).lock('k', { ttl: 1 }), ok(null))
  }
})

t.test('status: is what the implementation tells; one that throws tells nothing, and is counted', async (t) => {
  t.same(register(new ThreeMethodCache()).status(), {})
  t.same(register(Object.assign(new ThreeMethodCache(), { status: () => ({ degraded: true }) })).status(), { degraded: true })
  const faulty = register(Object.assign(new ThreeMethodCache(), { status: () => { throw new Error('bug') } }))
  t.same(faulty.status(), {})
  t.equal(faulty.stats.errors.get('implementation'), 1)
})

t.test('drain: resolves when the calls under way have ended, a hung one among them', async (t) => {
  const { tick } = fakeTimers(t)
  const impl = new ForeignCache()
  const registration = register(impl)
  await registration.drain()
  impl.held.add('get')
  impl.faults.set('set', 'hangs')
  void registration.get('k')
  void registration.set('k', 1, { ttl: 1 })
  const drained = registration.drain()
  await impl.release('get')
  await settle()
  t.equal(await stateOf(drained), 'pending')
  await tick(180)
  await drained
})

t.test('forget: reads are misses and stores are dropped until the clear is acknowledged', async (t) => {
  fakeTimers(t)
  const impl = new ForeignCache()
  const registration = register(impl)
  await impl.memory.set('k', 'stale')
  impl.held.add('clear')
  registration.forget()
  await settle()
  t.same(await registration.get('k'), ok(null))
  t.same(await registration.lookup('k', {}), ok(null))
  t.same(await registration.getMany(['k', 'l']), ok([null, null]))
  t.ok((await registration.set('k', 'new', { ttl: 1 })).ok)
  t.ok((await registration.setMany([{ key: 'k', value: 'new' }])).ok)
  t.same(impl.calls, ['clear'])
  t.ok((await registration.del('k')).ok)
  t.ok((await registration.invalidate(['t'], false)).ok)
  t.same(impl.calls, ['clear', 'del k', 'invalidate t'], 'removals go through')
  await impl.release('clear')
  await settle()
  await registration.set('k', 'new', { ttl: 1 })
  t.same(await registration.get('k'), ok('new'))
})

t.test('forget: a clear that failed is tried again by the next read, one at a time', async (t) => {
  fakeTimers(t)
  const impl = new ForeignCache()
  const registration = register(impl)
  await impl.memory.set('k', 'stale')
  impl.faults.set('clear', 'rejects')
  registration.forget()
  await settle()
  t.equal(registration.stats.errors.get('implementation'), 1)
  impl.faults.clear()
  impl.held.add('clear')
  t.same(await registration.get('k'), ok(null))
  t.same(await registration.get('k'), ok(null))
  await settle()
  t.same(impl.calls, ['clear', 'clear'])
  await impl.release('clear')
  await settle()
  await registration.get('k')
  t.same(impl.calls, ['clear', 'clear', 'get k'])
})

t.test('forget: waits for the calls of its last time in service, one of which may store', async (t) => {
  fakeTimers(t)
  const impl = new ForeignCache()
  const last = deferred()
  register(impl).forget(last.promise)
  await settle()
  t.same(impl.calls, [])
  last.resolve()
  await settle()
  t.same(impl.calls, ['clear'])
})

t.test('forget: a cache in this process is cleared at once', async (t) => {
  const impl = new MemoryCache()
  await impl.set('k', 'stale')
  const registration = register(impl)
  registration.forget(new Promise(() => {}))
  t.same(await registration.get('k'), ok(null))
  await registration.set('k', 'new', { ttl: 1 })
  t.same(await registration.get('k'), ok('new'))
})
