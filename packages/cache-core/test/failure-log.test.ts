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
