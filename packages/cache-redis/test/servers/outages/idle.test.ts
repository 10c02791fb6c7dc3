import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { RedisCache, RedisCacheOptions } from '../../../src/index.js'
import { begin, read, startCache, startServer, store, valueOf, warmUp } from '../../fixtures/caches.js'
import { RedisCluster } from '@x/test-kit/redis-deployments'
import { until, type RedisServer } from '@x/test-kit/redis-server'

t.setTimeout(300_000)

const HEARTBEAT_TIMEOUT_MS = 1000
const cluster = await RedisCluster.start()
t.teardown(() => cluster.close())

/** The counts of a server, read over one connection whose own commands are not counted. */
class Counts {
  readonly #client: Redis
  #own = 0

  constructor (t: Test, { port }: RedisServer) {
    this.#client = new Redis(port, { retryStrategy: () => null, disableClientInfo: true, enableReadyCheck: false })
    this.#client.on('error', () => {})
    t.teardown(() => this.#client.disconnect())
  }

  /** Returns the number of commands, without those of replicas and of this connection, and the number of connections. */
  async read (): Promise<{ commands: number; connections: number }> {
    const stats = String(await this.#client.info('commandstats', 'stats'))
    let commands = -this.#own++
    for (const [, name, calls] of stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) if (!/^(replconf|psync)/.test(name!)) commands += Number(calls)
    return { commands, connections: Number(/total_connections_received:(\d+)/.exec(stats)![1]) }
  }
}

async function mastersOf ({ nodes }: RedisCluster): Promise<RedisServer[]> {
  const roles = await Promise.all(nodes.map((node) => node.cli('ROLE')))
  return nodes.filter((_node, at) => roles[at]!.startsWith('master'))
}

/** Waits until the process is idle and its last heartbeat is so old that remembered tokens are not relied on. */
async function becomesIdle (t: Test, server: RedisServer): Promise<void> {
  const counts = new Counts(t, server)
  await until('the process is idle, and its last heartbeat is past', async () => {
    const { commands } = await counts.read()
    await wait(HEARTBEAT_TIMEOUT_MS + 200)
    return (await counts.read()).commands === commands
  })
}

function startInCluster (t: Test, options: RedisCacheOptions = {}): Promise<RedisCache> {
  return startCache(t, { mode: 'cluster', url: cluster.urls, commandTimeoutMs: 10_000, ...options })
}

for (const [name, options] of Object.entries<RedisCacheOptions>({
  'by default': {}, "with consistency 'strong'": { consistency: 'strong' }, 'with a near cache': { near: true }
})) {
  t.test(`idle: a process on a Cluster sends each master at most one command a second, and opens no connection, ${name}`, async (t) => {
    const cache = await startInCluster(t, { ...options, keyPrefix: `${name.replace(/\W/g, '')}:` })
    await store(cache, 'key', 1, 'tag')
    const masters = await mastersOf(cluster)
    await Promise.all(masters.map((master) => becomesIdle(t, master)))
    const counts = masters.map((master) => new Counts(t, master))
    // The counts are taken again after a window with reconnections, up to three times in a row, since a stalled machine also causes
    // reconnections.
    for (let windows = 1; ; windows++) {
      const before = await Promise.all(counts.map((each) => each.read()))
      const beganAt = performance.now()
      await wait(6000)
      const after = await Promise.all(counts.map((each) => each.read()))
      const seconds = (performance.now() - beganAt) / 1000
      const sent = after.map(({ commands }, at) => commands - before[at]!.commands)
      const opened = after.map(({ connections }, at) => connections - before[at]!.connections)
      t.comment(`in ${seconds.toFixed(1)} s: ${sent.join(', ')} commands, ${opened.join(', ')} connections`)
      if (windows < 3 && (opened.some((each) => each > 0) || sent.some((each) => each > seconds))) continue
      for (const each of sent) t.ok(each <= seconds, `${each} commands`)
      t.strictSame(opened, [0, 0, 0])
      break
    }
    t.equal(cache.status().tracking, options.consistency === 'strong' ? 'off' : 'trusted')
    t.equal(await read(cache, 'key'), 1)
  })
}

for (const near of [false, true]) {
  t.test(`idle: the first read knows an invalidation by another process${near ? ', with a near cache' : ''}`, async (t) => {
    const options = { keyPrefix: `first${near}:`, ...near ? { near: true } : {} }
    const [busy, idle] = await Promise.all([startInCluster(t, options), startInCluster(t, options)])
    await store(busy, 'key', 1, 'tag')
    await warmUp(t, idle, 'key', 1)
    await Promise.all((await mastersOf(cluster)).map((master) => becomesIdle(t, master)))
    valueOf(await busy.tags.invalidate('tag'))
    t.equal(await read(idle, 'key'), null)
    await store(busy, 'key', 2, 'tag')
    t.equal(await read(idle, 'key'), 2)
    t.equal(idle.status().tracking, 'trusted')
  })
}

t.test('idle: the first read serves nothing of a server that became a replica and got an old token back', async (t) => {
  for (const options of [{}, { consistency: 'strong' }, { near: true }] as RedisCacheOptions[]) {
    const server = await startServer(t)
    const other = await startServer(t, '--replicaof', '127.0.0.1', String(server.port))
    const [busy, idle] = await Promise.all([startCache(t, { url: server.url, ...options }), startCache(t, { url: server.url, ...options })])
    await store(busy, 'key', 'old', 'tag')
    await warmUp(t, idle, 'key', 'old')
    await until('the other server has it all', async () => await other.cli('DBSIZE') === await server.cli('DBSIZE'))
    await other.cli('REPLICAOF', 'NO', 'ONE')
    valueOf(await busy.tags.invalidate('tag'))
    await busy.close()
    await becomesIdle(t, server)
    await server.cli('REPLICAOF', '127.0.0.1', String(other.port))
    await until('the old token is back', async () => (await server.cli('KEYS', 'cache:t:*')).includes('cache:t:tag'))
    const first = await idle.get('key')
    t.not(first.ok && first.value, 'old', JSON.stringify(options))
  }
})

t.test('idle: the first read after a failover is answered by the new master, with nothing from before', async (t) => {
  const idle = await startInCluster(t)
  await store(idle, 'key', 'old', 'tag')
  await warmUp(t, idle, 'key', 'old')
  const master = await cluster.masterOf('cache:g')
  await becomesIdle(t, master)
  await master.kill()
  await until('another is promoted', async () => (await cluster.masterOf('cache:g', master)).port !== master.port)
  t.equal(await read(idle, 'key'), null)
  await store(idle, 'key', 'new', 'tag')
  t.equal(await read(idle, 'key'), 'new')
  await master.start()
  await cluster.settled()
})

t.test('idle: the first read after a SIGSTOP of a master is answered, by its replica once that is promoted', async (t) => {
  const idle = await startInCluster(t)
  await store(idle, 'key', 'old', 'tag')
  const master = await cluster.masterOf('cache:g')
  await becomesIdle(t, master)
  master.signal('SIGSTOP')
  t.teardown(() => master.signal('SIGCONT'))
  await until('another is promoted', async () => (await cluster.masterOf('cache:g', master)).port !== master.port)
  t.equal(await read(idle, 'key'), null)
  await begin(idle, 'tag')
  await store(idle, 'key', 'new', 'tag')
  t.equal(await read(idle, 'key'), 'new')
})
