import t from 'tap'
import { guard } from '../src/connection/app-callback.js'

t.test('guard: a throw or a rejection of the app goes no further, and is told once', async (t) => {
  const failing: [string, () => unknown][] = [
    ['throws', () => { throw new Error('broken') }],
    ['throws no error', () => { throw 'broken' }], // eslint-disable-line no-throw-literal
    ['rejects', () => Promise.reject(new Error('broken'))],
    ['answers with a thenable that rejects', () => ({ then (_ok: unknown, fail: (error: Error) => void) { fail(new Error('broken')) } })],
    ['answers with a thenable that throws', () => ({ then () { throw new Error('broken') } })]
  ]
  for (const [name, fn] of failing) {
    const told: Error[] = []
    let calls = 0
    const safe = guard('onInvalidated', () => {
      calls++
      return fn()
    }, (warning) => { told.push(warning) })
    for (let at = 0; at < 3; at++) safe()
    await new Promise((resolve) => { setImmediate(resolve) })
    t.equal(calls, 3, `${name}: it is called all the same`)
    t.equal(told.length, 1, name)
    t.match(told[0]!.message, /^onInvalidated failed: broken/, name)
  }
})

t.test('guard: passes the arguments on, waits for nothing, and takes none for a function', async (t) => {
  const got: unknown[] = []
  const told: Error[] = []
  const safe = guard('fn', (...args: unknown[]) => {
    got.push(args)
    return new Promise(() => {})
  }, (warning) => { told.push(warning) })
  t.equal(safe(1, 'two'), undefined)
  guard('fn', undefined, (warning) => { told.push(warning) })()
  t.same(got, [[1, 'two']])
  t.same(told, [])
})
