import t from 'tap'
import { read, startCache, store, valueOf } from '../../fixtures/caches.js'
import { RedisSentinels } from '@x/test-kit/redis-deployments'
import { until } from '@x/test-kit/redis-server'

t.setTimeout(300_000)

t.test('Sentinel: a planned failover is found when the Sentinel says so, while the old master still calls itself one', async (t) => {
  const all = await RedisSentinels.start(1, 1)
  t.teardown(() => all.close())
  const [sentinel] = all.sentinels
  const old = await all.master()
  const other = all.servers.find((server) => server !== old)!
  const cache = await startCache(t, { mode: 'sentinel', url: all.urls, connections: 2, commandTimeoutMs: 2000 })
  await store(cache, 'key', 1, 'tag')
  // The command is repeated, since a Sentinel refuses if it has not heard of the replica for seconds, as on a busy machine.
  await until('the Sentinel begins the failover', async () => await sentinel!.cli('SENTINEL', 'FAILOVER', 'mymaster') === 'OK', 120_000)
  const begunAt = performance.now()
  await until('the other server is the master', async () => await all.master() === other, 120_000)
  const isOn = async (connections: number): Promise<boolean> => ((await other.cli('CLIENT', 'LIST')).match(/name=cache /g) ?? []).length === connections
  await until('both connections for data are on the new master', () => isOn(2), 120_000)
  // The old master must still be a master, since the Sentinels make it a replica only about ten seconds later.
  if (performance.now() - begunAt < 8000) t.match(await old.cli('ROLE'), /^master/, 'the old master did not tell them')
  await until('it is in service', async () => (await cache.set('key', 2)).ok)
  t.equal(await read(cache, 'key'), 2)
  valueOf(await cache.tags.invalidate('tag'))
})
