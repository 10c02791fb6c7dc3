import t from 'tap'
import { deferred, settle } from '@x/test-kit/deferred'
import { early } from './fixtures/early.js'
import { ask, buildEdge, Time } from './fixtures/edge-app.js'

t.test('RFC 9211 Cache-Status says what was done, and why', { skip: early.skip('together') }, async (t) => {
  const time = new Time(t)
  const app = await buildEdge(t, { time, edge: { name: 'edge.1', hosts: ['localhost:80'], personal: ['/me'] } })
  const slow = deferred()
  app.route({
    method: ['GET', 'POST'],
    url: '/*',
    config: { cache: { store: true, vary: ['accept'], tags: (request) => request.url === '/tags' ? ['no tag'] : [] } },
    handler: async (request) => {
      if (request.url === '/slow') await slow.promise
      return 'x'
    }
  })
  const statusOf = async (
    ...args: Parameters<typeof ask> extends [any, ...infer Rest] ? Rest : never
  ): Promise<string> => (await ask(app, ...args)).cacheStatus
  t.equal(await statusOf('/'), 'edge.1; fwd=uri-miss')
  t.equal(await statusOf('/'), 'edge.1; hit; ttl=60')
  t.equal(await statusOf('/', { accept: 'a' }), 'edge.1; fwd=vary-miss')
  t.equal(await statusOf('/', { 'cache-control': 'no-store' }), 'edge.1; fwd=request; detail=no-store')
  t.equal(await statusOf('/', { authorization: 'x' }), 'edge.1; fwd=bypass; detail=personal')
  t.equal(await statusOf('/me'), 'edge.1; fwd=bypass; detail=personal')
  t.equal(await statusOf('/?other', { range: 'bytes=0-1' }), 'edge.1; fwd=bypass; detail=range')
  t.equal(await statusOf('/', { host: 'other' }), 'edge.1; fwd=bypass; detail=host')
  t.equal(await statusOf('/tags'), 'edge.1; fwd=bypass; detail=tags')
  t.equal(await statusOf('/other', {}, 'POST'), 'edge.1; fwd=method')
  time.advance(61)
  t.equal(await statusOf('/'), 'edge.1; fwd=stale')
  const answers = Promise.all([statusOf('/slow'), statusOf('/slow'), statusOf('/slow')])
  await settle()
  slow.resolve()
  t.same((await answers).sort(), ['edge.1; fwd=uri-miss', 'edge.1; fwd=uri-miss; ttl=60; collapsed', 'edge.1; fwd=uri-miss; ttl=60; collapsed'])
})
