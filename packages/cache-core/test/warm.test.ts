import { CacheRegistry, type WarmItem } from '@x/cache-core'
import { CacheClient } from '@x/cache-core/suite'
import t from 'tap'
import { deferred, settle, type Deferred } from '@x/test-kit/deferred'
import { makeClient } from '@x/test-kit/make-client'

type Line = [level: string, details: any, message: string]

function logTo (lines: Line[]) {
  return {
    info: (details: object, message: string) => { lines.push(['info', details, message]) },
    warn: (details: object, message: string) => { lines.push(['warn', details, message]) }
  }
}

function itemsOf (count: number, loader: (at: number) => unknown): WarmItem[] {
  return Array.from({ length: count }, (_, at) => ({ key: `user:${at}`, loader: () => loader(at) }))
}

t.test('warm: items that are no array warm nothing, and are a counted error in place of a rejection', async (t) => {
  const { client, registry } = makeClient()
  const failures: string[] = []
  registry.events.on('failed', (_impl, operation, error) => failures.push(`${operation} ${error.code}`))
  for (const cache of [client, client.namespace('app'), client.namespace('app', { ttl: 5 })]) {
    for (const items of [{ key: 'user:1', loader: () => 1 }, undefined, 'user:1']) {
      t.same(await cache.warm(items as never), { warmed: 0, failed: 0, skipped: 0 })
    }
  }
  t.same(failures, Array(9).fill('warm CACHE_ERR_KEY_INVALID'))
})

t.test('warm: an item that is no object fails alone, and options of null are the defaults', async (t) => {
  for (const cache of [makeClient().client, makeClient().client.namespace('app'), makeClient().client.namespace('app', { ttl: 5 })]) {
    const items = [null, undefined, 7, 'user:1', { key: 'user:2', loader: () => 2, options: null }]
    t.same(await cache.warm(items as never), { warmed: 1, failed: 4, skipped: 0 })
    t.match(await cache.get('user:2'), { value: 2 })
  }
})

t.test('warm: an item whose loader returns undefined is skipped, since nothing is stored', async (t) => {
  const lines: Line[] = []
  const { registry } = makeClient()
  const client = new CacheClient(registry, { log: logTo(lines) })
  t.same(await client.warm(itemsOf(4, (at) => at % 2 === 0 ? undefined : null)), { warmed: 2, failed: 0, skipped: 2 })
  t.same(lines.filter(([, , message]) => message === 'Cache: warming').map(([, { ended }]) => ended), [1, 2, 3])
})

t.test('warm: loads what is missing and leaves what is there', async (t) => {
  const { client, impl } = makeClient()
  await client.set('user:1', 'there')
  const loaded: number[] = []
  const report = await client.warm(itemsOf(3, (at) => { loaded.push(at); return at }))
  t.same(report, { warmed: 3, failed: 0, skipped: 0 })
  t.same(loaded, [0, 2])
  t.match(await impl.get('user:1'), { value: 'there' })
  t.match(await impl.get('user:2'), { value: 2 })
})

t.test('warm: with the options of each item', async (t) => {
  const { client } = makeClient()
  await client.warm([{ key: 'user:1', loader: () => 1, options: { ttl: 7, tags: ['users'] } }])
  t.match(await client.getEntry('user:1'), { value: { ttlLeft: 7, tags: ['users'] } })
})

t.test('warm: runs at most so many loads at once', async (t) => {
  for (const [concurrency, atMost] of [[undefined, 4], [1, 1], [3, 3], [100, 10], [0, 1], [NaN, 1], [2.9, 2]] as const) {
    const { client } = makeClient()
    const gates: Deferred<number>[] = []
    let running = 0
    let highest = 0
    const warming = client.warm(itemsOf(10, async (at) => {
      running++
      highest = Math.max(highest, running)
      const gate = deferred<number>()
      gates.push(gate)
      await gate.promise
      running--
      return at
    }), concurrency === undefined ? {} : { concurrency })
    await settle()
    t.equal(running, atMost, `concurrency ${concurrency}`)
    for (let at = 0; at < 10; at++) {
      gates[at]!.resolve(at)
      await settle()
    }
    t.match(await warming, { warmed: 10 })
    t.equal(highest, atMost)
  }
})

t.test('warm: tells its progress at each quarter, and what came of it', async (t) => {
  const lines: Line[] = []
  const { client } = makeClient(undefined, { log: logTo(lines) })
  await client.warm(itemsOf(8, (at) => at), { concurrency: 1 })
  t.same(lines, [
    ['info', { ended: 2, total: 8 }, 'Cache: warming'],
    ['info', { ended: 4, total: 8 }, 'Cache: warming'],
    ['info', { ended: 6, total: 8 }, 'Cache: warming'],
    ['info', { warmed: 8, failed: 0, skipped: 0, total: 8 }, 'Cache: warmed']
  ])
  for (const count of [0, 1, 2, 3, 5, 1000]) {
    lines.length = 0
    await client.warm(itemsOf(count, (at) => at))
    t.ok(lines.length <= 4, `${lines.length} lines for ${count}`)
    t.same(lines.at(-1)![1], { warmed: count, failed: 0, skipped: 0, total: count })
  }
})

t.test('warm: counts and logs failures, and goes on', async (t) => {
  const lines: Line[] = []
  const { client } = makeClient(undefined, { log: logTo(lines) })
  const report = await client.warm(itemsOf(4, (at) => {
    if (at === 1) throw new Error('down')
    if (at === 2) return Promise.reject(new Error('down'))
    return at
  }), { concurrency: 2 })
  t.same(report, { warmed: 2, failed: 2, skipped: 0 })
  t.same(lines.filter(([level]) => level === 'warn').map(([, { err, key }, message]) => [err.message, key, message]), [
    ['down', 'user:1', 'Cache: a key could not be warmed'],
    ['down', 'user:2', 'Cache: a key could not be warmed']
  ])
})

t.test('warm: loads nothing in front of a pass-through implementation', async (t) => {
  const lines: Line[] = []
  const client = new CacheClient(new CacheRegistry(), { log: logTo(lines) })
  t.same(await client.warm(itemsOf(3, () => t.fail('loaded'))), { warmed: 0, failed: 0, skipped: 3 })
  t.same(lines, [['info', { warmed: 0, failed: 0, skipped: 3, total: 0 }, 'Cache: warmed']])
})

t.test('warm: loads nothing for keys outside of the rollout', async (t) => {
  const { client, registry } = makeClient(undefined, { rollout: { allow: ['user'] } })
  const items = [...itemsOf(2, (at) => at), { key: 'order:1', loader: () => t.fail('loaded') }]
  t.same(await client.warm(items), { warmed: 2, failed: 0, skipped: 1 })
  registry.rollout.percent = 0
  t.same(await client.warm(items), { warmed: 0, failed: 0, skipped: 3 })
})

t.test('warm: of a namespace warms its keys', async (t) => {
  const { client } = makeClient()
  t.match(await client.namespace('app').warm(itemsOf(1, () => 'value')), { warmed: 1 })
  t.match(await client.get('app:user:0'), { value: 'value' })
})
