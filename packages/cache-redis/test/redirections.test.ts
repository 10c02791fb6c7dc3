import { setImmediate } from 'node:timers/promises'
import type { Cluster, Redis } from 'ioredis'
import t from 'tap'
import { guardAsking, guardRedirections, isAddress } from '../src/connection/redirections.js'

t.test('isAddress: is a name or an IP address with a port', async (t) => {
  for (const address of ['127.0.0.1:7000', 'redis-1.example:1', '::1:65535', '[::1]:7000', 'fe80::1%eth0:7000', { host: 'a', port: 7000 }]) t.ok(isAddress(address), JSON.stringify(address))
  for (const other of ['a:0', 'a:65536', 'a:port', 'a:', { host: 'a', port: 0 }, { host: 'a', port: 1.5 }, { host: 'a', port: '7000' }]) t.notOk(isAddress(other), JSON.stringify(other))
})

/** Makes a Cluster with one node, and an address map that records its calls. */
function clusterOf (asked: unknown[]): { natMapper: (announced: unknown) => unknown } {
  class Fake {
    nodes = () => [{ options: { host: 'known', port: 7000, password: 'hunter2' } }]
    natMapper (announced: unknown): unknown {
      asked.push(announced)
      return { host: 'mapped', port: 1 }
    }
  }
  return new Fake()
}

t.test('guardRedirections: what is no address leads to a node that is known, and all else where the client says', async (t) => {
  const asked: unknown[] = []
  const cluster = clusterOf(asked)
  for (let times = 0; times < 2; times++) guardRedirections(cluster as unknown as Cluster)
  t.same(cluster.natMapper('a:0'), { host: 'known', port: 7000 })
  t.same(cluster.natMapper({ host: 'a', port: 100_000 }), { host: 'known', port: 7000 })
  t.same(asked, [])
  t.same(cluster.natMapper('a:7000'), { host: 'mapped', port: 1 })
  t.same(asked, ['a:7000'])
})

t.test('guardAsking: an ASKING that fails is no unhandled rejection, and its promise is as before', async (t) => {
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => { unhandled.push(reason) }
  process.on('unhandledRejection', note)
  t.teardown(() => process.off('unhandledRejection', note))
  class Fake { asking (): Promise<'OK'> { return Promise.reject(new Error('no connection')) } }
  const redis = new Fake() as unknown as Redis
  guardAsking(redis)
  guardAsking(redis)
  void redis.asking()
  await setImmediate()
  t.same(unhandled, [])
  await t.rejects(redis.asking(), { message: 'no connection' })
})
