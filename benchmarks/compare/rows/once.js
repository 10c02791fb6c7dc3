// Rows of `table.js` whose figure is a count, the same in every run: the size of the advisor's tables, and the commands of an idle process.
import { setTimeout as wait } from 'node:timers/promises'

const PATTERNS = 8
const KEYS = 10_000
const READS_PER_PATTERN = 60_000
const IDLE_SECONDS = 30

/** Returns the bytes per key pattern of the advisor, after reads whose keys follow Zipf's law. */
async function advisorBytes (load) {
  const { default: Fastify } = await load('fastify')
  const { cacheCore } = await load('@x/cache-core')
  const { cacheMetrics } = await load('@x/cache-metrics')
  const app = Fastify()
  await app.register(cacheCore)
  await app.register(cacheMetrics)
  await app.ready()
  for (let i = 0; i < READS_PER_PATTERN * PATTERNS; i++) {
    const id = Math.floor(KEYS ** Math.random())
    await app.cache.getOrSet(`pattern${i % PATTERNS}:${id}`, () => ({ id, name: 'Ada', roles: ['admin', 'editor'] }), { ttl: 60 })
    // Timers run only between two batches of hits: a loop of awaited hits would block them, and the advisor compares values only for a
    // share of the passing time.
    if (i % 500 === 0) await wait(1)
  }
  const { advisorBytes: bytes } = app.cacheMetrics
  await app.close()
  return { run: async () => bytes / PATTERNS }
}

/** Reads the counts of a server over one connection, whose own commands do not count. */
async function counterOf (load, { port }) {
  const { Redis } = await load('ioredis-6')
  const client = new Redis(port, '127.0.0.1', { disableClientInfo: true, enableReadyCheck: false })
  let own = 0
  return {
    async read () {
      const stats = String(await client.info('commandstats', 'stats'))
      let commands = -own++
      // Commands of replicas are left out.
      for (const [, name, calls] of stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) if (!/^(replconf|psync)/.test(name)) commands += Number(calls)
      return { commands, connections: Number(/total_connections_received:(\d+)/.exec(stats)[1]) }
    },
    close: () => client.disconnect()
  }
}

/** Starts a Cluster of three masters, and one process with the cache. Returns the busiest master's commands and connections per second. */
async function idleCommands (load) {
  const { default: Fastify } = await load('fastify')
  const { cacheRedis } = await load('@x/cache-redis')
  const { RedisCluster } = await import('@x/test-kit/redis-deployments')
  const cluster = await RedisCluster.start()
  const app = Fastify()
  try {
    await app.register(cacheRedis, { mode: 'cluster', url: cluster.urls, commandTimeoutMs: 10_000 })
    await app.ready()
    const { ok } = await app.cache.set('key', 1, { ttl: 3600, tags: ['tag'] })
    if (!ok) throw new Error('not stored')
    const roles = await Promise.all(cluster.nodes.map((node) => node.cli('ROLE')))
    const counters = await Promise.all(cluster.nodes.filter((_node, at) => roles[at].startsWith('master')).map((node) => counterOf(load, node)))
    // The pause makes the process idle, which it is after five seconds without an operation.
    await wait(10_000)
    const before = await Promise.all(counters.map((each) => each.read()))
    await wait(IDLE_SECONDS * 1000)
    const after = await Promise.all(counters.map((each) => each.read()))
    for (const each of counters) each.close()
    const perSecond = (name) => Math.max(...after.map((seen, at) => (seen[name] - before[at][name]) / IDLE_SECONDS))
    return { commands: perSecond('commands'), connections: perSecond('connections') }
  } finally {
    await app.close()
    await cluster.close()
  }
}

export const rows = {
  'advisor: bytes per key pattern': { figure: 'own', start: advisorBytes },
  'idle process': {
    figure: 'own',
    nodeOptions: [`--import=${new URL('../../../.config/typescript-loader.js', import.meta.url)}`],
    start: async (load) => ({ run: async () => await idleCommands(load) })
  }
}
