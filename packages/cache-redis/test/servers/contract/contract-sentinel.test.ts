import t from 'tap'
import { makeCache, makePeer, testContract } from '../../fixtures/contract.js'
import { sharedSentinels } from '../../fixtures/deployments.js'

t.setTimeout(300_000)
const sentinels = await sharedSentinels()

await testContract('redis, sentinel', () => makeCache({ mode: 'sentinel', url: sentinels.urls }), makePeer)
