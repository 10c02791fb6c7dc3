// Measures how long a call of fastify.cache on Redis takes at worst. Rival: ioredis get + JSON.parse. Wanted, with 1 and with 64 calls in
// flight: a 99th percentile of at most 1.2 times that of the rival. For 10 000 sets, then 10 000 gets: a 99th percentile below 5 ms. Calls
// per second are rows of table.js, the growth of an invalidation is a curve of growth.js.
import Fastify from 'fastify'
import { Redis } from 'ioredis-6'
import { cacheRedis } from '@x/cache-redis'
import { median, report } from './measure.js'
import { startRedis } from './apps/redis-server.js'

const CALLS = 20_000
const ROUNDS = Number(process.env.ROUNDS ?? 7)
const KEYS = Array.from({ length: 2000 }, (_, id) => `user:${id}`)
const TAGS = ['users', 'team:7']
const user = (id) => ({ id, name: `User ${id}`, email: `user${id}@example.org`, roles: ['admin', 'editor'], team: { id: 7, name: 'Seven' } })
const key = (i) => KEYS[i % KEYS.length]

/** Runs calls, a fixed number of them in flight; returns the calls per second, and the 99th percentile in milliseconds. */
async function load (call, inFlight, calls = CALLS) {
  const times = new Float64Array(calls)
  let next = 0
  const began = performance.now()
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (next < calls) {
      const i = next++
      const start = performance.now()
      await call(i)
      times[i] = performance.now() - start
    }
  }))
  const rate = calls / (performance.now() - began) * 1000
  return { rate, p99: times.sort()[Math.floor(calls * 0.99)] }
}

/** Measures all rivals in turns, in changing order; returns the medians. */
async function compare (rivals, inFlight) {
  const seen = Object.fromEntries(Object.keys(rivals).map((name) => [name, []]))
  for (let round = -1; round < ROUNDS; round++) {
    const names = Object.keys(rivals)
    if (round % 2 !== 0) names.reverse()
    for (const name of names) {
      const result = await load(rivals[name], inFlight)
      if (round >= 0) seen[name].push(result)
    }
  }
  const middle = (name, figure) => median(seen[name].map((each) => each[figure]))
  return {
    rate: (name) => middle(name, 'rate'),
    p99: (name) => middle(name, 'p99'),
    ratio: (one, other, figure = 'rate') => median(seen[one].map((each, round) => each[figure] / seen[other][round][figure]))
  }
}

const server = await startRedis()
const raw = new Redis(server.url)
const app = Fastify()
await app.register(cacheRedis, { url: server.url, commandTimeoutMs: 5000 })
await app.ready()
const { cache } = app

await app.cache.clear()
for (const [id, each] of KEYS.entries()) {
  await raw.set(`raw:${each}`, JSON.stringify(user(id)), 'EX', 3600)
  await cache.set(each, user(id), 3600)
  await cache.set(`tagged:${each}`, user(id), { ttl: 3600, tags: TAGS })
}
const hit = async (result) => { if (!(await result).ok) throw new Error('not ok') }

for (const inFlight of [1, 64]) {
  const seen = await compare({
    ioredis: async (i) => JSON.parse(await raw.get(`raw:${key(i)}`)),
    cache: (i) => hit(cache.get(key(i))),
    tagged: (i) => hit(cache.get(`tagged:${key(i)}`))
  }, inFlight)
  report(`gets that hit, ${inFlight} in flight`, [
    ...['ioredis', 'cache', 'tagged'].map((name) =>
      [name, `${Math.round(seen.rate(name))} /s, p99 ${seen.p99(name).toFixed(2)} ms`]),
    ['p99 of cache / p99 of ioredis', seen.ratio('cache', 'ioredis', 'p99').toFixed(2), 'at most 1.2']
  ])
}

for (const inFlight of [1, 64]) {
  const sets = await load((i) => hit(cache.set(`load:${i}`, user(i), 3600)), inFlight, 10_000)
  const gets = await load((i) => hit(cache.get(`load:${i}`)), inFlight, 10_000)
  report(`10 000 sets, then 10 000 gets, ${inFlight} in flight`, [
    ['sets', `${Math.round(sets.rate)} /s, p99 ${sets.p99.toFixed(2)} ms`, 'p99 below 5 ms'],
    ['gets', `${Math.round(gets.rate)} /s, p99 ${gets.p99.toFixed(2)} ms`, 'p99 below 5 ms']
  ])
}

await app.close()
raw.disconnect()
await server.stop()
