import t, { type Test } from 'tap'
import { deferred, settle } from '@x/test-kit/deferred'
import type { FakeClock } from '@x/test-kit/fake-clock'
import { ForeignCache } from '@x/test-kit/foreign-caches'
import { countsOf, makeClient } from '@x/test-kit/make-client'

const KEY = 'user:1'
const down = new Error('the source is down')

/** Makes a client whose key was loaded at the time 0 with these options; `read` calls `getOrSet` again. */
async function stored (options: object, isForeign = false) {
  const made = isForeign ? makeClient<any>((clock) => new ForeignCache({ clock })) : makeClient<any>()
  const { client } = made
  await client.getOrSet(KEY, () => 'old', options)
  await settle()
  const loads: string[] = []
  const read = (loader: () => unknown, own: object = options) =>
    client.getOrSet<unknown>(KEY, () => { loads.push(String(made.clock.now() / 1000)); return loader() }, own)
  return { ...made, read, loads }
}

function fail (): never { throw down }

for (const isForeign of [false, true]) {
  const kind = isForeign ? 'foreign' : 'memory'
  t.test(`getOrSet: staleWhileRevalidate serves the stale value at once while one load refreshes it (${kind})`, async (t) => {
    const { clock, read, loads, registry } = await stored({ ttl: 10, staleWhileRevalidate: 5 }, isForeign)
    clock.advance(10)
    const fresh = deferred<string>()
    t.same(await Promise.all([1, 2, 3].map(() => read(() => fresh.promise))), ['old', 'old', 'old'])
    await settle()
    t.equal(loads.length, 1)
    fresh.resolve('new')
    await settle()
    t.equal(await read(t.fail), 'new')
    t.match(countsOf(registry, registry.active.stats.label), { hits: 4, misses: 1, sets: 2 })
  })

  t.test(`getOrSet: staleWhileRevalidate is over at its exact end (${kind})`, async (t) => {
    const { clock, read } = await stored({ ttl: 10, staleWhileRevalidate: 5 }, isForeign)
    clock.advance(9.999)
    t.equal(await read(t.fail), 'old', 'fresh to the end of the ttl')
    clock.advance(5)
    t.equal(await read(fail), 'old', 'stale to the end of the window')
    await settle()
    clock.advance(0.001)
    t.equal(await read(() => 'new'), 'new')
  })

  t.test(`getOrSet: staleIfError serves the stale value when loading fails, to its exact end (${kind})`, async (t) => {
    const { clock, read } = await stored({ ttl: 10, staleIfError: 5, retryAfterMs: 0 }, isForeign)
    clock.advance(10)
    t.equal(await read(fail), 'old')
    clock.advance(4.999)
    t.equal(await read(fail), 'old')
    clock.advance(0.001)
    await t.rejects(read(fail), down)
  })

  t.test(`getOrSet: staleIfError waits for the load and prefers what it loads (${kind})`, async (t) => {
    const { clock, read } = await stored({ ttl: 10, staleIfError: 5 }, isForeign)
    clock.advance(11)
    t.equal(await read(() => 'new'), 'new')
  })

  t.test(`getOrSet: no failed refresh ever prolongs the stale end (${kind})`, async (t) => {
    const { clock, read } = await stored({ ttl: 10, staleWhileRevalidate: 20, staleIfError: 20, retryAfterMs: 500 }, isForeign)
    for (let second = 10; second < 30; second++) {
      clock.advance(second === 10 ? 10 : 1)
      t.equal(await read(fail), 'old', `after ${second} s`)
      await settle()
    }
    clock.advance(1)
    await t.rejects(read(fail), down)
  })

  t.test(`getOrSet: a window shorter than the ttl does not end the entry early (${kind})`, async (t) => {
    const { clock, read } = await stored({ ttl: 100, staleWhileRevalidate: 1, staleIfError: 2 }, isForeign)
    for (const second of [1, 3, 50, 99.9]) {
      clock.advance(second - clock.now() / 1000)
      t.equal(await read(t.fail), 'old', `after ${second} s`)
    }
  })

  t.test(`getOrSet: the two windows are counted from the same instant (${kind})`, async (t) => {
    const { clock, read, loads } = await stored({ ttl: 10, staleWhileRevalidate: 5, staleIfError: 8, retryAfterMs: 0 }, isForeign)
    clock.advance(14)
    t.equal(await read(fail), 'old', 'while revalidating')
    await settle()
    clock.advance(3.9)
    t.equal(await read(fail), 'old', 'if error')
    clock.advance(0.1)
    await t.rejects(read(fail), down)
    t.equal(loads.length, 3)
  })

  t.test(`getOrSet: each caller is served within its own windows only (${kind})`, async (t) => {
    const { clock, read } = await stored({ ttl: 10, staleWhileRevalidate: 100, staleIfError: 100 }, isForeign)
    clock.advance(15)
    await t.rejects(read(fail, { ttl: 10, staleIfError: 5 - 0.001 }), down)
    await t.rejects(read(fail, { ttl: 10 }), down)
    t.equal(await read(fail, { ttl: 10, staleIfError: 5 }), 'old')
  })

  t.test(`getOrSet: the backoff is counted from the failure, not from the old expiry (${kind})`, async (t) => {
    const { clock, read, loads } = await stored({ ttl: 10, staleIfError: 600, retryAfterMs: 2000 }, isForeign)
    clock.advance(100)
    const slow = deferred<string>()
    const call = read(() => slow.promise)
    await settle()
    clock.advance(3)
    slow.reject(down)
    t.equal(await call, 'old')
    clock.advance(1.999)
    t.equal(await read(t.fail), 'old', 'no new load before')
    clock.advance(0.001)
    t.equal(await read(fail), 'old')
    t.same(loads, ['100', '105'])
  })

  t.test(`getOrSet: hard invalidation is the end of stale values, too (${kind})`, async (t) => {
    const options = { ttl: 10, staleWhileRevalidate: 600, staleIfError: 600, tags: ['users'] }
    for (const remove of ['invalidate', 'del', 'clear'] as const) {
      const { client, clock, read } = await stored(options, isForeign)
      clock.advance(11)
      await (remove === 'invalidate' ? client.tags.invalidate('users') : remove === 'del' ? client.del(KEY) : client.clear())
      await t.rejects(read(fail), down, remove)
    }
  })

  t.test(`getOrSet: a value invalidated by someone else while a failing load runs is not served (${kind})`, async (t) => {
    const { impl, clock, read } = await stored({ ttl: 10, staleIfError: 600, tags: ['users'] }, isForeign)
    clock.advance(11)
    const slow = deferred<string>()
    const call = read(() => slow.promise)
    await settle()
    // The call bypasses the registry, like an invalidation by another process.
    await impl.tags.invalidate('users')
    slow.reject(down)
    await t.rejects(call, down)
  })

  t.test(`getOrSet: a value whose stale end passes while a failing load runs is not served (${kind})`, async (t) => {
    const { clock, read } = await stored({ ttl: 10, staleIfError: 5 }, isForeign)
    clock.advance(14)
    const slow = deferred<string>()
    const call = read(() => slow.promise)
    await settle()
    clock.advance(1)
    slow.reject(down)
    await t.rejects(call, down)
  })

  t.test(`getOrSet: soft invalidation leaves the value as stale, to its stale end (${kind})`, async (t) => {
    const { client, clock, read } = await stored({ ttl: 10, staleWhileRevalidate: 5, staleIfError: 5, tags: ['users'], retryAfterMs: 0 }, isForeign)
    clock.advance(1)
    t.ok((await client.tags.invalidate('users', { soft: true })).ok)
    t.equal(await read(fail), 'old', 'served while it is refreshed')
    await settle()
    clock.advance(13.999)
    t.equal(await read(fail), 'old')
    await settle()
    clock.advance(0.001)
    await t.rejects(read(fail), down)
  })

  t.test(`getOrSet: soft invalidation is a miss for callers without a window (${kind})`, async (t) => {
    const { client, read } = await stored({ ttl: 10, tags: ['users'] }, isForeign)
    await client.tags.invalidate('users', { soft: true })
    t.equal(await read(() => 'new'), 'new')
    await settle()
    t.equal(await read(t.fail), 'new')
  })
}

