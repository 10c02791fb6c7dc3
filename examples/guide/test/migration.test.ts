import { cacheCore, MemoryCache, type FastifyCache } from '@x/cache-core'
import { deferred, settle, stateOf } from '@x/test-kit/deferred'
import { FakeTime } from '@x/test-kit/fake-time'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import * as dedupe from '../src/migration/async-cache-dedupe.js'
import * as bento from '../src/migration/bentocache.js'
import * as manager from '../src/migration/cache-manager.js'
import * as fromDedupe from '../src/migration/from-async-cache-dedupe.js'
import * as fromBento from '../src/migration/from-bentocache.js'
import * as fromManager from '../src/migration/from-cache-manager.js'
import * as fromCaching from '../src/migration/from-fastify-caching.js'

/**
 * The code is that of a reader who uses `@fastify/caching`. It is JavaScript, since that plugin declares another type of `fastify.cache`.
 */
const caching = await import(new URL('../src/migration/fastify-caching.js', import.meta.url).href) as typeof fromCaching

/** A database in which all users have one name. It records which users were loaded. */
class Users {
  readonly loads: string[] = []
  name = 'Ada'
  isDown = false
  /** A query ends after this promise. */
  query: Promise<void> | undefined

  readonly find = async (id: string): Promise<{ id: string; name: string }> => {
    this.loads.push(id)
    await this.query
    if (this.isDown) throw new Error('The database cannot be reached')
    return { id, name: this.name }
  }

  readonly findMany = async (ids: string[]): Promise<{ id: string; name: string }[]> => {
    this.loads.push(ids.join())
    return ids.map((id) => ({ id, name: this.name }))
  }

  readonly findTeam = async ({ team, limit }: { team: string; limit: number }): Promise<string[]> => {
    this.loads.push(team)
    return Array<string>(limit).fill(this.name)
  }
}

/** Replaces the time of the process until the test ends. Returns a function that advances it by seconds. */
function fakeTime (t: Test): (seconds: number) => Promise<void> {
  const { now } = Date
  const start = now()
  const time = new FakeTime(t)
  Date.now = () => start + time.clock.now()
  // The memory of BentoCache removes its entries by this clock.
  const monotonicStart = performance.now()
  performance.now = () => monotonicStart + time.clock.now()
  t.teardown(() => {
    // async-cache-dedupe remembers the time for a second, so the clock advances by more than that.
    time.advance(2000)
    Date.now = now
    Reflect.deleteProperty(performance, 'now')
  })
  return async (seconds) => {
    await settle()
    time.advance(seconds * 1000)
    await settle()
  }
}

/** Makes the cache of an app that uses the clock of the test. */
async function appCache (t: Test): Promise<FastifyCache> {
  const clock = { now: () => Date.now() }
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheCore, { clock, implementation: new MemoryCache({ clock }) })
  return app.cache
}

interface Calls { get (id: string): Promise<{ name: string } | null>; changed (id: string): Promise<unknown>; clear? (): Promise<unknown> }

/** Records the values and loads that a caller of a cache sees while the user changes, the ttl passes, and the database fails. */
async function story (calls: Calls, users: Users, advance: (seconds: number) => Promise<void>, isStale: boolean): Promise<unknown[]> {
  const seen: unknown[] = []
  const see = async (): Promise<void> => {
    seen.push(await calls.get('1').catch((error: Error) => error.message), users.loads.length)
    await settle()
  }
  await see()
  await see()
  await advance(1)
  users.name = 'Grace'
  await calls.changed('1')
  await advance(1)
  await see()
  await see()
  await advance(61)
  users.name = 'Edsger'
  await see()
  await advance(1)
  await see()
  if (isStale) {
    await advance(61)
    users.isDown = true
    await see()
    await advance(1)
    users.isDown = false
  }
  if (calls.clear === undefined) return seen
  users.name = 'Barbara'
  await calls.clear()
  await advance(1)
  await see()
  return seen
}

const calls = {
  BentoCache: {
    before: ({ find }: Users) => bento.makeUsers(find),
    after: (cache: FastifyCache, { find }: Users) => fromBento.makeUsers(cache, find),
    isStale: true
  },
  'cache-manager': {
    before: ({ find, findMany }: Users) => manager.makeUsers(find, findMany),
    after: (cache: FastifyCache, { find, findMany }: Users) => fromManager.makeUsers(cache, find, findMany),
    isStale: false
  },
  'async-cache-dedupe': {
    before: ({ find, findTeam }: Users) => dedupe.makeUsers(find, findTeam),
    after: (cache: FastifyCache, { find, findTeam }: Users) => fromDedupe.makeUsers(cache, find, findTeam),
    isStale: true
  }
}

/** Tells a story on both sides of a pair. Returns both results. */
async function onBoth<B, A> (
  t: Test, { before, after }: { before: (users: Users) => B; after: (cache: FastifyCache, users: Users) => A },
  tell: (calls: A | B, users: Users, advance: (seconds: number) => Promise<void>) => Promise<unknown>
): Promise<{ was: unknown; is: unknown }> {
  const cache = await appCache(t)
  const advance = fakeTime(t)
  const users = [new Users(), new Users()] as const
  return { was: await tell(before(users[0]), users[0], advance), is: await tell(after(cache, users[1]), users[1], advance) }
}

