import t, { type Test } from 'tap'
import type { RedisCache, RedisCacheOptions } from '../../../src/index.js'
import { read, startCache } from '../../fixtures/caches.js'
import { startChild } from '../../fixtures/children.js'
import { sharedNow } from '../../fixtures/world.js'
import { RedisServer } from '@x/test-kit/redis-server'

// The number of removals; ROUNDS=n makes more.
const ROUNDS = Number(process.env.ROUNDS ?? 40)
const HEARTBEAT_TIMEOUT_MS = 1000

t.setTimeout(300_000 + 2000 * ROUNDS)

// All tests share one server and one other process, since starting both takes longer than the rounds of a test.
const server = await RedisServer.start()
t.teardown(() => server.close())
const other = await startChild(t, 'remover-child.ts', JSON.stringify({ url: server.url }))
const SLEEPER = new Int32Array(new SharedArrayBuffer(4))

/** Returns the milliseconds for which the old value was still served after the answer of the process that removed it; 0: not at all. */
async function servedFor (cache: RedisCache, key: string, old: number): Promise<number> {
  const answeredAt = sharedNow()
  let lastAt = answeredAt
  for (;;) {
    const at = sharedNow()
    if (await read(cache, key) !== old) return lastAt - answeredAt
    lastAt = Math.max(at, answeredAt + Number.EPSILON)
    await new Promise((resolve) => { setImmediate(resolve) })
  }
}

async function removeRepeatedly (t: Test, kind: 'del' | 'set' | 'tag' | 'clear', options: RedisCacheOptions): Promise<number[]> {
  const cache = await startCache(t, { url: server.url, heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS, ...options })
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const key = `key:${round % 7}`
    await other.order({ kind: 'store', key, value: round })
    // The reads make a copy, or make the process remember the tokens.
    for (let reads = 0; reads < 20; reads++) {
      await read(cache, key)
      await new Promise((resolve) => { setImmediate(resolve) })
    }
    const answering = other.order<{ isOk: boolean }>({ kind, key, value: -1 })
    // This process is blocked until both the message and the answer have arrived. It may then process the answer first.
    if (round % 2 === 0) Atomics.wait(SLEEPER, 0, 0, 30)
    const answer = await answering
    t.ok(answer.isOk)
    times.push(await servedFor(cache, key, round))
  }
  if (options.near !== undefined) t.ok(cache.status().near!.hits > ROUNDS, 'copies were served')
  return times
}

for (const [level, options] of [['near', { near: true }], ['bounded', {}]] as const) {
  for (const kind of ['del', 'set', 'tag', 'clear'] as const) {
    t.test(`${level}: after ${kind} in another process has been acknowledged, the old value is served at most until its message arrives`, async (t) => {
      const times = await removeRepeatedly(t, kind, options)
      const late = times.filter((each) => each > 0)
      t.comment(`${late.length} of ${times.length} were read once more, for at most ${Math.max(0, ...late).toFixed(2)} ms`)
      t.ok(Math.max(...times) <= HEARTBEAT_TIMEOUT_MS)
      if (level === 'bounded' && (kind === 'del' || kind === 'set')) t.equal(late.length, 0, 'the entry itself is removed')
    })
  }
}
t.test('strong: after a tag was invalidated in another process, the old value is not served at all', async (t) => {
  const times = await removeRepeatedly(t, 'tag', { consistency: 'strong' })
  t.ok(times.every((each) => each === 0))
})

t.test('the other process ends by itself', async (t) => {
  t.equal(await other.end(), 0)
})
