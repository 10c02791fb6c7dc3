import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { cacheRedis, type RedisCacheOptions } from '../../../src/index.js'
import { read, startCache, startServer, store, valueOf } from '../../fixtures/caches.js'
import { startWithoutHello, type WithoutHello } from '../../fixtures/no-hello.js'
import { until } from '@x/test-kit/redis-server'
import { logTo, type LogLine } from '@x/test-kit/build-app'

t.setTimeout(300_000)

/** Error messages that are neither NOPROTO nor "unknown command", among them Envoy's "invalid request" and "unsupported command". */
const WORDS = ['invalid request', "unsupported command 'hello'", 'ERR command is not allowed']
const HINT = /refuses HELLO.*protocol: 2/

/** The options to reach a server through a proxy that refuses HELLO, and the proxy. */
type Scene = { options: RedisCacheOptions; proxy: WithoutHello }
const kinds: Record<'single' | 'cluster', (t: Test, words: string) => Promise<Scene>> = {
  async single (t, words) {
    const server = await startServer(t)
    const proxy = await startWithoutHello(t, server.port, words)
    return { options: { url: `redis://127.0.0.1:${proxy.port}` }, proxy }
  },
  async cluster (t, words) {
    const server = await startServer(t, '--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1')
    await server.cli('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    await until('the cluster is complete', async () => (await server.cli('CLUSTER', 'INFO')).includes('cluster_state:ok'))
    const proxy = await startWithoutHello(t, server.port, words)
    const { port } = proxy
    return { options: { mode: 'cluster', url: `redis://127.0.0.1:${port}`, natMap: () => ({ host: '127.0.0.1', port }) }, proxy }
  }
}

for (const [mode, start] of Object.entries(kinds)) {
  for (const words of WORDS) {
    t.test(`protocol: with 2 the cache works behind a proxy that answers HELLO with "${words}" (${mode})`, async (t) => {
      const { options: given, proxy } = await start(t, words)
      const options = { ...given, protocol: 2 as const, commandTimeoutMs: 2000 }
      const [one, two] = [await startCache(t, options), await startCache(t, options)]
      await store(one, 'key', 1, 'tag')
      t.equal(await read(two, 'key'), 1)
      valueOf(await one.tags.invalidate('tag'))
      await until('the other process has the message', async () => await read(two, 'key') === null)
      const lock = valueOf(await one.lock('lock', { ttl: 60 }))!
      const waiting = two.lock('lock', { ttl: 60, waitMs: 10_000 })
      valueOf(await lock.release())
      t.ok(valueOf(await waiting))
      t.equal(proxy.refusals(), 0, 'HELLO was not sent')
    })
  }

  t.test(`protocol: without it one log line names the remedy, and the app starts (${mode})`, async (t) => {
    const lines: LogLine[] = []
    const app = Fastify({ logger: logTo(lines) as object })
    t.teardown(() => app.close())
    const { options, proxy } = await start(t, WORDS[0]!)
    await app.register(cacheRedis, { ...options, connectTimeoutMs: 200 })
    const hints = (): LogLine[] => lines.filter(({ err }) => HINT.test(String(err?.message)))
    await until('the line is there', () => hints().length > 0)
    t.match(await app.cache.get('key'), { ok: false, error: { code: 'CACHE_ERR_UNAVAILABLE' } })
    const refusals = proxy.refusals()
    await until('ioredis has tried again', () => proxy.refusals() > refusals + 1)
    t.equal(hints().length, 1)
  })
}
