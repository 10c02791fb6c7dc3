// Rows (operations to measure) of `compare.js`: reads that hit, and writes, of fastify.cache on Redis. The figure is the CPU time of the
// client's process.
import { redisApp, user } from './redis-app.js'

const KEYS = Array.from({ length: 1000 }, (_, id) => `user:${id}`)
const TAGS = ['users', 'team:7']
const key = (i) => KEYS[i % KEYS.length]

/** Makes a row with `lanes` calls in flight; `call` receives the cache and a running number. */
function inFlight (lanes, options, call) {
  return async (load, context) => {
    const { cache } = await redisApp(load, context)
    for (const [id, each] of KEYS.entries()) await mustBeOk(cache.set(each, user(id), options))
    let next = 0
    return {
      async run (calls) {
        const last = next + calls
        await Promise.all(Array.from({ length: lanes }, async () => {
          while (next < last) await call(cache, next++)
        }))
      }
    }
  }
}

async function mustBeOk (result) {
  if (!(await result).ok) throw new Error('not ok')
}
async function mustHit (result) {
  const { ok, value } = await result
  if (!ok || value === null) throw new Error('no hit')
}
const get = (cache, i) => mustHit(cache.get(key(i)))
const set = (cache, i) => mustBeOk(cache.set(key(i), user(i), 3600))
const row = (calls, lanes, options, call, atMost = 1.03) => ({ needsRedis: true, calls, figure: 'cpu', atMost, start: inFlight(lanes, options, call) })
/**
 * The ratio that is allowed for a set on Redis. A set reads the generation in addition to writing the value, so that no value is lost after
 * another process has cleared the cache.
 */
const WITH_QUESTION = 1.35
const untagged = { ttl: 3600 }
const tagged = { ttl: 3600, tags: TAGS }

export const rows = {
  'redis-cache: get, 1 in flight': row(1500, 1, untagged, get),
  'redis-cache: get, 64 in flight': row(4000, 64, untagged, get),
  'redis-cache: get, two tags, 1 in flight': row(1500, 1, tagged, get),
  'redis-cache: get, two tags, 64 in flight': row(4000, 64, tagged, get),
  'redis-cache: set, 1 in flight': row(1200, 1, untagged, set, WITH_QUESTION),
  'redis-cache: set, 64 in flight': row(3000, 64, untagged, set, WITH_QUESTION)
}
