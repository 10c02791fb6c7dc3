import t from 'tap'
import { limitOf, Load, runLoader, within } from '../src/loading/load.js'
import { deferred } from '@x/test-kit/deferred'
import { fakeTimers } from '@x/test-kit/fake-timers'

t.test('runLoader: without a limit the loader runs at once, and its answer is handed on as it is', async (t) => {
  fakeTimers(t)
  const promise = Promise.resolve(1)
  t.equal(runLoader(new Load('key'), () => promise, undefined), promise)
  t.equal(runLoader(new Load('key'), () => 7, undefined), 7)
  t.throws(() => runLoader(new Load('key'), () => { throw new Error('down') }, undefined), { message: 'down' })
})

t.test('runLoader: with a limit it ends in time, with its own value or error', async (t) => {
  const timers = fakeTimers(t)
  t.equal(await runLoader(new Load('key'), async () => 7, 100), 7)
  await t.rejects(async () => runLoader(new Load('key'), () => { throw new Error('down') }, 100), { message: 'down' })
  t.equal(timers.pending, 0, 'and leaves no timer')
})

t.test('runLoader: the signal is aborted with the error that the caller gets', async (t) => {
  const { tick } = fakeTimers(t)
  const load = new Load('key')
  let signal!: AbortSignal
  const call = runLoader(load, (load) => { signal = load.signal; return new Promise(() => {}) }, 100) as Promise<unknown>
  const rejected = t.rejects(call, { code: 'CACHE_ERR_LOAD_TIMEOUT' })
  await tick(100)
  await rejected
  t.ok(signal.aborted)
  t.equal(signal.reason, await call.catch((error) => error))
})

t.test('runLoader: a loader that ends with the abort loses to the timeout', async (t) => {
  const { tick } = fakeTimers(t)
  const call = runLoader(new Load('key'), ({ signal }) => new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')))
  }), 100) as Promise<unknown>
  const rejected = t.rejects(call, { code: 'CACHE_ERR_LOAD_TIMEOUT' })
  await tick(100)
  await rejected
})

t.test('Load: a signal that is asked for late is aborted already', async (t) => {
  const load = new Load('key')
  load.abort(new Error('late'))
  t.ok(load.signal.aborted)
  t.notOk(load.isSkipped)
  load.skip()
  t.ok(load.isSkipped)
})

t.test('within: what comes too late is dropped, also a rejection', async (t) => {
  const { tick } = fakeTimers(t)
  for (const late of ['resolve', 'reject'] as const) {
    const pending = deferred<number>()
    const rejected = t.rejects(within(100, pending.promise), { code: 'CACHE_ERR_LOAD_TIMEOUT', message: /100 ms/ })
    await tick(100)
    await rejected
    pending[late](1)
    await tick(0)
  }
})

t.test('limitOf: what no timer can keep is no limit', async (t) => {
  for (const none of [undefined, null, NaN, -1, Infinity, 2 ** 31, '100', {}]) t.equal(limitOf(none as never), undefined, String(none))
  for (const limit of [0, 0.5, 100, 2 ** 31 - 1]) t.equal(limitOf(limit), limit)
})
