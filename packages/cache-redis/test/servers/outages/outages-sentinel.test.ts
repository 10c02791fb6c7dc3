import t from 'tap'
import type { RedisCache } from '../../../src/index.js'
import { startCache } from '../../fixtures/caches.js'
import { printReports, survive } from '../../fixtures/outage.js'
import { RedisSentinels } from '@x/test-kit/redis-deployments'
import { until } from '@x/test-kit/redis-server'
import { sharedNow } from '../../fixtures/world.js'

t.setTimeout(300_000)
t.teardown(() => printReports(t))

const HEARTBEAT_TIMEOUT_MS = 1000

// LONG=1 also runs the slower signal: a stopped master keeps its connections open.
const signals: [string, NodeJS.Signals][] = [['kill -9', 'SIGKILL'], ['SIGSTOP', 'SIGSTOP']]

for (const [name, signal] of signals.slice(0, process.env.LONG === undefined ? 1 : 2)) {
  t.test(`failover by Sentinels: ${name} of the master`, async (t) => {
    const sentinels = await RedisSentinels.start()
    t.teardown(() => sentinels.close())
    const caches: RedisCache[] = await Promise.all([1, 2].map(() => startCache(t, {
      mode: 'sentinel', url: sentinels.urls, breaker: { probeMs: 200 }
    })))
    await survive(t, `sentinel: ${name} of the master`, caches, HEARTBEAT_TIMEOUT_MS, async () => {
      const master = await sentinels.master()
      const brokenAt = sharedNow()
      master.signal(signal)
      await until('another is promoted', async () => {
        const now = await sentinels.master()
        return now.port !== master.port && (await now.cli('ROLE')).startsWith('master')
      }, 30_000)
      t.comment(`the Sentinels themselves took ${Math.round(sharedNow() - brokenAt)} ms`)
      return { mendedAt: sharedNow() }
    })
  })
}
