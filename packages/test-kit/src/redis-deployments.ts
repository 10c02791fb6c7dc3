import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import calculateSlot from 'cluster-key-slot'
import { RedisServer, until } from './redis-server.js'
import { freePort } from './servers.js'

const run = promisify(execFile)

/** Starts servers at the same time; if one of them does not start, the others are closed. */
async function startAll (starts: readonly (() => Promise<RedisServer>)[]): Promise<RedisServer[]> {
  const settled = await Promise.allSettled(starts.map((start) => start()))
  const started = settled.flatMap((each) => each.status === 'fulfilled' ? [each.value] : [])
  const failed = settled.find((each) => each.status === 'rejected')
  if (failed === undefined) return started
  await closeAll(started)
  throw failed.reason
}

async function closeAll (servers: readonly RedisServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server.close()))
}

/** A Redis Cluster of three masters with one replica each. */
export class RedisCluster {
  readonly nodes: readonly RedisServer[]

  private constructor (nodes: readonly RedisServer[]) {
    this.nodes = nodes
  }

  /**
   * Starts the six nodes of a Cluster.
   * @param lastArgs further arguments of the last node alone
   */
  static async start (nodeTimeoutMs = 1000, ...lastArgs: string[]): Promise<RedisCluster> {
    const nodes = await startAll(Array.from({ length: 6 }, (_, at) => () => RedisServer.start(
      '--cluster-enabled', 'yes', '--cluster-node-timeout', String(nodeTimeoutMs), '--cluster-port', async () => String(await freePort()), ...at === 5 ? lastArgs : []
    )))
    try {
      await run('redis-cli', ['--cluster', 'create', ...nodes.map(({ port }) => `127.0.0.1:${port}`), '--cluster-replicas', '1', '--cluster-yes'])
      const cluster = new RedisCluster(nodes)
      await cluster.settled()
      return cluster
    } catch (error) {
      await closeAll(nodes)
      throw error
    }
  }

  get urls (): string[] { return this.nodes.map(({ url }) => url) }

  /** Waits until every node reports that all slots are served, and all replicas are in sync. */
  async settled (): Promise<void> {
    await until('the cluster is complete', async () => {
      for (const node of this.nodes) {
        if (!(await node.cli('CLUSTER', 'INFO')).includes('cluster_state:ok')) return false
        const info = await node.cli('INFO', 'replication')
        if (info.includes('role:slave') && !info.includes('master_link_status:up')) return false
      }
      return true
    })
  }

  /** Returns the server that serves the slot of a key, according to a node other than `stopped`. */
  async masterOf (key: string, stopped?: RedisServer): Promise<RedisServer> {
    const slot = calculateSlot(key)
    for (const line of (await this.#topology(stopped)).split('\n')) {
      const [, address, flags, , , , , , ...ranges] = line.split(' ')
      if (!flags?.includes('master') || flags.includes('fail')) continue
      for (const range of ranges) {
        const [from, to = from] = range.split('-').map(Number)
        if (slot >= from! && slot <= to!) return this.nodes.find(({ port }) => address!.includes(`:${port}@`))!
      }
    }
    throw new Error(`No master serves slot ${slot}`)
  }

  async close (): Promise<void> {
    await closeAll(this.nodes)
  }

  /** Moves the slot of a key, with all keys in the slot, to another master. */
  async moveSlotOf (key: string): Promise<void> {
    const slot = String(calculateSlot(key))
    const from = await this.masterOf(key)
    const masters: RedisServer[] = []
    for (const node of this.nodes) if (node !== from && (await node.cli('ROLE')).startsWith('master')) masters.push(node)
    const to = masters[0]!
    await to.cli('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await from.cli('CLUSTER', 'MYID'))
    await from.cli('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await to.cli('CLUSTER', 'MYID'))
    for (;;) {
      const keys = (await from.cli('CLUSTER', 'GETKEYSINSLOT', slot, '100')).split('\n').filter((each) => each !== '')
      if (keys.length === 0) break
      await from.cli('MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...keys)
    }
    for (const node of [to, from, ...masters]) await node.cli('CLUSTER', 'SETSLOT', slot, 'NODE', await to.cli('CLUSTER', 'MYID'))
  }

  async #topology (stopped?: RedisServer): Promise<string> {
    for (const node of this.nodes) {
      if (node === stopped) continue
      const nodes = await node.cli('CLUSTER', 'NODES').catch(() => '')
      if (nodes.includes('myself,')) return nodes
    }
    throw new Error('No node of the cluster answers')
  }
}

/** A master, two replicas, and three Sentinels that know the master under the name `mymaster`. */
export class RedisSentinels {
  readonly servers: readonly RedisServer[]
  readonly sentinels: readonly RedisServer[]

  private constructor (servers: readonly RedisServer[], sentinels: readonly RedisServer[]) {
    this.servers = servers
    this.sentinels = sentinels
  }

  /**
   * Starts the servers.
   * @param sentinels the number of Sentinels; all but one must agree on a failover
   */
  static async start (sentinels = 3, replicas = 2): Promise<RedisSentinels> {
    const master = await RedisServer.start()
    const others = await startAll([
      ...Array.from({ length: replicas }, () => () => RedisServer.start('--replicaof', '127.0.0.1', String(master.port))),
      ...Array.from({ length: sentinels }, () => () => RedisServer.start('--sentinel'))
    ]).catch(async (error: unknown) => {
      await master.close()
      throw error
    })
    const all = new RedisSentinels([master, ...others.slice(0, replicas)], others.slice(replicas))
    try {
      await all.#meet(master)
      return all
    } catch (error) {
      await all.close()
      throw error
    }
  }

  async #meet (master: RedisServer): Promise<void> {
    const { length } = this.sentinels
    for (const sentinel of this.sentinels) {
      await sentinel.cli('SENTINEL', 'MONITOR', 'mymaster', '127.0.0.1', String(master.port), String(Math.max(1, length - 1)))
      // With a shorter `down-after-milliseconds`, Sentinels would start failovers because of mere delays.
      await sentinel.cli('SENTINEL', 'SET', 'mymaster', 'down-after-milliseconds', '1000')
      await sentinel.cli('SENTINEL', 'SET', 'mymaster', 'failover-timeout', '5000')
    }
    const replicas = this.servers.length - 1
    await until('the Sentinels know each other and the replicas', async () => {
      for (const sentinel of this.sentinels) {
        const info = await sentinel.cli('INFO', 'sentinel')
        if (!info.includes(`slaves=${replicas},sentinels=${length}`)) return false
      }
      return (await master.cli('INFO', 'replication')).includes(`connected_slaves:${replicas}`)
    })
  }

  get urls (): string[] { return this.sentinels.map(({ url }) => url) }

  async master (): Promise<RedisServer> {
    const answer = await this.sentinels[0]!.cli('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster')
    const port = Number(answer.split('\n')[1])
    return this.servers.find((server) => server.port === port)!
  }

  async close (): Promise<void> {
    await closeAll([...this.sentinels, ...this.servers])
  }
}
