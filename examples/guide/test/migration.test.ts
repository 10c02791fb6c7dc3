import { cacheCore, MemoryCache, type FastifyCache } from '@x/cache-core'
import { settle } from '@x/test-kit/deferred'
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

/** A database with one user that records which users were loaded. */
class Users {
  readonly loads: string[] = []
  name = 'Ada'
  isDown = false

  readonly find = async (id: string): Promise<{ name: string }> => {
    this.loads.push(id)
    if (this.isDown) throw new Error('The database cannot be reached')
    return { name: this.name }
  }
}

/** Replaces the time of the process until the test ends. Returns a function that advances it by seconds. */
function fakeTime (t: Test): (seconds: number) => Promise<void> {
  const { now } = Date
  const start = now()
  const time = new FakeTime(t)
  Date.now = () => start + time.clock.now()
  t.teardown(() => {
    // async-cache-dedupe remembers the time for a second, so the clock advances by more than that.
    time.advance(2000)
    Date.now = now
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

const pairs = [
  { name: 'BentoCache', before: bento.makeUsers, after: fromBento.makeUsers, isStale: true },
  { name: 'cache-manager', before: manager.makeUsers, after: fromManager.makeUsers, isStale: false },
  { name: 'async-cache-dedupe', before: dedupe.makeUsers, after: fromDedupe.makeUsers, isStale: true }
]

for (const { name, before, after, isStale } of pairs) {
  t.test(`migration from ${name}: callers see the same values, after the same loads`, async (t) => {
    const cache = await appCache(t)
    const advance = fakeTime(t)
    const users = [new Users(), new Users()] as const
    const was = await story(before(users[0].find) as Calls, users[0], advance, isStale)
    const is = await story(after(cache, users[1].find) as Calls, users[1], advance, isStale)
    t.ok(was.length > 11)
    t.same(is, was)
  })
}

t.test('migration from cache-manager: several keys, and a value of another ttl, are read the same', async (t) => {
  const cache = await appCache(t)
  const advance = fakeTime(t)
  const users = new Users()
  const found = []
  for (const calls of [manager.makeUsers(users.find), fromManager.makeUsers(cache, users.find)]) {
    await calls.put('7', { name: 'Ada' })
    const fresh = (await calls.getMany(['7', '8'])).map((user) => user?.name)
    await advance(31)
    found.push([fresh, (await calls.getMany(['7'])).map((user) => user?.name)])
  }
  t.same(found[0], [['Ada', undefined], [undefined]])
  t.same(found[1], found[0])
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
  t.same(was, { bodies: ['{"name":"Ada"}', '{"name":"Ada"}'], ages: ['max-age=60', 'max-age=60'], loads: 1 })
  t.same(await ask(fromCaching.buildApp), was)
})
