import { until, type RedisServer } from '@x/test-kit/redis-server'
import { freePort } from '@x/test-kit/servers'
import t, { type Test } from 'tap'
import { RedisCache } from '../../../src/index.js'
import { startServer } from '../../fixtures/caches.js'

t.setTimeout(300_000)

/** The rights in the README that a cache needs; the next constant has the further rights that the rollout needs. */
const CACHE = '+get +mget +getrange +set +pttl +pexpire +unlink +time +eval +evalsha +publish +subscribe +unsubscribe +ping +info +client|id +client|tracking +client|setname'
const CLUSTER = '+cluster|slots +cluster|info +asking +readonly +readwrite'
const ROLLOUT = '+lpush +ltrim +lrange +hset +hlen +hexists +hkeys +hmget'
const text = (revision: number): string => JSON.stringify({ format: 1, revision })
const ADMIN = ['-a', 'admin', '--no-auth-warning']

async function startAs (t: Test, server: RedisServer, mode: 'single' | 'cluster', rights: string, warnings: string[] = []): Promise<RedisCache> {
  await server.cli('ACL', 'SETUSER', 'least', 'reset', 'on', '>secret', '~cache:*', ...rights.split(' '))
  // The default user gets a password, so that no command before the authentication can succeed.
  await server.cli('CONFIG', 'SET', 'requirepass', 'admin')
  const cache = new RedisCache({ mode, url: server.url, username: 'least', password: 'secret', maxTags: 10 }, { onWarning: ({ message }) => { warnings.push(message) } })
  t.teardown(() => cache.close())
  await until('it is in service', () => cache.ready())
  return cache
}

/** Starts a Cluster of one node that serves all slots. */
async function startNode (t: Test): Promise<RedisServer> {
  const node = await startServer(t, '--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', '--cluster-port', async () => String(await freePort()))
  await node.cli('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  await until('the cluster is complete', async () => (await node.cli('CLUSTER', 'INFO')).includes('cluster_state:ok'))
  return node
}

for (const mode of ['single', 'cluster'] as const) {
  t.test(`ACL: a user with the documented rights can do all that the rollout does, and nothing is refused (${mode})`, async (t) => {
    const server = mode === 'single' ? await startServer(t) : await startNode(t)
    const rights = `&cache:* &__redis__:invalidate ${CACHE} ${ROLLOUT}${mode === 'cluster' ? ` ${CLUSTER}` : ''}`
    const { rolloutStore: store } = await startAs(t, server, mode, rights)
    let heard = 0
    t.teardown(store.watch(() => { heard++ }))
    await until('it is subscribed', () => heard > 0)
    t.equal(await store.replace(text(1), 1, undefined, 'record'), true)
    await until('the message has arrived', () => heard > 1)
    t.equal(await store.read(), text(1))
    t.same(await store.history(10), ['record'])
    t.equal(await store.lead('a', 1000), true)
    t.equal(await store.writeEvidence('a', Uint8Array.of(1)), true)
    t.same([...await store.readEvidence() ?? []], [1])
    await store.resign('a')
    await store.report(1, 'a', Uint8Array.of(1))
    t.equal((await store.reports(1)).length, 1)
    t.ok(await store.now() > 0)
    t.equal(await server.cli(...ADMIN, 'ACL', 'LOG'), '', 'nothing was refused')
  })
}

t.test('ACL: without the rights of the rollout the cache works, and the store rejects with a code that hides the user', async (t) => {
  const server = await startServer(t)
  const cache = await startAs(t, server, 'single', `&cache:* &__redis__:invalidate ${CACHE}`)
  t.match(await cache.set('key', 1), { ok: true })
  const { rolloutStore: store } = cache
  for (const call of [() => store.replace(text(1), 1, undefined, 'record'), () => store.history(1), () => store.report(1, 'a', Uint8Array.of(1)), () => store.reports(1)]) {
    const error = await call().then(() => undefined, (error: Error & { code?: string }) => error)
    t.equal(error?.code, 'CACHE_ERR_AUTH')
    t.notMatch(String(error?.message), /least|secret/)
  }
  t.equal(await store.read(), undefined, 'half of a replacement does not take place')
  t.equal(cache.status().degraded, false)
})

t.test('ACL: without the channel the state is replaced all the same, and one warning says what that means', async (t) => {
  const server = await startServer(t)
  const warnings: string[] = []
  const { rolloutStore: store } = await startAs(t, server, 'single', `&__redis__:invalidate ${CACHE} ${ROLLOUT}`, warnings)
  store.watch(() => {})
  t.equal(await store.replace(text(1), 1, undefined), true)
  t.equal(await store.replace(text(2), 2, 1), true)
  t.equal(await store.read(), text(2))
  await until('both are told', () => warnings.length >= 2)
  t.equal(warnings.length, 2, warnings.join('\n'))
  t.match(warnings.sort().join('\n'), /Redis refuses PUBLISH cache:\{rollout\}:changed; until.*\nRedis refuses SUBSCRIBE cache:\{rollout\}:changed/)
  t.notMatch(warnings.join(), /least|secret/)
})