t.test('getOrSet: with nothing stale to serve, a failed load does not put off the next one', async (t) => {
  const { client } = makeClient()
  const options = { staleIfError: 60, retryAfterMs: 60_000 }
  await t.rejects(client.getOrSet(KEY, fail, options), down)
  t.equal(await client.getOrSet(KEY, () => 'new', options), 'new')
})

t.test('getOrSet: a failed refresh in the background rejects nobody, and is announced', async (t) => {
  const { clock, read, registry, loads } = await stored({ ttl: 10, staleWhileRevalidate: 60 })
  const announced: unknown[] = []
  registry.events.on('loaded', (_key, _pattern, _seconds, _value, error, background) => announced.push([error, background]))
  clock.advance(11)
  t.equal(await read(fail), 'old')
  await settle()
  t.same(announced, [[down, true]])
  t.equal(registry.stats.loadsOf('user').failures, 1)
  t.equal(await read(fail), 'old', 'and no new one starts for a second')
  clock.advance(0.999)
  await read(fail)
  t.equal(loads.length, 1)
  clock.advance(0.001)
  await read(fail)
  t.equal(loads.length, 2)
})

t.test('getOrSet: a load that succeeds ends the backoff', async (t) => {
  const { clock, read, client, loads } = await stored({ ttl: 10, staleIfError: 60, retryAfterMs: 60_000, tags: ['users'] })
  clock.advance(11)
  t.equal(await read(fail), 'old')
  await client.tags.invalidate('users')
  t.equal(await read(() => 'new'), 'new')
  clock.advance(10)
  t.equal(await read(() => 'newer'), 'newer')
  t.equal(loads.length, 3)
})

