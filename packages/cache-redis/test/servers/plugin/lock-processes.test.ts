import t from 'tap'
import type { Lock } from '@x/cache-core'
import { bounded, startCache, startProxy, startServer, valueOf } from '../../fixtures/caches.js'
import { startChild } from '../../fixtures/children.js'
import { until, type RedisServer } from '@x/test-kit/redis-server'

t.setTimeout(300_000)

/** The result of a herd's process. `times`: when each load ran, in milliseconds since the epoch. */
interface HerdAnswer { loads: number; times: { from: number; to: number }[]; values: string[]; failed: number }

/** Returns the number of processes that wait for the release of a lock. */
async function listeners (server: RedisServer): Promise<number> {
  const channel = await server.cli('PUBSUB', 'CHANNELS', 'cache:u:*')
  return channel === '' ? 0 : Number((await server.cli('PUBSUB', 'NUMSUB', channel)).split('\n')[1])
}

t.test('lock: excludes two processes from each other, and its token grows', async (t) => {
  const server = await startServer(t)
  const caches = await Promise.all([1, 2].map(() => startCache(t, { url: server.url })))
  let holders = 0
  let most = 0
  const tokens: number[] = []
  await Promise.all(Array.from({ length: 12 }, async (_, each) => {
    const lock = valueOf(await caches[each % 2]!.lock('key', { ttl: 10, waitMs: 120_000 }))
    if (lock === null) {
      t.fail('a lock was not got in time')
      return
    }
    most = Math.max(most, ++holders)
    tokens.push(lock.token)
    await new Promise((resolve) => setTimeout(resolve, 5))
    holders--
    t.match(await lock.release(), { ok: true })
  }))
  t.equal(most, 1)
  t.equal(tokens.length, 12)
  t.same(tokens, [...tokens].sort((a, b) => a - b), 'the tokens grow')
  t.equal(new Set(tokens).size, 12)
})

t.test('lock: the token grows over a loss of all that Redis knew', async (t) => {
  const server = await startServer(t)
  const cache = await startCache(t, { url: server.url })
  const before = valueOf(await cache.lock('key', { ttl: 10 }))!
  await server.cli('FLUSHALL')
  const after = valueOf(await cache.lock('key', { ttl: 10 }))!
  t.ok(after.token > before.token)
  t.match(await before.release(), { ok: true })
  t.match(await before.extend(10), { ok: false }, 'the first holder has lost it')
  t.equal(valueOf(await cache.lock('key', { ttl: 10 })), null, 'and freed nothing of the second')
})

t.test('lock: waiters are woken by the release, not only by polling', async (t) => {
  const server = await startServer(t)
  const [holder, waiter] = await Promise.all([1, 2].map(() => startCache(t, { url: server.url })))
  const waits: number[] = []
  for (let round = 0; round < 7; round++) {
    const lock = valueOf(await holder!.lock('key', { ttl: 10 }))!
    const waiting = waiter!.lock('key', { ttl: 10, waitMs: 5000 })
    await until('it listens', async () => await listeners(server) === 1)
    const releasedAt = performance.now()
    await lock.release()
    const next = valueOf(await waiting)
    waits.push(performance.now() - releasedAt)
    await next!.release()
  }
  waits.sort((a, b) => a - b)
  t.ok(waits[3]! < 100, `half of them within ${Math.round(waits[3]!)} ms`)
})

for (const outcome of ['stored', 'not-stored'] as const) {
  t.test(`lock: a release that says '${outcome}' lets all go who wait`, async (t) => {
    const server = await startServer(t)
    const caches = await Promise.all([1, 2, 3].map(() => startCache(t, { url: server.url })))
    const lock = valueOf(await caches[0]!.lock('key', { ttl: 120 }))!
    const waiting = [1, 2, 1, 2].map((at) => caches[at]!.lock('key', { ttl: 120, waitMs: 120_000 }))
    await until('all listen', async () => await listeners(server) === 2)
    await lock.release(outcome)
    for (const each of waiting) t.equal(valueOf(await bounded('the wait', each, 60_000)), null)
  })
}

