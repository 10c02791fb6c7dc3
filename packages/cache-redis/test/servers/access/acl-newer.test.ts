import t from 'tap'
import { isSettled, startCache, startServer, valueOf } from '../../fixtures/caches.js'
import { RedisServer, until } from '@x/test-kit/redis-server'

t.setTimeout(300_000)

const LEAST = '+get +mget +getrange +set +pttl +pexpire +unlink +time +eval +evalsha +publish +subscribe +unsubscribe +ping +info +client|id +client|tracking +client|setname +wait +cluster|slots +cluster|info'

// The test is skipped on a server that does not know CLIENT SETINFO, since such a server refuses it to no user.
const probe = await RedisServer.start()
const isNewer = await probe.cli('COMMAND', 'INFO', 'client|setinfo') !== ''
await probe.close()
const skip = !isNewer && 'the server has no CLIENT SETINFO: CACHE_TEST_REDIS_SERVER names no Redis 7.2 or newer, nor a Valkey'

for (const mode of ['single', 'cluster'] as const) {
  t.test(`ACL: the least rights fill no ACL LOG of a newer server (${mode})`, { skip }, async (t) => {
    const server = await startServer(t, ...mode === 'cluster' ? ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] : [])
    if (mode === 'cluster') {
      await server.cli('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
      await until('the cluster is complete', async () => (await server.cli('CLUSTER', 'INFO')).includes('cluster_state:ok'))
    }
    await server.cli('ACL', 'SETUSER', 'least', 'on', '>secret', '~cache:*', '&cache:*', '&__redis__:invalidate', ...LEAST.split(' '))
    const cache = await startCache(t, { mode, url: server.url, username: 'least', password: 'secret', waitReplicas: 0, onInvalidated: () => {} })
    await until('it listens', async () => (await server.cli('PUBSUB', 'CHANNELS', 'cache:n')) !== '')
    t.ok(isSettled(cache))
    valueOf(await cache.set('key', 1, { tags: ['tag'] }))
    t.same(valueOf(await cache.getMany(['other', 'key'])), [null, 1])
    valueOf(await cache.tags.invalidate('tag'))
    valueOf(await valueOf(await cache.lock('lock', { ttl: 1 }))!.release())
    t.equal(await server.cli('ACL', 'LOG'), '')
  })
}
