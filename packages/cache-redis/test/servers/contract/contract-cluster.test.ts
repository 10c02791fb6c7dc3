import t from 'tap'
import { makeCache, makePeer, testContract } from '../../fixtures/contract.js'
import { RedisCluster } from '@x/test-kit/redis-deployments'

t.setTimeout(300_000)
const cluster = await RedisCluster.start()
t.teardown(() => cluster.close())

await testContract('redis, cluster', () => makeCache({ mode: 'cluster', url: cluster.urls }), makePeer)
