import { timeout, unavailable } from '@x/cache-core/implementing'
import type { FastifyBaseLogger } from 'fastify'
import t from 'tap'
import { FailureLog } from '../src/telemetry/failure-log.js'
import { buildApp, type LogLine } from '@x/test-kit/build-app'
import { fakeTimers } from '@x/test-kit/fake-timers'
import { ForeignCache } from '@x/test-kit/foreign-caches'

function logger (): { lines: [object: any, message: string][]; log: FastifyBaseLogger } {
  const lines: [object: any, message: string][] = []
  return { lines, log: { warn: (details: object, message: string) => { lines.push([details, message]) } } as FastifyBaseLogger }
}

t.test('note: one line when failures of a kind begin, then one a minute with their number', async (t) => {
  const { tick } = fakeTimers(t)
  const { lines, log } = logger()
  const failures = new FailureLog(log)
  const error = timeout('get', 500)
  for (let at = 0; at < 10_000; at++) failures.note('redis', 'get', error)
  t.same(lines, [[{ err: { type: error.name, code: error.code, message: error.message }, impl: 'redis', operation: 'get' }, 'Cache: an operation failed']])
  await tick(59_999)
  t.equal(lines.length, 1)
  await tick(1)
  t.same(lines.slice(1), [[{ failures: 9999, kind: 'redis get timeout' }, 'Cache: operations keep failing']])
  await tick(60_000)
  t.equal(lines.length, 2, 'a quiet minute ends it')
  failures.note('redis', 'get', error)
  t.equal(lines.length, 3, 'and the next failure is news')
  failures.close()
})

t.test('note: each implementation, operation and type of error is a kind', async (t) => {
  fakeTimers(t)
  const { lines, log } = logger()
  const failures = new FailureLog(log)
  failures.note('redis', 'get', timeout('get', 1))
  failures.note('redis', 'set', timeout('set', 1))
  failures.note('redis', 'get', unavailable('get'))
  failures.note('memory', 'get', unavailable('get'))
  t.equal(lines.length, 4)
  failures.close()
})

for (const implementation of ['null', 'memory'] as const) {
  t.test(`${implementation}: a call that is refused is logged with its key pattern, each pattern once`, async (t) => {
    const lines: LogLine[] = []
    const { cache } = await buildApp(t, { implementation, ...implementation === 'memory' ? { memory: { maxBytes: 4096 } } : {} }, lines)
    const logged = (): unknown[] => lines.splice(0).filter(({ msg }) => msg === 'Cache: an operation failed')
      .map((line) => [(line as unknown as { err: { code: string } }).err.code, (line as unknown as { keyPattern?: string }).keyPattern])
    for (const key of ['user:1', 'user:2', 'table:1']) await cache.getOrSet(key, async () => 1, { tll: 5 } as never)
    t.same(logged(), [['CACHE_ERR_OPTION_UNKNOWN', 'user'], ['CACHE_ERR_OPTION_UNKNOWN', 'table']])
    await cache.set('row:1', 1, -1)
    await cache.setMany([{ key: 'many:1', value: 1 }, { key: 'list:1', value: undefined }])
    await cache.set('', 1)
    t.same(logged(), [['CACHE_ERR_TTL_INVALID', 'row'], ['CACHE_ERR_VALUE_INVALID', 'list'], ['CACHE_ERR_KEY_INVALID', undefined]])
    await cache.getOrSet('page:1', async () => 'x'.repeat(10_000), 60)
    t.same(logged(), implementation === 'memory' ? [['CACHE_ERR_TOO_LARGE', 'page']] : [])
  })
}

t.test('note: an error of the store names no key pattern, since it concerns all of them', async (t) => {
  fakeTimers(t)
  const { lines, log } = logger()
  const failures = new FailureLog(log)
  failures.note('redis', 'set', unavailable('set'), 'user')
  failures.note('redis', 'set', unavailable('set'), 'table')
  t.equal(lines.length, 1)
  t.equal('keyPattern' in lines[0]![0], false)
  failures.close()
})

t.test('close: says what it still had to say, and leaves no timer', async (t) => {
  const timers = fakeTimers(t)
  const { lines, log } = logger()
  const failures = new FailureLog(log)
  t.equal(timers.pending, 1)
  failures.note('redis', 'get', unavailable('get'))
  failures.note('redis', 'get', unavailable('get'))
  failures.close()
  t.equal(timers.pending, 0)
  t.match(lines[1], [{ failures: 1, kind: 'redis get unavailable' }])
})

t.test('an outage: no line for each operation', async (t) => {
  const lines: LogLine[] = []
  const impl = new ForeignCache()
  for (const member of ['get', 'getEntry', 'set']) impl.faults.set(member, 'rejects')
  const app = await buildApp(t, { implementation: impl }, lines)
  for (let at = 0; at < 300; at++) {
    await app.cache.get('user:1')
    await app.cache.getOrSet(`user:${at}`, () => at)
    await app.cache.set('user:1', 1)
  }
  const warnings = lines.filter(({ level }) => level >= 40)
  t.same(warnings.map(({ impl, operation, msg, err }) => [impl, operation, msg, err.code]), [
    ['ForeignCache', 'get', 'Cache: an operation failed', 'CACHE_ERR_IMPLEMENTATION'],
    ['ForeignCache', 'set', 'Cache: an operation failed', 'CACHE_ERR_IMPLEMENTATION']
  ])
  await app.close()
  const said = lines.filter(({ failures }) => failures !== undefined).map(({ kind, failures }) => [kind, failures])
  t.same(said, [['ForeignCache get implementation', 599], ['ForeignCache set implementation', 599]])
})
