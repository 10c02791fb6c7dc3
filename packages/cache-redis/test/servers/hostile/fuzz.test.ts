import fc from 'fast-check'
import { Redis } from 'ioredis'
import t from 'tap'
import type { Result } from '@x/cache-core'
import { FRAME, newMark, writeFrame } from '../../../src/entries/frame.js'
import { Keys } from '../../../src/entries/keys.js'
import { RedisCache } from '../../../src/index.js'
import { bounded, clientOf, isSettled, valueOf } from '../../fixtures/caches.js'
import { anyMutations, mutate, type Mutation } from '../../fixtures/mutations.js'
import { RedisServer, until } from '@x/test-kit/redis-server'

// SEED=n repeats the attacks of a run, FOR_SECONDS=n makes the test run longer.
const { SEED, FOR_SECONDS } = process.env
const seed = SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED)
const limitMs = FOR_SECONDS === undefined ? 20_000 : Number(FOR_SECONDS) * 1000
t.setTimeout(limitMs + 60_000)

const server = await RedisServer.start()
const raw = new Redis(server.port, { protocol: 2 })
const prefix = 'fuzz:'
const options = {
  url: server.url, keyPrefix: prefix, commandTimeoutMs: 3000, heartbeatTimeoutMs: 3000, breaker: { minimumCalls: 3, probeMs: 50 }
}
const keys = new Keys(prefix)
const caches = ['bounded', 'strong'].map((consistency) => new RedisCache({ ...options, consistency: consistency as 'bounded', onInvalidated: () => {} }))
const apps = caches.map(clientOf)
const rejections: unknown[] = []
process.on('unhandledRejection', (reason) => { rejections.push(reason) })
t.teardown(async () => {
  await Promise.all(caches.map((cache) => cache.close()))
  raw.disconnect()
  await server.close()
})
await until('the caches are in service', () => isSettled(caches[0]!) && isSettled(caches[1]!, { consistency: 'strong' }))

const LOCK = keys.lock('key')
const entry = 'the entry'
/** Generates a target of an attack: a key of the attacked entry, its tag, its lock, the generation, or a channel. */
const anyTarget = fc.constantFrom(entry, keys.token('tag'), keys.generation, LOCK.lock, LOCK.fencingCounter, LOCK.dismissed)
const anyChannel = fc.constantFrom(keys.channel, LOCK.channel, '__redis__:invalidate')
const number = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), fc.double()).map(String)
const word = fc.string({ unit: fc.constantFrom(...'abcXYZ019_-.'), maxLength: 40 })
const frame = fc.record({
  payload: fc.constantFrom(0 as const, 1 as const),
  codec: fc.constantFrom(0, 1, 2, 128, 255),
  ttlMs: fc.option(fc.oneof(fc.integer({ min: 0 }), fc.double()), { nil: undefined }),
  windowMs: fc.oneof(fc.integer({ min: 0 }), fc.double()),
  ownServerId: fc.option(word, { nil: undefined }),
  tags: fc.array(fc.record({ tag: fc.oneof(fc.constant('tag'), fc.constant('calm'), fc.string()), token: word, serverId: word }), { maxLength: 100 })
}, { noNullPrototype: true }).chain((meta) => fc.uint8Array({ maxLength: 50 }).map((payload) => writeFrame(meta, payload)))
const announcement = fc.record(
  { from: fc.jsonValue(), tags: fc.oneof(fc.array(fc.string()), fc.jsonValue()), soft: fc.jsonValue() }
).map((message) => JSON.stringify(message))
const anyBytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 100 }), fc.oneof(number, word, announcement, fc.json()).map((text) => Buffer.from(text)), frame,
  fc.constant(newMark()),
  fc.uint8Array({ maxLength: 40 }).map((tail) => Buffer.concat([Buffer.from([FRAME, 2, 2]), tail]))
)

/** One action of foreign software on the data of the cache. */
type Attack =
  | { readonly kind: 'write'; readonly target: string; readonly bytes: Uint8Array; readonly ttl: number | undefined }
  | { readonly kind: 'mutate'; readonly target: string; readonly mutations: Mutation[] }
  | { readonly kind: 'type'; readonly target: string; readonly type: 'list' | 'hash' | 'set' | 'zset' | 'stream'; readonly item: string }
  | { readonly kind: 'expire'; readonly target: string; readonly ms: number }
  | { readonly kind: 'publish'; readonly channel: string; readonly bytes: Uint8Array }

const anyAttack: fc.Arbitrary<Attack> = fc.oneof(
  fc.record({ kind: fc.constant('write' as const), target: anyTarget, bytes: anyBytes, ttl: fc.option(fc.constantFrom(1, 50, 9_000_000_000_000), { nil: undefined }) }),
  fc.record({ kind: fc.constant('mutate' as const), target: anyTarget, mutations: anyMutations }),
  fc.record({ kind: fc.constant('type' as const), target: anyTarget, type: fc.constantFrom('list', 'hash', 'set', 'zset', 'stream'), item: fc.string({ minLength: 1 }) }),
  fc.record({ kind: fc.constant('expire' as const), target: anyTarget, ms: fc.constantFrom(-1, 0, 1, 20, 9_000_000_000_000) }),
  fc.record({ kind: fc.constant('publish' as const), channel: anyChannel, bytes: anyBytes })
)

/** Returns the Redis keys that a target has at present. */
async function namesOf (target: string): Promise<string[]> {
  return target === entry ? raw.keys(`${prefix}e:*:key`) : [target]
}