for (const [name, { isStale, ...pair }] of Object.entries(calls)) {
  t.test(`migration from ${name}: callers see the same values, after the same loads`, async (t) => {
    const { was, is } = await onBoth<unknown, unknown>(t, pair, (calls, users, advance) => story(calls as Calls, users, advance, isStale))
    t.ok((was as unknown[]).length > 11)
    t.same(is, was)
  })
}

t.test('migration from BentoCache: an entry is stale until the same second', async (t) => {
  const { was, is } = await onBoth(t, calls.BentoCache, async (calls, users, advance) => {
    const seen = []
    for (const seconds of [0, 299, 301]) {
      await advance(seconds)
      seen.push((await calls.get('1')).name)
      await settle()
      users.name += '!'
    }
    return [seen, users.loads.length]
  })
  t.same(was, [['Ada', 'Ada', 'Ada!!'], 3])
  t.same(is, was)
})

t.test('migration from BentoCache: a caller waits for a slow load as long, while there is an old value', async (t) => {
  const { was, is } = await onBoth(t, calls.BentoCache, async (calls, users, advance) => {
    const seen = [(await calls.getSoon('1')).name]
    users.name = 'Grace'
    await calls.outdated('1')
    await advance(1)
    seen.push((await calls.getSoon('1')).name)
    users.name = 'Edsger'
    await calls.outdated('1')
    await advance(1)
    const query = deferred()
    users.query = query.promise
    const slow = calls.getSoon('1')
    await advance(0.199)
    seen.push(await stateOf(slow))
    await advance(0.001)
    seen.push((await slow).name)
    query.resolve()
    await settle()
    return [...seen, (await calls.getSoon('1')).name, users.loads.length]
  })
  t.same(was, ['Ada', 'Grace', 'pending', 'Grace', 'Edsger', 3])
  t.same(is, was)
})

t.test('migration from BentoCache: an entry that is outdated by key is served once more, while it is loaded', async (t) => {
  const { was, is } = await onBoth(t, calls.BentoCache, async (calls, users, advance) => {
    const seen = [(await calls.get('1')).name]
    users.name = 'Grace'
    await calls.outdated('1')
    await advance(1)
    for (let times = 0; times < 2; times++) {
      seen.push((await calls.get('1')).name)
      await settle()
    }
    return [...seen, users.loads.length]
  })
  t.same(was, ['Ada', 'Ada', 'Grace', 2])
  t.same(is, was)
})

t.test('migration from cache-manager: several keys, and a value of another ttl, are read the same', async (t) => {
  const { was, is } = await onBoth(t, calls['cache-manager'], async (calls, _users, advance) => {
    await calls.put('7', { id: '7', name: 'Ada' })
    const fresh = (await calls.getMany(['7', '8'])).map((user) => user?.name)
    await advance(31)
    return [fresh, (await calls.getMany(['7'])).map((user) => user?.name)]
  })
  t.same(was, [['Ada', undefined], [undefined]])
  t.same(is, was)
})

t.test('migration from cache-manager: the missing ones of several keys are one load', async (t) => {
  const { was, is } = await onBoth(t, calls['cache-manager'], async (calls, users, advance) => {
    await calls.put('7', { id: '7', name: 'Barbara' })
    const found = [await calls.loadMany(['6', '7', '8']), await calls.loadMany(['6', '8'])]
    await advance(61)
    await calls.loadMany(['6'])
    return [found.map((each) => each.map((user) => user?.name)), users.loads.filter((ids) => ids !== '')]
  })
  t.same(was, [[['Ada', 'Barbara', 'Ada'], ['Ada', 'Ada']], ['6,8', '6']])
  t.same(is, was)
})

t.test('migration from async-cache-dedupe: an object as argument has one entry, whatever the order of its members', async (t) => {
  const { was, is } = await onBoth(t, calls['async-cache-dedupe'], async (calls, users) => {
    const found = [await calls.team({ team: 'red', limit: 2 }), await calls.team({ limit: 2, team: 'red' }), await calls.team({ team: 'red', limit: 1 })]
    await calls.teamChanged({ team: 'red', limit: 2 })
    users.name = 'Grace'
    return [...found, await calls.team({ team: 'red', limit: 2 }), await calls.team({ team: 'red', limit: 1 }), users.loads.length]
  })
  t.same(was, [['Ada', 'Ada'], ['Ada', 'Ada'], ['Ada'], ['Grace', 'Grace'], ['Ada'], 3])
  t.same(is, was)
})

t.test('migration from @fastify/caching: the same response, header and load', async (t) => {
  const ask = async (build: (find: (id: string) => Promise<unknown>) => Promise<FastifyInstance>): Promise<unknown> => {
    const users = new Users()
    const app = await build(users.find)
    t.teardown(() => app.close())
    const responses = [await app.inject('/users/1'), await app.inject('/users/1')]
    return { bodies: responses.map(({ body }) => body), ages: responses.map(({ headers }) => /max-age=\d+/.exec(String(headers['cache-control']))?.[0]), loads: users.loads.length }
  }
  const was = await ask(caching.buildApp)
  t.same(was, { bodies: Array(2).fill('{"id":"1","name":"Ada"}'), ages: ['max-age=60', 'max-age=60'], loads: 1 })
  t.same(await ask(fromCaching.buildApp), was)
})
