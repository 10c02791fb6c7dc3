import t from 'tap'
import { makeCache, makePeer, testContract } from '../../fixtures/contract.js'
import { RedisSentinels } from '@x/test-kit/redis-deployments'

t.setTimeout(300_000)
const sentinels = await RedisSentinels.start()
t.teardown(() => sentinels.close())

await testContract('redis, sentinel', () => makeCache({ mode: 'sentinel', url: sentinels.urls }), makePeer)
