import t from 'tap'
import { RedisSentinels } from '@x/test-kit/redis-deployments'
import { until } from '@x/test-kit/redis-server'
import { copyOf, isSettled, read, startCache, store, valueOf } from '../../fixtures/caches.js'

t.setTimeout(300_000)

const KEYS = Array.from({ length: 20 }, (_, at) => `key ${at}`)

for (const how of ['a planned failover', 'a killed master'] as const) {
  t.test(`near: after ${how} by Sentinels, no copy from the old master is served`, async (t) => {
    const all = await RedisSentinels.start(1, 1)
    t.teardown(() => all.close())
    const [sentinel] = all.sentinels
    const old = await all.master()
    const other = all.servers.find((server) => server !== old)!
    const options = { mode: 'sentinel', url: all.urls, commandTimeoutMs: 2000, breaker: { probeMs: 200 } } as const
    const [writer, cache] = [await startCache(t, options), await startCache(t, { ...options, near: true })]
    for (const key of KEYS) {
      await store(writer, key, 'old', 'tag')
      await until(`a copy of ${key} is held`, async () => await read(cache, key) === 'old' && copyOf(cache, key) === 'old')
    }
    if (how === 'a killed master') old.signal('SIGKILL')
    // The command is repeated, since a Sentinel refuses if it has not heard of the replica for seconds, as on a busy machine.
    else await until('the Sentinel begins the failover', async () => await sentinel!.cli('SENTINEL', 'FAILOVER', 'mymaster') === 'OK', 120_000)
    await until('the other server is the master', async () => (await other.cli('ROLE')).startsWith('master'), 120_000)
    // The data is removed from the new master, as if it had lost the entries of the copies. Only the loss of the connection shows this to
    // the process.
    await other.cli('FLUSHALL')
    await until('the process with copies is in service on it', async () => isSettled(cache) && /name=cache/.test(await other.cli('CLIENT', 'LIST')), 120_000)
    for (const key of KEYS) {
      t.not(copyOf(cache, key), 'old', key)
      t.not(valueOf(await cache.get(key)), 'old', key)
    }
    await until('the other process is in service, too', () => isSettled(writer), 120_000)
    await store(writer, 'key 0', 'new', 'tag')
    await until('its value is a copy', async () => await read(cache, 'key 0') === 'new' && copyOf(cache, 'key 0') === 'new')
    valueOf(await writer.tags.invalidate('tag'))
    await until('its invalidation arrives', async () => await read(cache, 'key 0') === null)
  })
}
