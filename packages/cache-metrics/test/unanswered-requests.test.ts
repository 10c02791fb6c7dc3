import { cacheCore } from '@x/cache-core'
import Fastify, { type FastifyReply } from 'fastify'
import { once } from 'node:events'
import { connect, type AddressInfo, type Socket } from 'node:net'
import t from 'tap'
import { settle } from '@x/test-kit/deferred'
import { FakeTime } from '@x/test-kit/fake-time'
import { cacheMetrics } from '../src/index.js'
import { scrape } from './fixtures/parse-text.js'

for (const [seconds, failures] of [[8, 1], [2, 0]] as const) {
  t.test(`a request without a response, whose client leaves after ${seconds} s, has a duration, and ${failures === 1 ? 'is' : 'is not'} a failure`, async (t) => {
    const time = new FakeTime(t)
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(cacheCore, { implementation: 'memory', clock: time.clock })
    await app.register(cacheMetrics)
    let hanging: FastifyReply | undefined
    app.get('/hang', async (request, reply) => {
      await request.cache.get('user:1')
      hanging = reply
      return new Promise(() => {})
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    time.advance(1000)
    const socket: Socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
    socket.write('GET /hang HTTP/1.1\r\nHost: localhost\r\n\r\n')
    while (hanging === undefined) await settle()
    time.advance(1000 * seconds)
    const closed = once(hanging.raw, 'close')
    socket.destroy()
    await closed
    time.advance(1000)
    const { samples } = await scrape(app)
    t.equal(samples['cache_request_duration_seconds_count{arm="cached",route="/hang"}'], 1)
    t.equal(samples['cache_request_failures_total{route="/hang",arm="cached"}'] ?? samples['cache_request_failures_total{arm="cached",route="/hang"}'], failures)
    const sum = samples['cache_request_duration_seconds_sum{arm="cached",route="/hang"}']!
    t.ok(sum > seconds - 1.1 && sum <= seconds, `${sum} s`)
  })
}