t.test('getOrSet: joins the refresh in the background once the stale end has passed', async (t) => {
  const { clock, read } = await stored({ ttl: 10, staleWhileRevalidate: 5 })
  clock.advance(14)
  const fresh = deferred<string>()
  t.equal(await read(() => fresh.promise), 'old')
  clock.advance(1)
  const call = read(() => t.fail('loaded twice'))
  await settle()
  fresh.resolve('new')
  t.equal(await call, 'new')
})

t.test('getOrSet: of those who wait for a load that fails, each gets the stale value only if it takes one', async (t) => {
  const { clock, read } = await stored({ ttl: 10, staleWhileRevalidate: 60, staleIfError: 60 })
  clock.advance(11)
  const slow = deferred<string>()
  t.equal(await read(() => slow.promise), 'old')
  const calls = [{ staleIfError: 60 }, { staleIfError: 0.5 }, {}].map((own) => read(() => t.fail('loaded twice'), { ttl: 10, ...own }))
  await settle()
  slow.reject(down)
  const [content, ...strict] = await Promise.allSettled(calls)
  t.match(content, { value: 'old' })
  for (const outcome of strict) t.equal((outcome as PromiseRejectedResult).reason, down)
  clock.advance(0.9)
  t.equal(await read(() => t.fail('no backoff'), { ttl: 10, staleIfError: 60 }), 'old')
})

t.test('getOrSet: a stale null is served like any value', async (t) => {
  const { client, clock } = makeClient()
  const options = { ttl: 10, staleIfError: 60 }
  await client.getOrSet<unknown>(KEY, () => null, options)
  clock.advance(11)
  t.equal(await client.getOrSet<unknown>(KEY, fail, options), null)
})

