import { CacheRegistry } from '@x/cache-core'
import t from 'tap'
import { Sources } from '../src/metrics/sources.js'
import type { Traffic } from '../src/traffic/traffic.js'

t.test('caches, traffics: two apps that share a cache are one cache and two traffics', async (t) => {
  const cache = new CacheRegistry()
  const sources = new Sources()
  t.ok(sources.isEmpty)
  const apps = [{ cache, traffic: {} as Traffic }, { cache, traffic: {} as Traffic }]
  for (const app of apps) sources.add(app)
  t.equal(sources.caches().size, 1)
  t.equal(sources.traffics().size, 2)
  sources.delete(apps[0]!)
  t.equal(sources.caches().size, 1)
  t.equal(sources.traffics().size, 1)
  sources.delete(apps[1]!)
  t.ok(sources.isEmpty)
})
