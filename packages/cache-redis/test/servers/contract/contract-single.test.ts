import t from 'tap'
import { makeCache, makePeer, testContract } from '../../fixtures/contract.js'
import { RedisServer } from '@x/test-kit/redis-server'

t.setTimeout(300_000)
const server = await RedisServer.start()
t.teardown(() => server.close())

await testContract('redis, single', () => makeCache({ url: server.url }), makePeer)
