import { execFileSync } from 'node:child_process'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { basename } from 'node:path'
import t from 'tap'
import { freePort } from '@x/test-kit/servers'
import { RedisCluster } from '@x/test-kit/redis-deployments'
import { REDIS_SERVER, RedisServer } from '@x/test-kit/redis-server'

t.setTimeout(300_000)

/** Returns the servers that this process has started and that are still running. */
function children (): string[] {
  return execFileSync('ps', ['-o', 'args=', '--ppid', String(process.pid)], { encoding: 'utf8' }).split('\n').filter((line) => line.includes(basename(REDIS_SERVER)))
}

t.test('RedisCluster: of which one node does not start leaves no server behind', async (t) => {
  // The earlier servers are left out of the check, since other test files in the same process may have started them.
  const before = children()
  await t.rejects(RedisCluster.start(1000, '--no-such-option', 'yes'), /ended at its start/)
  t.same(children(), before)
})

t.test('RedisServer: takes another port when its own is taken meanwhile', async (t) => {
  let asked = 0
  const taken = createServer().listen(await freePort(), '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => { taken.close() })
  const { port } = taken.address() as { port: number }
  const server = await RedisServer.start('--cluster-enabled', 'yes', '--cluster-port', async () => String(asked++ === 0 ? port : await freePort()))
  t.teardown(() => server.close())
  t.equal(asked, 2)
  t.equal(await server.cli('PING'), 'PONG')
})

t.test('freePort: gives no port twice, and none that outgoing connections may get', async (t) => {
  const ports = await Promise.all(Array.from({ length: 200 }, () => freePort()))
  t.equal(new Set(ports).size, 200)
  t.ok(ports.every((port) => port >= 10_240 && port < 32_768))
})
