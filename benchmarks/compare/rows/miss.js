// Rows (operations to measure) of `compare.js`: a miss of getOrSet on Redis. The figures are wall time, commands that the client sends, and
// round trips until the caller has the value.
import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { countCommands } from '../count-commands.js'
import { delayReplies } from '../delay-replies.js'
import { redisApp, user } from './redis-app.js'

const TAGS = ['users', 'team:7']

/** Makes a run of misses, one after the other, each for a key that was never read before. */
function misses (loadMs, options) {
  return async (load, context) => {
    const { cache } = await redisApp(load, context)
    // The keys contain a random id, since earlier processes have stored keys on the same server.
    const process = randomUUID()
    let next = 0
    let loads = 0
    async function loader ({ key }) {
      loads++
      if (loadMs > 0) await wait(loadMs)
      return user(key)
    }
    return {
      async run (calls) {
        for (let i = 0; i < calls; i++) await cache.getOrSet(`miss:${process}:${next++}`, loader, options)
        if (loads !== next) throw new Error(`${loads} loads for ${next} misses`)
      }
    }
  }
}

const OPTIONS = { ttl: 3600 }
const TAGGED = { ttl: 3600, tags: TAGS }
const wall = (calls, atMost, loadMs, options) => ({ needsRedis: true, calls, figure: 'wall', atMost, start: misses(loadMs, options) })

/**
 * Makes a row that counts the commands per miss, including those that store the value; at most one command more than in the base revision
 * is allowed.
 */
const commands = (options) => ({
  needsRedis: true,
  more: 1,
  start: misses(0, options),
  async observe (startSide, context) {
    const CALLS = 300
    const side = await startSide(context)
    try {
      // The first misses are not counted, since they load scripts into Redis.
      await side.turn(20)
      const { sent, stats } = await countCommands(context.url, () => side.turn(CALLS))
      const each = Object.entries(stats).map(([name, calls]) => `${name} ${(calls / CALLS).toFixed(2)}`)
      // The heartbeats of the cache are counted as well, but there are only a few among hundreds of commands.
      return { figure: Math.round(sent / CALLS * 10) / 10, note: `commandstats per miss: ${each.join(', ')}` }
    } finally {
      await side.stop()
    }
  }
})

/**
 * Makes a row that counts the round trips until the caller has the value: a proxy delays every reply, and the median time of a miss is
 * divided by that delay.
 */
const trips = (options) => ({
  needsRedis: true,
  more: 1,
  start: misses(0, options),
  async observe (startSide, context) {
    const DELAY_MS = 40
    const proxy = await delayReplies(context.url, DELAY_MS)
    try {
      const side = await startSide({ ...context, url: proxy.url })
      try {
        const times = []
        for (let miss = 0; miss < 15; miss++) {
          const began = performance.now()
          await side.turn(1)
          if (miss >= 4) times.push(performance.now() - began)
          // The value of this miss must be stored before the next miss is timed.
          await wait(4 * DELAY_MS)
        }
        return { figure: Math.floor(times.toSorted((a, b) => a - b)[times.length >> 1] / DELAY_MS) }
      } finally {
        await side.stop()
      }
    } finally {
      await proxy.close()
    }
  }
})

export const rows = {
  'redis miss: loader of 0 ms': wall(250, 2, 0, OPTIONS),
  'redis miss: loader of 0 ms, two tags': wall(250, 2, 0, TAGGED),
  'redis miss: loader of 10 ms': wall(8, 1.15, 10, OPTIONS),
  'redis miss: commands': commands(OPTIONS),
  'redis miss: commands, two tags': commands(TAGGED),
  'redis miss: round trips': trips(OPTIONS),
  'redis miss: round trips, two tags': trips(TAGGED)
}
