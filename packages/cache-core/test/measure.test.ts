import { CacheRegistry, MemoryCache } from '@x/cache-core'
import { CacheClient } from '@x/cache-core/suite'
import t from 'tap'
import { settle } from '@x/test-kit/deferred'
import { ForeignCache } from '@x/test-kit/foreign-caches'

for (const [kind, make] of Object.entries({ memory: () => new MemoryCache(), foreign: () => new ForeignCache() })) {
  t.test(`measured: getOrSet's own reads and stores count as operations of the implementation (${kind})`, async (t) => {
    const registry = new CacheRegistry()
    const impl = make()
    registry.register(impl, 'Measured')
    const client = new CacheClient(registry)
    const { stats } = registry.active
    await client.getOrSet('user:1', () => 1)
    await settle()
    t.equal(stats.durations.size, 0, 'nothing is measured unless somebody wants it')
    registry.stats.measuresDurations = true
    const announced: string[] = []
    registry.events.on('operated', (label, operation) => announced.push(`${label} ${operation}`))
    await client.getOrSet('user:1', () => 1)
    await client.getOrSet('user:2', () => 2, { tags: ['users'] })
    await settle()
    await client.get('user:2')
    t.equal(stats.durations.get('get')?.count, 3)
    t.equal(stats.durations.get('set')?.count, 1)
    t.equal(stats.durations.get('tags.capture')?.count, 1)
    t.equal(announced.length, 5)
    t.ok(announced.every((each) => each.startsWith(`${stats.label} `)))
  })
}
