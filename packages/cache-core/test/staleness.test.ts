import type { Entry } from '@x/cache-core'
import t from 'tap'
import { isEarlyRefreshDue, mayBeServed, needsEntry } from '../src/loading/stale-rules.js'

function entry (ttlLeft: number, staleLeft: number): Entry<number> {
  return { value: 1, fresh: ttlLeft > 0, age: 0, ttlLeft, staleLeft, tags: [] }
}

t.test('needsEntry: only for options that look at lifetimes', async (t) => {
  for (const name of ['staleWhileRevalidate', 'staleIfError', 'earlyRefresh']) t.ok(needsEntry({ [name]: 0 }), name)
  t.notOk(needsEntry({ ttl: 1, jitter: 1, tags: [], lock: true, timeoutMs: 1, retryAfterMs: 1 }))
})

t.test('mayBeServed: within the window of the caller and the stale end of the entry, ends included and excluded', async (t) => {
  t.ok(mayBeServed(entry(0, 5), 5))
  t.ok(mayBeServed(entry(-5, 1), 5), 'the last instant of the window')
  t.notOk(mayBeServed(entry(-5.001, 1), 5))
  t.notOk(mayBeServed(entry(-1, 0), 5), 'the stale end')
  t.notOk(mayBeServed(entry(-1, 1), undefined))
  t.notOk(mayBeServed(entry(0, 1), 0))
  t.notOk(mayBeServed(entry(-1, 1), NaN))
  t.ok(mayBeServed(entry(-1, 1), Infinity))
})

t.test('isEarlyRefreshDue: as often as the formula of XFetch says', async (t) => {
  // The expected probability follows from P(-load × beta × log(u) ≥ left) = exp(-left / (load × beta)).
  for (const [left, beta, load] of [[1, 1, 1], [2, 1, 1], [1, 2, 1], [3, 1, 0.5]] as const) {
    let due = 0
    const rounds = 20_000
    for (let round = 0; round < rounds; round++) if (isEarlyRefreshDue(entry(left, left), beta, load)) due++
    const expected = Math.exp(-left / (load * beta))
    // The tolerance is six standard deviations, which chance exceeds once in 10⁹ runs.
    const tolerance = 6 * Math.sqrt(expected * (1 - expected) / rounds)
    t.ok(Math.abs(due / rounds - expected) < tolerance, `${due / rounds} for ${expected}`)
  }
})

t.test('isEarlyRefreshDue: never without being asked for, without loads, or without an end', async (t) => {
  for (let round = 0; round < 1000; round++) {
    if (isEarlyRefreshDue(entry(0.001, 1), undefined, 1e9) || isEarlyRefreshDue(entry(1, 1), 1, 0)) t.fail()
    if (isEarlyRefreshDue(entry(Infinity, Infinity), 1, 1e9)) t.fail()
  }
})
