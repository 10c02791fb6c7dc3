import { CacheRegistry, MemoryCache, type Cache, type CacheError } from '@x/cache-core'
import { causeOf, withCause } from '@x/cache-core/implementing'
import { AlreadyRegistered, CacheClient, createError } from '@x/cache-core/suite'
import t from 'tap'
import * as errors from '../src/contract/errors.js'
import { FailureLog } from '../src/telemetry/failure-log.js'
import { buildApp, type LogLine } from '@x/test-kit/build-app'
import { errorsOf, leaksOf, plantedCause, SECRET } from '@x/test-kit/leaks'
import { makeClient } from '@x/test-kit/make-client'

t.test('leaksOf: sees a secret wherever it is', async (t) => {
  const hidden = Object.defineProperty(new Error('x'), 'hidden', { value: SECRET, enumerable: false })
  const held = Object.assign(new Error('x'), { [Symbol('command')]: { args: [Buffer.from(SECRET)] } })
  for (const error of [new Error(SECRET), new Error('x', { cause: new Error(SECRET) }), hidden, held, Object.assign(new Error('x'), { toJSON: () => SECRET }), plantedCause()]) {
    t.not(leaksOf(error, SECRET).length, 0)
  }
  t.same(leaksOf(new Error('x'), SECRET), [])
})

for (const [name, error] of errorsOf(errors, ['isCacheError', 'errorType'])) {
  t.test(`${name}: shows nothing of its cause (${error.message.slice(0, 60)})`, async (t) => {
    t.same(leaksOf(error, SECRET), [])
    t.match(causeOf(error), { lastNodeError: { name: 'ReplyError' } }, 'it is kept all the same')
  })
}

t.test('createError: is that of @fastify/error but for the cause', async (t) => {
  const Own = createError<[what: string]>('CACHE_ERR_OWN', 'it lacks %s', 404)
  for (const error of [new Own('a part'), Own('a part')]) {
    t.ok(error instanceof Own && error instanceof Error)
    t.match(error, { code: 'CACHE_ERR_OWN', message: 'it lacks a part', statusCode: 404, name: 'FastifyError' })
    t.match(error.stack?.split('\n')[1], /leaks\.test/, 'the stack begins where it was made')
    t.equal('cause' in error, false)
  }
  t.notOk(new AlreadyRegistered() instanceof Own)
  t.equal(causeOf(new Own('x')), undefined)
})

t.test('causeOf: is undefined for what is no error of the suite', async (t) => {
  for (const other of [new Error('x', { cause: 1 }), undefined, null, 'x', {}]) t.equal(causeOf(other), undefined)
  t.equal(causeOf(withCause(new Error('x'), 7)), 7)
})

/** Makes a cache whose members all fail in one way, with an error that contains their arguments. */
function failing (fail: (...args: unknown[]) => unknown): Cache {
  const member = (...args: unknown[]): never => fail(...args) as never
  return {
    name: 'failing',
    get: member,
    set: member,
    del: member,
    getEntry: member,
    getMany: member,
    clear: member,
    health: member,
    lock: member,
    tags: { capture: member, invalidate: member }
  }
}

const told = (args: unknown[]): Error => Object.assign(plantedCause(), { command: { args } })
const ways: Record<string, (...args: unknown[]) => unknown> = {
  throws: (...args) => { throw told(args) },
  rejects: async (...args) => { throw told(args) },
  'answers with another failure': async (...args) => ({ ok: false, error: told(args) }),
  'answers with something else': async (...args) => args
}

for (const [how, fail] of Object.entries(ways)) {
  t.test(`an implementation that ${how}: neither key nor value is in a Result, an event or a line of the log`, async (t) => {
    const lines: LogLine[] = []
    const app = await buildApp(t, { implementation: failing(fail) }, lines)
    const seen: CacheError[] = []
    app.cache.registry.events.on('failed', (_impl, _operation, error) => { seen.push(error) })
    await app.ready()
    const { cache } = app
    const results = [
      await cache.get(SECRET), await cache.getEntry(SECRET), await cache.getMany([SECRET]),
      await cache.set(SECRET, SECRET, { tags: [SECRET] }),
      await cache.setMany([{ key: SECRET, value: SECRET }]), await cache.del(SECRET), await cache.delMany([SECRET]),
      await cache.clear(), await cache.health(),
      await cache.lock(SECRET, { ttl: 1 }), await cache.tags.capture([SECRET]), await cache.tags.invalidate(SECRET)
    ]
    t.equal(await cache.getOrSet(SECRET, () => 1, { tags: [SECRET] }), 1)
    for (const result of results) {
      t.equal(result.ok, false)
      t.same(leaksOf(result, SECRET), [])
    }
    t.not(seen.length, 0)
    for (const error of seen) t.same(leaksOf(error, SECRET), [])
    t.notMatch(JSON.stringify(lines), SECRET)
    t.match(JSON.stringify(lines), /an operation failed/)
  })
}

t.test('a value that cannot be stored, a function that throws, a wrong name: nothing of them is in an error', async (t) => {
  const { client, registry } = makeClient()
  const seen: CacheError[] = []
  registry.events.on('failed', (_impl, _operation, error) => { seen.push(error) })
  const circular: Record<string, unknown> = {}
  circular[SECRET] = circular
  const thrower = (): never => { throw told([SECRET]) }
  for (const value of [circular, { toJSON: thrower }, { a: 1n, [SECRET]: SECRET }, undefined, () => SECRET]) {
    t.same(leaksOf(await client.set(SECRET, value), SECRET), [])
  }
  for (const options of [SECRET, { ttl: SECRET }, { tags: SECRET }, { tags: [SECRET, 7] }, { staleIfError: { [SECRET]: SECRET } }]) {
    t.same(leaksOf(await client.set(SECRET, 1, options as never), SECRET), [])
  }
  await client.getOrSet(SECRET, () => circular, { ttl: 1 })
  for (const options of [{ ttl: thrower }, { tags: thrower, coveringTags: ['a'] }]) await client.getOrSet(SECRET, () => SECRET, options)
  await new Promise((resolve) => { setImmediate(resolve) })
  t.not(seen.length, 0)
  for (const error of seen) t.same(leaksOf(error, SECRET), [])
  const url = `redis://user:${SECRET}@host:6379`
  for (const wrong of [
    () => registry.register(url as never), () => registry.register({ get: 1 } as never, url),
    () => registry.register(new MemoryCache(), url), () => client.namespace(url),
    () => new CacheClient(new CacheRegistry()).namespace(`${SECRET}@example`)
  ]) {
    try {
      wrong()
      t.fail('it is refused')
    } catch (error) {
      t.same(leaksOf(error, SECRET), [])
    }
  }
})

t.test('FailureLog: logs code and message of a foreign error, and none of its other properties', async (t) => {
  const lines: unknown[] = []
  const log = new FailureLog({ warn: (details) => { lines.push(details) } })
  log.note('foreign', 'get', Object.assign(plantedCause(), { code: 'CACHE_ERR_TIMEOUT', message: 'it was late' }) as unknown as CacheError)
  log.close()
  t.match(lines[0], { err: { code: 'CACHE_ERR_TIMEOUT', message: 'it was late' } })
  t.same(leaksOf(lines, SECRET), [])
})