async function attack (deed: Attack): Promise<void> {
  if (deed.kind === 'publish') {
    await raw.publish(deed.channel, Buffer.from(deed.bytes) as unknown as string)
    return
  }
  for (const name of await namesOf(deed.target)) {
    switch (deed.kind) {
      case 'write': await (deed.ttl === undefined ? raw.set(name, Buffer.from(deed.bytes)) : raw.set(name, Buffer.from(deed.bytes), 'PX', deed.ttl)); break
      case 'mutate': {
        const before = await raw.getBuffer(name).catch(() => null)
        if (before !== null) await raw.set(name, mutate(before, deed.mutations), 'KEEPTTL')
        break
      }
      case 'expire': await (deed.ms < 0 ? raw.persist(name) : raw.pexpire(name, deed.ms)); break
      case 'type': {
        const command: Record<typeof deed.type, string[]> = { list: ['RPUSH', name], hash: ['HSET', name, 'f'], set: ['SADD', name], zset: ['ZADD', name, '1'], stream: ['XADD', name, '*', 'f'] }
        const [first, ...rest] = command[deed.type]
        await raw.multi().del(name).call(first!, ...rest, deed.item).exec()
      }
    }
  }
}

const failures: string[] = []

/** Checks that a call returns a Result in bounded time. */
async function isAnswered (what: string, call: () => Promise<Result<unknown>>): Promise<void> {
  const result = await bounded(what, call(), 8000)
  if (typeof result?.ok !== 'boolean') failures.push(`${what} answers no Result`)
  // Errors of an outage are failures of the test, since the server can be reached.
  else if (!result.ok && !/CORRUPT|VALUE_INVALID/.test(result.error.code)) failures.push(`${what}: ${result.error.code} ${result.error.message}`)
}

async function use (at: number): Promise<void> {
  const [cache, app] = [caches[at]!, apps[at]!]
  const set = { ttl: 60, staleWhileRevalidate: 30, tags: ['tag'] }
  const lease = await bounded('take', cache.leases.take('key', { ttl: 60, tags: ['tag'] }))
  await Promise.all([
    isAnswered('get', () => cache.get('key')),
    isAnswered('getEntry', () => cache.getEntry('key', { tags: ['tag'] })),
    isAnswered('getMany', () => cache.getMany(['key', 'other'])),
    isAnswered('capture', () => cache.tags.capture(['tag'])),
    bounded('getOrSet', app.getOrSet('key', () => 'loaded', { ...set, lock: true, timeoutMs: 2000 }), 8000),
    isAnswered('lock', async () => {
      const lock = await cache.lock('key', { ttl: 0.05, waitMs: 200 })
      if (lock.ok && lock.value !== null) await isAnswered('release', () => lock.value!.release('stored'))
      return lock
    })
  ])
  if (!lease.ok) return
  await isAnswered('isCurrent', () => cache.leases.isCurrent(lease.value))
  await isAnswered('leased set', () => cache.set('key', 'leased', { ...set, snapshot: lease.value }))
  await isAnswered('release of a lease', () => cache.leases.release(lease.value))
}

async function isStored (cache: RedisCache, key: string, value: unknown, tag: string): Promise<boolean> {
  return (await cache.set(key, value, { ttl: 60, tags: [tag] })).ok && valueOf(await cache.get(key)) === value
}

/** Checks after attacks that all operations work, and that entries which were not attacked are unchanged. */
async function checkPeace (deeds: readonly Attack[]): Promise<void> {
  const isCleared = deeds.some((deed) => deed.kind !== 'publish' && deed.target === keys.generation)
  // The pause lets attacks take effect that only do so when a planted or shortened lifetime ends.
  if (isCleared) await new Promise((resolve) => { setTimeout(resolve, 100) })
  for (const cache of caches) {
    if (!isCleared && valueOf(await bounded('get', cache.get('other'))) !== 'calm') failures.push('another key is gone')
    await until('what was attacked works again', () => isStored(cache, 'key', deeds.length, 'tag'))
    await until('what was not attacked works', () => isStored(cache, 'other', 'calm', 'calm'))
    const { degraded, breaker, queuedInvalidations } = cache.status()
    if (degraded || breaker !== 'closed' || queuedInvalidations > 0) failures.push(`${breaker}, ${queuedInvalidations} queued`)
    await raw.del(LOCK.lock)
    const lock = valueOf(await bounded('lock', cache.lock('key', { ttl: 5, waitMs: 1000 })))
    if (lock === null || !Number.isSafeInteger(lock.token)) failures.push('the lock is not to be had')
    else valueOf(await lock.release())
  }
  if (rejections.length > 0) failures.push(`an unhandled rejection: ${String(rejections[0])}`)
}

t.test(`fuzz: whatever another writes and publishes under the prefix throws nothing, hangs nothing, and harms no other key (SEED=${seed})`, async (t) => {
  await checkPeace([])
  let attacks = 0
  await fc.assert(fc.asyncProperty(fc.array(anyAttack, { minLength: 1, maxLength: 4 }), async (deeds) => {
    failures.length = 0
    const using = Promise.all([use(0), use(1)])
    for (const deed of deeds) await attack(deed)
    await using
    await Promise.all([use(0), use(1)])
    attacks += deeds.length
    await checkPeace(deeds)
    if (failures.length > 0) throw new Error([...new Set(failures)].join('\n'))
  }), { seed, numRuns: FOR_SECONDS === undefined ? 60 : 1_000_000, interruptAfterTimeLimit: limitMs, endOnFailure: true })
  t.comment(`SEED=${seed}: ${attacks} attacks`)
  t.same(rejections, [])
})
