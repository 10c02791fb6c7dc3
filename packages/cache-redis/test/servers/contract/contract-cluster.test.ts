import t from 'tap'
import { makeCache, makePeer, testContract } from '../../fixtures/contract.js'
import { sharedCluster } from '../../fixtures/deployments.js'

t.setTimeout(300_000)
const cluster = await sharedCluster()

await testContract('redis, cluster', () => makeCache({ mode: 'cluster', url: cluster.urls }), makePeer)