t.test('getOrSet: in a cache without getEntry nothing stale is served, and nothing breaks', async (t) => {
  const values = new Map<string, unknown>()
  const { client } = makeClient<any>(() => ({
    get: async (key: string) => ({ ok: true, value: values.get(key) ?? null }),
    set: async (key: string, value: unknown) => { values.set(key, value); return { ok: true } },
    del: async () => ({ ok: true })
  }))
  const options = { ttl: 10, staleWhileRevalidate: 60, staleIfError: 60, earlyRefresh: 1 }
  t.equal(await client.getOrSet(KEY, () => 'old', options), 'old')
  await settle()
  t.equal(await client.getOrSet(KEY, fail, options), 'old')
  values.clear()
  await t.rejects(client.getOrSet(KEY, fail, options), down)
})

function stubRandom (t: Test, random: number): void {
  const { random: original } = Math
  Math.random = () => random
  t.teardown(() => { Math.random = original })
}

t.test('getOrSet: earlyRefresh refreshes before the ttl ends, the earlier the slower the load', async (t) => {
  // With this random number `-log(1 - random)` is 1, so a refresh is due if `ttlLeft` is at most load time × beta.
  stubRandom(t, 1 - Math.exp(-1))
  for (const [loadSeconds, beta, due] of [[2, 1, 8], [2, 2, 6], [0.5, 1, 9.5]] as const) {
    const { clock, registry, read, loads } = await stored({ ttl: 10, earlyRefresh: beta })
    registry.stats.loadsOf('user').recent = loadSeconds
    clock.advance(due - 0.01)
    t.equal(await read(() => 'new'), 'old')
    t.equal(loads.length, 0, 'not yet')
    clock.advance(0.011)
    t.equal(await read(() => 'new'), 'old', 'the caller does not wait')
    await settle()
    t.equal(loads.length, 1)
    t.equal(await read(t.fail), 'new')
  }
})

t.test('getOrSet: earlyRefresh that fails leaves the value, and backs off', async (t) => {
  stubRandom(t, 1 - Math.exp(-1))
  const { clock, registry, read, loads } = await stored({ ttl: 10, earlyRefresh: 1 })
  registry.stats.loadsOf('user').recent = 5
  clock.advance(9)
  t.equal(await read(fail), 'old')
  await settle()
  t.equal(await read(fail), 'old')
  t.equal(loads.length, 1)
})

t.test('getOrSet: earlyRefresh is off unless asked for', async (t) => {
  stubRandom(t, 1 - 1e-300)
  const { clock, registry, read } = await stored({ ttl: 10, staleIfError: 1 })
  registry.stats.loadsOf('user').recent = 1e6
  clock.advance(9.99)
  t.equal(await read(t.fail), 'old')
})

for (const [kind, implementation] of Object.entries({ memory: undefined, foreign: (clock: FakeClock) => new ForeignCache({ clock }) })) {
  for (const cause of ['the ttl has passed', 'a soft invalidation', 'earlyRefresh']) {
    t.test(`getOrSet: a refresh that ends during the read of a call is not followed by another one (${kind}, ${cause})`, async (t) => {
      stubRandom(t, 1 - Math.exp(-1))
      // The read and the refresh each need some turns of microtasks. The number of turns of the loader decides which one ends first.
      for (let turns = 0; turns < 10; turns++) {
        const { client, clock, registry } = makeClient<any>(implementation)
        const options = { ttl: 10, staleWhileRevalidate: 60, tags: ['users'], earlyRefresh: cause === 'earlyRefresh' ? 1 : undefined }
        let loads = 0
        const load = async (): Promise<number> => {
          const own = ++loads
          for (let turn = 0; turn < turns; turn++) await Promise.resolve()
          return own
        }
        await client.getOrSet(KEY, load, options)
        await settle()
        if (cause === 'a soft invalidation') await client.tags.invalidate('users', { soft: true })
        else clock.advance(cause === 'earlyRefresh' ? 9 : 12)
        registry.stats.loadsOf('user').recent = 5
        const values = new Set<number>()
        for (let call = 0; call < 30; call++) values.add(await client.getOrSet<number>(KEY, load, options))
        await settle()
        t.same([loads, [...values]], [2, [1, 2]], `${turns} turns`)
      }
    })
  }
}
