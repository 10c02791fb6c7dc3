import t from 'tap'
import { makeCache, makePeer, testContract } from '../../fixtures/contract.js'
import { sharedServer } from '../../fixtures/deployments.js'

t.setTimeout(300_000)
const server = await sharedServer()

await testContract('redis, single', () => makeCache({ url: server.url }), makePeer)
