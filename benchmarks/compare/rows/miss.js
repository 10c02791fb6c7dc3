// A miss of getOrSet on Redis: wall time, commands that the client sends, round trips before the answer.
import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { countCommands } from '../count-commands.js'
import { delayReplies } from '../delay-replies.js'
import { redisApp, user } from './redis-app.js'

const TAGS = ['users', 'team:7']

/** One miss after the other, each of a key that was never asked for. */
function misses (loadMs, options) {
  return async (load, context) => {
    const { cache } = await redisApp(load, context)
    // Other processes have stored theirs on the same server.
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

/** Commands per miss, what the store needs included; one more than the base may be sent. */
const commands = (options) => ({
  needsRedis: true,
  more: 1,
  start: misses(0, options),
  async observe (startSide, context) {
    const CALLS = 300
    const side = await startSide(context)
    try {
      // The first misses load scripts.
      await side.turn(20)
      const { sent, stats } = await countCommands(context.url, () => side.turn(CALLS))
      const each = Object.entries(stats).map(([name, calls]) => `${name} ${(calls / CALLS).toFixed(2)}`)
      // Heartbeats are a few among hundreds.
      return { figure: Math.round(sent / CALLS * 10) / 10, note: `commandstats per miss: ${each.join(', ')}` }
    } finally {
      await side.stop()
    }
  }
})

/** Round trips before the answer: the median time of a miss behind a proxy that holds every reply back, in units of that delay. */
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
          // The store of the last one is no part of the next.
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
