import type { Result } from '@x/cache-core'
import t, { type Test } from 'tap'
import type { RedisCache, RedisCacheOptions } from '../../../src/index.js'
import { copyOf, holdCopy, isSettled, read, startCache, store, valueOf } from '../../fixtures/caches.js'
import { Masters, movesAtOnce } from '../../fixtures/masters.js'
import { until } from '@x/test-kit/redis-server'

t.setTimeout(300_000)

const masters = await Masters.start()
t.teardown(() => masters.close())
const skip = !await movesAtOnce(masters) && 'the server has no CLUSTER MIGRATESLOTS: CACHE_TEST_REDIS_SERVER names no Valkey 9'

/** Returns options with a prefix whose hash tag gives all keys of the cache one slot, so that a migration moves the whole cache. */
const optionsOf = (name: string, more: RedisCacheOptions = {}): RedisCacheOptions =>
  ({ mode: 'cluster', url: masters.urls, keyPrefix: `{${name}}:`, commandTimeoutMs: 5000, heartbeatMs: 50, ...more })

/** Moves the whole cache. Meanwhile `work` is called 10 to 100 times, and once more after the end of the migration. */
async function moveDuring (prefix: string, work: (round: number) => Promise<void>): Promise<void> {
  const from = await masters.ownerOf(prefix)
  let isMoving = true
  const moved = masters.moveAtOnce(prefix, masters.other(from)).finally(() => { isMoving = false })
  let round = 0
  while (round < 10 || (isMoving && round < 100)) await work(round++)
  await moved
  await work(round)
}

async function startPair (t: Test, options: RedisCacheOptions): Promise<[RedisCache, RedisCache]> {
  return [await startCache(t, options), await startCache(t, options)]
}

for (const more of [{}, { near: true }, { consistency: 'strong' }] as const) {
  t.test(`MIGRATESLOTS: nothing that was removed or replaced meanwhile comes back, and the cache works on (${JSON.stringify(more)})`, { skip }, async (t) => {
    const options = optionsOf(`entries ${Object.keys(more)}`, more)
    const [near, far] = await startPair(t, options)
    const keys = Array.from({ length: 400 }, (_, at) => `key ${at}`)
    await Promise.all(keys.map((key) => store(near, key, 'old', `tag of ${key}`)))
    for (const key of keys) t.equal(await read(far, key), 'old')
    const changes: ((key: string) => Promise<Result<void>>)[] = [
      (key) => near.del(key), (key) => near.set(key, 'new'), (key) => near.tags.invalidate(`tag of ${key}`), (key) => far.del(key)
    ]
    let changed = 0
    // The slot moves away and back again. A master to which a slot returns has none of the earlier keys of the slot.
    for (let times = 0; times < 2; times++) {
      await moveDuring(options.keyPrefix!, async (round) => { valueOf(await changes[round % changes.length]!(keys[changed++]!)) })
    }
    await until('both are in service and trust their messages', () => isSettled(near, more) && isSettled(far, more))
    for (const cache of [near, far, await startCache(t, options)]) {
      for (const key of keys.slice(0, changed)) t.not(await read(cache, key), 'old', key)
      await store(near, 'key 399', cache === near ? 1 : 2, 'tag')
      await until('a store is seen', async () => await read(cache, 'key 399') === (cache === near ? 1 : 2))
    }
  })
}

t.test('MIGRATESLOTS: copies follow the slot: a change by another process reaches those that were made during the move and after it', { skip }, async (t) => {
  const options = optionsOf('copies', { near: true })
  const [other, cache] = await startPair(t, options)
  await store(other, 'key', 'old')
  await holdCopy(cache, 'key')
  await moveDuring(options.keyPrefix!, async (round) => {
    valueOf(await other.set('key', round))
    await until('the change has arrived', async () => {
      const value = await read(cache, 'key')
      // The value may be missing, since a move of the generation may clear the cache once.
      return value === round || value === null
    })
  })
  await until('both are in service and trust their messages', () => isSettled(cache) && isSettled(other))
  for (const tag of ['hard', 'soft']) {
    await store(other, tag, 'old', tag)
    await holdCopy(cache, tag)
    valueOf(await other.tags.invalidate(tag, { soft: tag === 'soft' }))
    await until('the message has arrived', () => copyOf(cache, tag) === undefined)
    t.equal(await read(cache, tag), null)
  }
})

t.test('MIGRATESLOTS: tokens are remembered again from the new master, and its messages end them', { skip }, async (t) => {
  const options = optionsOf('tokens')
  const [other, cache] = await startPair(t, options)
  await store(other, 'key', 'old', 'tag')
  await read(cache, 'key')
  await moveDuring(options.keyPrefix!, async () => { valueOf(await cache.get('key')) })
  await until('the table of the slots is known', async () => (await other.set('other', 1)).ok && isSettled(cache) && isSettled(other))
  await store(other, 'key', 'new', 'tag')
  const owner = await masters.ownerOf(options.keyPrefix!)
  await until('a read is one command', async () => {
    await owner.admin.config('RESETSTAT')
    for (let times = 0; times < 10; times++) t.equal(await read(cache, 'key'), 'new')
    const calls = [...String(await owner.admin.info('commandstats')).matchAll(/cmdstat_(get|eval|evalsha):calls=(\d+)/g)].map(([, name, count]) => `${name} ${count}`)
    return calls.join() === 'get 10'
  })
  valueOf(await other.tags.invalidate('tag'))
  await until('the message has arrived', async () => await read(cache, 'key') === null)
})

t.test('MIGRATESLOTS: a lock stays its holder\'s, and the fencing token grows', { skip }, async (t) => {
  const options = optionsOf('locks')
  const [near, far] = await startPair(t, options)
  const held = valueOf(await near.lock('key', { ttl: 60 }))!
  await moveDuring(options.keyPrefix!, async () => { t.equal(valueOf(await far.lock('key', { ttl: 60 })), null) })
  valueOf(await held.extend(60))
  const waiting = far.lock('key', { ttl: 60, waitMs: 10_000 })
  valueOf(await held.release())
  t.ok(valueOf(await waiting)!.token > held.token)
})
