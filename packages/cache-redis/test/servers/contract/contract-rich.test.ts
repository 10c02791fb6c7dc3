import { testCache } from '@x/cache-core/testing'
import t from 'tap'
import { makeCache } from '../../fixtures/contract.js'
import { sharedCluster, sharedServer } from '../../fixtures/deployments.js'

t.setTimeout(300_000)
const [server, cluster] = await Promise.all([sharedServer(), sharedCluster()])

for (const [name, options] of [
  ['single', { url: server.url }],
  ['single with copies', { url: server.url, near: true }],
  ['single, compressed', { url: server.url, compressAboveBytes: 1 }],
  ['cluster', { mode: 'cluster', url: cluster.urls }]
] as const) {
  t.test(`redis, rich, ${name}`, async (t) => {
    await testCache({
      // Only the claims about rich values are declared, since other files of this folder check the other claims with the JSON serializer.
      test: (claim, run) => / rich value/.test(claim) ? t.test(claim, run) : undefined,
      make: () => makeCache({ ...options, url: [options.url].flat(), serializer: 'rich' }),
      isRich: true
    })
  })
}