t.test('lock: who cannot listen is let go all the same, and a later holder dismisses only its own', async (t) => {
  const server = await startServer(t)
  const proxy = await startProxy(t, server.port)
  const holder = await startCache(t, { url: server.url })
  const deaf = await startCache(t, { url: proxy.url })
  proxy.hold('cache-subscriber', 'up')
  for (const [outcome, expected] of [['stored', 'dismissed'], [undefined, 'taken'], ['not-stored', 'dismissed']] as const) {
    const lock = valueOf(await holder.lock('key', { ttl: 120 }))!
    const waiting = deaf.lock('key', { ttl: 120, waitMs: 120_000 })
    // The reply to a command that was sent later shows that the waiter has asked for the lock.
    await deaf.get('other')
    await lock.release(outcome)
    const got = valueOf(await bounded('the wait', waiting, 60_000))
    t.equal(got === null ? 'dismissed' : 'taken', expected)
    await got?.release()
  }
})

t.test('lock: one that was taken without an answer, or whose release was lost, does not make others wait for its end', async (t) => {
  const server = await startServer(t)
  const proxy = await startProxy(t, server.port)
  const near = await startCache(t, { url: proxy.url, commandTimeoutMs: 100, breaker: { probeMs: 100 } })
  const far = await startCache(t, { url: server.url })
  proxy.hold('cache', 'down')
  const unanswered = await near.lock('key', { ttl: 120 })
  t.match(unanswered, { ok: false, error: { code: 'CACHE_ERR_TIMEOUT' } })
  t.equal(valueOf(await far.lock('key', { ttl: 120 })), null, 'Redis has it all the same')
  const waiting = far.lock('key', { ttl: 60, waitMs: 120_000 })
  proxy.release('cache', 'down')
  const lock: Lock | null = valueOf(await bounded('the wait', waiting, 60_000))
  t.not(lock, null)
  await lock!.release()

  const held = valueOf(await near.lock('other', { ttl: 120 }))!
  const waiter = far.lock('other', { ttl: 60, waitMs: 120_000 })
  proxy.hold('cache', 'up')
  t.match(await held.release('stored'), { ok: false })
  proxy.cut()
  proxy.release('cache', 'up')
  await bounded('the wait', waiter, 60_000)
  t.pass('the wait has ended')
})

t.test('lock: a holder that was killed frees it by the ttl', async (t) => {
  const server = await startServer(t)
  const cache = await startCache(t, { url: server.url })
  const child = await startChild(t, 'herd-child.ts', server.url)
  const { token } = await child.order<{ token: number }>({ kind: 'hold', key: 'key', ttl: 1.5 })
  t.equal(valueOf(await cache.lock('key', { ttl: 10 })), null)
  await child.kill()
  t.equal(valueOf(await cache.lock('key', { ttl: 10 })), null, 'not by its death')
  const lock = valueOf(await bounded('the wait', cache.lock('key', { ttl: 10, waitMs: 120_000 }), 60_000))
  t.ok(lock !== null && lock.token > token)
})

t.test('getOrSet: with a lock 4 processes of 50 callers each load a cold key once', async (t) => {
  const server = await startServer(t)
  const children = await Promise.all(Array.from({ length: 4 }, () => startChild(t, 'herd-child.ts', server.url)))
  const herd = (order: object): Promise<HerdAnswer[]> => Promise.all(children.map((child) => child.order<HerdAnswer>({ kind: 'herd', callers: 50, ...order })))
  for (const key of ['cold:1', 'cold:2']) {
    const answers = await herd({ key })
    t.equal(answers.reduce((sum, { loads }) => sum + loads, 0), 1, 'one load')
    t.equal(new Set(answers.flatMap(({ values }) => values)).size, 1, 'one value')
    t.equal(answers.reduce((sum, { failed }) => sum + failed, 0), 0)
  }
  const answers = await herd({ key: 'broken', fails: true })
  t.equal(answers.reduce((sum, { failed }) => sum + failed, 0), 200)
  t.ok(answers.every(({ loads }) => loads >= 1 && loads <= 2), 'once the holder has failed each process loads for itself')
  const isAtOnce = answers.some(({ times }, at) => times.some(({ from, to }) =>
    answers.slice(at + 1).some((other) => other.times.some((load) => load.from < to && from < load.to))))
  t.ok(isAtOnce, `side by side, not one after the other: ${JSON.stringify(answers.map(({ times }) => times))}`)
  for (const child of children) t.equal(await child.end(), 0, 'the process ends by itself')
})
