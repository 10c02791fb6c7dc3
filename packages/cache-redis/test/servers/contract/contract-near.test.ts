import t from 'tap'
import { makeCache, testContract } from '../../fixtures/contract.js'
import { sharedCluster, sharedSentinels, sharedServer } from '../../fixtures/deployments.js'

t.setTimeout(600_000)
const [server, cluster, sentinels] = await Promise.all([sharedServer(), sharedCluster(), sharedSentinels()])

// There is no peer: a removal in another process takes effect only when its message arrives, for which `near.test.ts` waits.
await testContract('redis with copies, single', () => makeCache({ url: server.url, near: true }))
await testContract('redis with copies, cluster', () => makeCache({ mode: 'cluster', url: cluster.urls, near: true }))
await testContract('redis with copies, sentinel', () => makeCache({ mode: 'sentinel', url: sentinels.urls, near: true }))
