import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import calculateSlot from 'cluster-key-slot'
import { Cluster } from 'ioredis'
import t, { type Test } from 'tap'
import type { RedisCache, RedisCacheOptions } from '../../../src/index.js'
import { newPrefix } from '../../fixtures/contract.js'
import { begin, read, startCache, store, valueOf, warmUp } from '../../fixtures/caches.js'
import { until } from '@x/test-kit/redis-server'
import { Masters, movesAtOnce, type Master } from '../../fixtures/masters.js'

t.setTimeout(300_000)

const KEYS = Array.from({ length: 48 }, (_, at) => `key ${at}`)
const LEVELS = ['bounded', 'strong'] as const

type Move = (key: string, to: Master) => Promise<void>

t.test('slots that move', async (t) => {
  const masters = await Masters.start()
  t.teardown(() => masters.close())
  const moves: [string, Move][] = [['key by key', (key, to) => masters.move(key, to)]]
  if (await movesAtOnce(masters)) moves.push(['at once', (key, to) => masters.moveAtOnce(key, to)])
  else t.comment('the server moves slots key by key only: it has no CLUSTER MIGRATESLOTS')

  /** Returns options with a new prefix, so that each test moves other slots. */
  const settings = (more: RedisCacheOptions = {}): RedisCacheOptions => ({ mode: 'cluster', url: masters.urls, keyPrefix: newPrefix(), commandTimeoutMs: 5000, heartbeatMs: 50, ...more })
  const start = (t: Test, options: RedisCacheOptions): Promise<RedisCache> => startCache(t, options)

  /** Starts a process whose slot table never changes, whatever redirections it gets. */
  async function startWithOldTable (
    t: Test, options: RedisCacheOptions, ...keys: string[]
  ): Promise<{ cache: RedisCache; turnBack: () => void }> {
    const client = new Cluster(masters.urls, { enableOfflineQueue: false, redisOptions: { commandTimeout: 5000 } })
    t.teardown(() => client.disconnect())
    const { url, ...rest } = options
    const cache = await start(t, { ...rest, client })
    const owners = keys.map((key) => ({ slot: calculateSlot(key), owner: client.slots[calculateSlot(key)]![0]! }))
    client.refreshSlotsCache = () => {}
    return { cache, turnBack: () => { for (const { slot, owner } of owners) client.slots[slot] = [owner] } }
  }

  for (const [how, move] of moves) {
    for (const consistency of LEVELS) {
      t.test(`del, set: nothing that was removed or replaced comes back with the slot of the generation (${how}, ${consistency})`, async (t) => {
        const options = settings({ consistency })
        const [near, far] = [await start(t, options), await start(t, options)]
        const generation = `${options.keyPrefix}g`
        for (const key of KEYS) valueOf(await near.set(key, 'old'))
        for (const key of KEYS) t.equal(await read(far, key), 'old')
        const home = await masters.ownerOf(generation)
        await move(generation, masters.other(home))
        await until('the move is known', async () => (await near.set('other', 1)).ok && (await far.set('other', 1)).ok)
        for (const [at, key] of KEYS.entries()) t.match(at % 2 === 0 ? await near.del(key) : await near.set(key, 'new'), { ok: true })
        for (const [at, key] of KEYS.entries()) t.equal(await patientRead(near, key), at % 2 === 0 ? null : 'new', 'the own writes are seen')
        await move(generation, home)
        for (const cache of [near, far, await start(t, options)]) {
          for (const key of KEYS) t.not(await patientRead(cache, key), 'old', key)
        }
        valueOf(await far.set('key 0', 'newer'))
        t.equal(await read(near, 'key 0'), 'newer')
      })

      t.test(`invalidate: what a tag made invalid stays so when its slot comes back (${how}, ${consistency})`, async (t) => {
        const options = settings({ consistency })
        const [near, far] = [await start(t, options), await start(t, options)]
        for (const tag of ['hard', 'soft', 'none']) {
          await store(near, `${tag} key`, 'old', tag)
          await warmUp(t, far, `${tag} key`, 'old')
        }
        for (const tag of ['hard', 'soft', 'none']) {
          const token = `${options.keyPrefix}t:${tag}`
          const home = await masters.ownerOf(token)
          await move(token, masters.other(home))
          await until('the move is known', async () => (await near.tags.capture([tag])).ok && (await far.get(`${tag} key`)).ok)
          if (tag === 'hard') t.match(await near.tags.invalidate(tag), { ok: true })
          if (tag === 'soft') t.match(await near.tags.invalidate(tag, { soft: true }), { ok: true })
          await store(near, `${tag} key 2`, 'away', tag)
          t.equal(await read(far, `${tag} key 2`), 'away', 'the cache works meanwhile')
          await move(token, home)
        }
        for (const cache of [near, far, await start(t, options)]) {
          for (const tag of ['hard', 'soft']) t.equal(await patientRead(cache, `${tag} key`), null, `${tag} key`)
        }
      })
    }

    t.test(`del, set: an entry whose own slot leaves and comes back is what was done to it meanwhile (${how})`, async (t) => {
      const options = settings()
      const [near, far] = [await start(t, options), await start(t, options)]
      for (const key of ['deleted', 'replaced', 'kept']) await store(near, key, 'old')
      const prefix = `${options.keyPrefix}e:`
      for (const key of ['deleted', 'replaced', 'kept']) {
        const name = await nameOf(masters, prefix, key)
        const home = await masters.ownerOf(name)
        await warmUp(t, far, key, 'old')
        await move(name, masters.other(home))
        if (key === 'deleted') t.match(await near.del(key), { ok: true })
        if (key === 'replaced') t.match(await near.set(key, 'new'), { ok: true })
        await move(name, home)
      }
      for (const cache of [near, far, await start(t, options)]) {
        t.equal(await read(cache, 'deleted'), null)
        t.not(await read(cache, 'replaced'), 'old')
        t.equal(await read(cache, 'kept'), 'old', 'an entry that nobody touched is still one')
      }
    })
  }

  t.test('get: a hit is one command, and a tagged read of a process that knows the tokens too', async (t) => {
    const options = settings({ heartbeatMs: 500, heartbeatTimeoutMs: 5000 })
    const cache = await start(t, options)
    await store(cache, 'plain', 'value')
    await store(cache, 'tagged', 'value', 'tag')
    for (const key of ['plain', 'tagged']) await warmUp(t, cache, key, 'value')
    await until('its own messages have come', async () => {
      await Promise.all(masters.all.map(({ admin }) => admin.config('RESETSTAT')))
      for (let times = 0; times < 10; times++) for (const key of ['plain', 'tagged']) t.equal(await read(cache, key), 'value')
      const stats = (await Promise.all(masters.all.map(({ admin }) => admin.info('commandstats')))).join()
      const calls = [...stats.matchAll(/cmdstat_(get|set|pttl|eval|evalsha|asking):calls=(\d+)/g)].map(([, name, count]) => `${name} ${count}`)
      return calls.every((each) => each.startsWith('get ')) && calls.reduce((sum, each) => sum + Number(each.slice(4)), 0) === 20
    })
  })

  t.test('capture: one move costs one clear, whatever two processes think of the owner', async (t) => {
    const options = settings()
    const generation = `${options.keyPrefix}g`
    const near = await start(t, options)
    const { cache: far, turnBack } = await startWithOldTable(t, options, generation)
    await store(near, 'key', 'old')
    await warmUp(t, far, 'key', 'old')
    const tokens = new Set<string | null>([await tokenOf(masters, generation)])
    const home = await masters.ownerOf(generation)
    const to = masters.other(home)
    const disagree = async (): Promise<void> => {
      for (let round = 0; round < 5; round++) {
        for (const [cache, other] of [[near, far], [far, near]] as const) {
          turnBack()
          await store(cache, 'key', round)
          tokens.add(await tokenOf(masters, generation))
          turnBack()
          t.equal(await read(other, 'key'), round)
          tokens.add(await tokenOf(masters, generation))
        }
      }
    }
    await masters.beginMove(generation, to)
    await disagree()
    t.equal(tokens.size, 1, 'nothing changes while the old owner has the token')
    await masters.moveKeys(generation, home, to)
    await disagree()
    t.equal(tokens.size, 2, 'the new owner has one of its own, before the slot is its own')
    await masters.endMove(generation, home, to)
    await disagree()
    t.equal(tokens.size, 2)
    await masters.move(generation, home)
    turnBack()
    await disagree()
    t.equal(tokens.size, 3)
  })

  t.test('invalidate: is not lost half way of a migration, whichever master has the token', async (t) => {
    const options = settings()
    const token = `${options.keyPrefix}t:tag`
    const near = await start(t, options)
    const { cache: far, turnBack } = await startWithOldTable(t, options, token)
    const home = await masters.ownerOf(token)
    const to = masters.other(home)
    const works = async (value: string): Promise<void> => {
      await store(near, 'key', value, 'tag')
      turnBack()
      await warmUp(t, far, 'key', value)
      t.match(await near.tags.invalidate('tag'), { ok: true })
      t.equal(await read(near, 'key'), null)
      await until('the message is there', async () => await read(far, 'key') === null)
      await begin(near, 'tag')
      for (const cache of [near, far, await start(t, options)]) t.equal(await read(cache, 'key'), null, value)
      await store(far, 'key', value, 'tag')
      await warmUp(t, near, 'key', value)
      t.match(await far.tags.invalidate('tag', { soft: true }), { ok: true })
      t.equal(await read(far, 'key'), null)
      t.match(await near.getEntry('key', { tags: ['tag'] }), { ok: true, value: { fresh: false, value } })
    }
    await works('before')
    await store(near, 'kept', 'kept', 'tag')
    await masters.beginMove(token, to)
    await works('the source has it')
    await masters.moveKeys(token, home, to)
    await works('the target has it')
    await masters.endMove(token, home, to)
    await works('after')
  })

  t.test('ACL: the least user of the README can follow a slot that is half way', async (t) => {
    const readme = readFileSync(join(import.meta.dirname, '../../../README.md'), 'utf8')
    const [, least] = /```\n(\+get [^`]*)```/.exec(readme)!
    const [, more] = /`(\+cluster[^`]*)` in a Cluster/.exec(readme)!
    const rights = `${least} ${more}`.split(/\s+/).filter((each) => each !== '')
    const options = settings({ username: 'least', password: 'secret', keyPrefix: 'cache:' })
    for (const { admin } of masters.all) await admin.call('ACL', 'SETUSER', 'least', 'on', '>secret', ...rights)
    const cache = await start(t, options)
    await store(cache, 'key', 'old', 'tag')
    const home = await masters.ownerOf('cache:g')
    const to = masters.other(home)
    await masters.beginMove('cache:g', to)
    await masters.moveKeys('cache:g', home, to)
    t.equal(await read(cache, 'key'), null)
    await store(cache, 'key', 'new', 'tag')
    t.equal(await read(cache, 'key'), 'new')
    await masters.endMove('cache:g', home, to)
    t.equal(await read(cache, 'key'), 'new')
    for (const { admin } of masters.all) t.notMatch(JSON.stringify(await admin.call('ACL', 'LOG')), /asking|readonly|readwrite|info"|eval/, 'nothing of that was refused')
  })

  for (const [what, natMap] of [['that renames nothing', () => null], ['that names each node', Object.fromEntries(masters.all.map(({ port }) => [`127.0.0.1:${port}`, { host: 'localhost', port }]))]] as const) {
    t.test(`natMap: with one ${what}, a slot that is half way is followed as without`, async (t) => {
      const options = settings({ natMap })
      const cache = await start(t, options)
      await store(cache, 'key', 'old')
      const name = await nameOf(masters, `${options.keyPrefix}e:`, 'key')
      const home = await masters.ownerOf(name)
      const target = masters.other(home)
      await masters.beginMove(name, target)
      await masters.moveKeys(name, home, target)
      t.match(await cache.get('key'), { ok: true })
      t.match(await cache.set('key', 'new'), { ok: true })
      t.match(await cache.leases.take('key', { ttl: 60 }), { ok: true })
      t.match(await cache.del('key'), { ok: true })
      await masters.endMove(name, home, target)
      t.equal(await patientRead(cache, 'key'), null)
    })
  }

  t.test('get: a copy that a broken migration left on the other master is not served', async (t) => {
    const options = settings()
    const cache = await start(t, options)
    await store(cache, 'key', 'old', 'tag')
    await store(cache, 'plain', 'old')
    const names = [await nameOf(masters, `${options.keyPrefix}e:`, 'plain'), `${options.keyPrefix}t:tag`]
    const ends: (() => Promise<void>)[] = []
    for (const name of names) {
      const home = await masters.ownerOf(name)
      const to = masters.other(home)
      await masters.beginMove(name, to)
      // The key is copied to the target and stays at the source, as after a MIGRATE that times out.
      await home.admin.call('MIGRATE', '127.0.0.1', String(to.port), name, '0', '5000', 'COPY')
      ends.push(async () => {
        await masters.moveKeys(name, home, to)
        await masters.endMove(name, home, to)
      })
    }
    t.match(await cache.del('plain'), { ok: true })
    t.match(await cache.tags.invalidate('tag'), { ok: true })
    t.equal(await read(cache, 'plain'), null)
    t.equal(await read(cache, 'key'), null)
    await begin(cache, 'tag')
    t.equal(await read(cache, 'key'), null)
    await store(cache, 'plain', 'new')
    t.equal(await read(cache, 'plain'), 'new')
    for (const end of ends) await end()
  })

  t.test('lock: stays the holder\'s while its slot moves, and its token grows', async (t) => {
    const options = settings()
    const [near, far] = [await start(t, options), await start(t, options)]
    const name = `{${Buffer.from('key').toString('base64url')}}`
    const home = await masters.ownerOf(name)
    const held = valueOf(await near.lock('key', { ttl: 60 }))!
    await masters.move(name, masters.other(home))
    t.equal(valueOf(await far.lock('key', { ttl: 60 })), null)
    t.match(await held.extend(60), { ok: true })
    t.match(await held.release(), { ok: true })
    const next = valueOf(await far.lock('key', { ttl: 60 }))!
    t.ok(next.token > held.token)
    await masters.move(name, home)
    t.equal(valueOf(await near.lock('key', { ttl: 60 })), null)
    t.match(await next.release(), { ok: true })
    t.ok(valueOf(await near.lock('key', { ttl: 60 }))!.token > next.token)
  })

  t.test('invalidate: with waitReplicas follows the slot of the tag', async (t) => {
    const options = settings({ waitReplicas: 1, commandTimeoutMs: 400 })
    const token = `${options.keyPrefix}t:tag`
    const { cache, turnBack } = await startWithOldTable(t, options, token)
    await store(cache, 'key', 'old', 'tag')
    const home = await masters.ownerOf(token)
    await masters.move(token, masters.other(home))
    turnBack()
    // The result is not `ok`, since no master has a replica to acknowledge the invalidation; the token is removed nevertheless.
    t.match(await cache.tags.invalidate('tag'), { ok: false, error: { queued: true } })
    t.equal(await tokenOf(masters, token), null)
  })

  // This test is the last one, since it changes which servers are masters.
  t.test('failover: what the new owner of a slot lost by a failover stays removed, also when the slot goes back', async (t) => {
    const options = settings()
    const [near, far] = [await start(t, options), await start(t, options)]
    const names = { generation: `${options.keyPrefix}g`, tag: `${options.keyPrefix}t:tag` }
    for (const key of KEYS) valueOf(await near.set(key, 'old'))
    await store(near, 'tagged', 'old', 'tag')
    const homes = { generation: await masters.ownerOf(names.generation), tag: await masters.ownerOf(names.tag) }
    const away = masters.other(homes.generation, homes.tag)
    for (const name of Object.values(names)) await masters.move(name, away)
    const { takeOver } = await masters.lag(away)
    for (const [at, key] of KEYS.entries()) t.match(at % 2 === 0 ? await near.del(key) : await near.set(key, 'new'), { ok: true })
    t.match(await near.tags.invalidate('tag'), { ok: true })
    const promoted = await takeOver()
    t.equal(promoted.id, (await masters.ownerOf(names.generation)).id)
    await until('the failover is known', async () => (await near.set('other', 1)).ok && (await far.tags.capture(['tag'])).ok)
    const areNotOld = async (): Promise<void> => {
      for (const cache of [near, far]) for (const key of [...KEYS, 'tagged']) t.not(await patientRead(cache, key), 'old', key)
    }
    await areNotOld()
    for (const [which, name] of Object.entries(names)) await masters.move(name, homes[which as keyof typeof homes])
    await until('the move is known', async () => (await near.set('other', 1)).ok && (await far.set('other', 1)).ok)
    await areNotOld()
  })
})

/** Reads until a read succeeds, since reads may fail while masters change; returns the value. */
async function patientRead (cache: RedisCache, key: string): Promise<unknown> {
  let value: unknown
  await until(`${key} can be read`, async () => {
    const result = await cache.get(key)
    if (!result.ok) throw result.error
    value = result.value
    return true
  })
  return value
}

/** Returns the Redis key of an entry. */
async function nameOf ({ all }: Masters, prefix: string, key: string): Promise<string> {
  const names = (await Promise.all(all.map(({ admin }) => admin.keys(`${prefix}*:${key}`)))).flat()
  if (names[0] === undefined) throw new Error(`No master has ${key}`)
  return names[0]
}

/** Returns a token from the master that has it; `null`: no master has it. */
async function tokenOf ({ all }: Masters, key: string): Promise<string | null> {
  for (const { admin } of all) {
    if ((await admin.keys(key)).length === 0) continue
    // A slot that is being moved can be read at the target only after ASKING.
    await admin.asking()
    return admin.get(key)
  }
  return null
}
