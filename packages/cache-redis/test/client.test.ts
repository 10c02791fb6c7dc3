import { cp } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Cluster, Redis } from 'ioredis'
import t from 'tap'
import { closeClient, isCluster, modeOf } from '../src/connection/client.js'
import { RedisCache } from '../src/index.js'
import { resolveRedisOptions } from '../src/resolve-options.js'

/** Loads a second copy of ioredis from a separate folder. */
async function copyOf (folder: string): Promise<{ Cluster: typeof Cluster, Redis: typeof Redis }> {
  const require = createRequire(import.meta.url)
  const installed = dirname(dirname(require.resolve('ioredis')))
  await cp(installed, join(folder, 'ioredis'), { recursive: true })
  return require(join(folder, 'ioredis')) as { Cluster: typeof Cluster, Redis: typeof Redis }
}

t.test('isCluster: a client of another copy of ioredis is known for what it is', async (t) => {
  const other = await copyOf(t.testdir({}))
  const cluster = new other.Cluster([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true })
  const single = new other.Redis({ lazyConnect: true })
  const sentinel = new other.Redis({ lazyConnect: true, name: 'mymaster', sentinels: [{ host: '127.0.0.1', port: 1 }] })
  t.teardown(() => { for (const client of [cluster, single, sentinel]) closeClient(client) })
  t.notOk(cluster instanceof Cluster, 'the copy has classes of its own')
  t.notOk(single instanceof Redis, 'the copy has classes of its own')
  t.same([cluster, single, sentinel].map(isCluster), [true, false, false])
  t.same([cluster, single, sentinel].map(modeOf), ['cluster', 'single', 'sentinel'])
  t.equal(resolveRedisOptions({ client: cluster }).mode, 'cluster')
  t.throws(() => resolveRedisOptions({ client: cluster, mode: 'single' }), { code: 'CACHE_ERR_OPTION_INVALID' })
  t.throws(() => resolveRedisOptions({ client: cluster, connections: 2 }), { code: 'CACHE_ERR_OPTION_INVALID' })
  const cache = new RedisCache({ client: cluster })
  t.equal(cache.status().mode, 'cluster')
  await cache.close()
})
