import t from 'tap'
import { makeCache, testContract } from '../../fixtures/contract.js'
import { RedisCluster, RedisSentinels } from '@x/test-kit/redis-deployments'
import { RedisServer } from '@x/test-kit/redis-server'

t.setTimeout(600_000)
const [server, cluster, sentinels] = await Promise.all([RedisServer.start(), RedisCluster.start(), RedisSentinels.start()])
t.teardown(() => Promise.all([server.close(), cluster.close(), sentinels.close()]))

// There is no peer: a removal in another process takes effect only when its message arrives, for which `near.test.ts` waits.
await testContract('redis with copies, single', () => makeCache({ url: server.url, near: true }))
await testContract('redis with copies, cluster', () => makeCache({ mode: 'cluster', url: cluster.urls, near: true }))
await testContract('redis with copies, sentinel', () => makeCache({ mode: 'sentinel', url: sentinels.urls, near: true }))
