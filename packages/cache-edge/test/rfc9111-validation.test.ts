import { formatHttpDate } from '@x/cache-core/suite'
import t from 'tap'
import { early } from './fixtures/early.js'
import { ask, NOON, type Fields } from './fixtures/edge-app.js'
import { BOTH, byResponse, cached, MINUTE, scene, type Script } from './fixtures/scene.js'

t.test('§4.3 validation', async (t) => {
  const modified = formatHttpDate(NOON - 864e5)

  await t.test('§4.3.1 the handler sees the validators of the stored response, and not the client\'s', async (t) => {
    for (const store of Object.values(BOTH)) {
      const { app, time, seen } = await scene(t, { store }, () => ({ headers: { ...cached('max-age=10'), etag: '"v"', 'last-modified': modified } }))
      await ask(app, '/x', { 'if-none-match': '"client"', 'if-modified-since': modified, 'if-match': '*', 'if-range': '"a"' })
      t.same(Object.keys(seen[0]!).filter((name) => name.startsWith('if-')), [])
      time.advance(11)
      await ask(app, '/x', { 'if-none-match': '"client"' })
      t.match(seen[1], { 'if-none-match': '"v"', 'if-modified-since': modified })
    }
  })

  await t.test('§4.3.3 a full response replaces the stored one', async (t) => {
    const { app, time } = await scene(t, byResponse, (run) => ({ headers: { ...cached('max-age=10'), etag: `"${run}"` } }))
    await ask(app, '/x')
    time.advance(11)
    t.match(await ask(app, '/x'), { body: 'run 2', headers: { etag: '"2"' }, cacheStatus: 'fastify; fwd=stale' })
    t.match(await ask(app, '/x'), { body: 'run 2', headers: { etag: '"2"' }, cacheStatus: /hit/ })
  })

  for (const [name, store] of Object.entries(BOTH)) {
    await t.test(`§4.3.4 a 304 refreshes headers and freshness, ${name}`, async (t) => {
      const { app, time, runs } = await scene(t, { store }, (run) => run === 1
        ? { headers: { ...cached('max-age=10'), etag: '"v"', 'x-old': 'old', 'x-both': 'old' } }
        : { status: 304, body: null, headers: { ...cached('max-age=20'), etag: '"v"', 'x-both': 'new' } })
      await ask(app, '/x')
      time.advance(11)
      const expected = { status: 200, body: 'run 1', headers: { etag: '"v"', 'x-old': 'old', 'x-both': 'new', 'cache-control': 'max-age=20', 'content-type': 'text/plain; charset=utf-8' } }
      t.match(await ask(app, '/x'), { ...expected, cacheStatus: /^fastify; fwd=stale; fwd-status=304; ttl=20; stored$/ })
      time.advance(19)
      t.match(await ask(app, '/x'), { ...expected, cacheStatus: /hit; ttl=1/, headers: { ...expected.headers, age: '19' } })
      t.equal(runs(), 2)
    })
  }

  await t.test('§4.3.4 Age and Date of the 304 count, those of the stored response do not', async (t) => {
    const { app, time } = await scene(t, byResponse, (run) => run === 1
      ? { headers: { ...cached('max-age=10'), etag: '"v"', date: formatHttpDate(NOON) } }
      : { status: 304, body: null, headers: (run === 2 ? {} : { age: '4' }) as Fields })
    await ask(app, '/x')
    time.advance(50)
    t.match((await ask(app, '/x')).cacheStatus, /fwd-status=304; ttl=10; stored/)
    time.advance(10)
    t.match(await ask(app, '/x'), { cacheStatus: /fwd-status=304; ttl=6; stored/, headers: { age: '4' } })
  })

  await t.test('§4.3.4 headers that hooks set on the response to one request are not stored for others', { skip: early.skip('hooks') }, async (t) => {
    const { app, time } = await scene(t, { store: true }, (run) => run === 1
      ? { headers: { ...cached('max-age=10'), etag: '"v"' } }
      : { status: 304, body: null })
    app.addHook('onRequest', async (request, reply) => {
      reply.header('x-request-id', request.headers['x-id'] as string)
      reply.header('vary', 'Origin')
    })
    await ask(app, '/x', { 'x-id': 'one' })
    time.advance(11)
    t.match(await ask(app, '/x', { 'x-id': 'two' }), { headers: { 'x-request-id': 'two' }, cacheStatus: /stored/ })
    t.match(await ask(app, '/x', { 'x-id': 'three' }), { headers: { 'x-request-id': 'three', vary: 'Origin' }, cacheStatus: /hit/ })
  })

  await t.test('§4.3.4 a 304 with another tag, or one that may not be stored, drops the entry', async (t) => {
    for (const headers of [{ etag: '"other"' }, { 'cache-control': 'no-store' }, { 'cache-control': 'private' }, { 'set-cookie': 'a=b' }] as Fields[]) {
      const { app, time, seen } = await scene(t, byResponse, (run) => run === 2
        ? { status: 304, body: null, headers }
        : { headers: { ...cached('max-age=10'), etag: '"v"' } })
      await ask(app, '/x')
      time.advance(11)
      t.match(await ask(app, '/x'), { status: 200 })
      t.match((await ask(app, '/x')).body, 'run 3', JSON.stringify(headers))
      t.equal(seen[2]!['if-none-match'], undefined)
    }
  })

  await t.test('§4.3.2 a client\'s condition is answered from what is kept', async (t) => {
    const { app, runs } = await scene(t, byResponse, () => ({ headers: { ...cached('max-age=10'), etag: '"v"', 'last-modified': modified } }))
    await ask(app, '/x')
    for (const condition of [{ 'if-none-match': '"a", W/"v"' }, { 'if-modified-since': modified }] as Record<string, string>[]) {
      t.match(await ask(app, '/x', condition), { status: 304, body: '', headers: { etag: '"v"', age: '0' }, cacheStatus: /hit/ })
    }
    t.match(await ask(app, '/x', { 'if-none-match': '"w"', 'if-modified-since': modified }), { status: 200, body: 'run 1' })
    t.equal(runs(), 1)
  })

  await t.test('§4.3.5 HEAD is answered from a stored GET, and its own response is not stored', async (t) => {
    for (const store of Object.values(BOTH)) {
      const { app, runs } = await scene(t, { store }, () => ({ headers: MINUTE }))
      t.match(await ask(app, '/x', {}, 'HEAD'), { status: 200, body: '', cacheStatus: /uri-miss/ })
      t.match(await ask(app, '/x'), { body: 'run 2', cacheStatus: /uri-miss/ })
      t.match(await ask(app, '/x', {}, 'HEAD'), { status: 200, body: '', headers: { 'content-length': '5' }, cacheStatus: /hit/ })
      t.equal(runs(), 2)
    }
  })
})

t.test('§4.3.5 HEAD of a stale stored response', async (t) => {
  const STALE = cached('max-age=10, stale-if-error=60')

  await t.test('a handler that fails: the stored response stays, and is served stale', async (t) => {
    const { app, time, runs } = await scene(t, byResponse, (run) => run === 1 ? { headers: STALE } : { status: 503 })
    await ask(app, '/x')
    time.advance(11)
    t.match(await ask(app, '/x', {}, 'HEAD'), { status: 200, body: '', headers: { 'content-length': '5', age: '11' }, cacheStatus: /fwd=stale; ttl=-1; detail="stale-if-error, error"/ })
    t.match(await ask(app, '/x'), { status: 200, body: 'run 1', cacheStatus: /hit/ })
    t.equal(runs(), 2)
    time.advance(60)
    t.match(await ask(app, '/x', {}, 'HEAD'), { status: 503 }, 'past the window')
  })

  await t.test('a 304 of the handler makes the stored response fresh, for GET as well', async (t) => {
    const { app, time, seen } = await scene(t, byResponse, (_run, { headers }) => ({ headers: { ...STALE, etag: '"v"' }, ...headers['if-none-match'] === '"v"' && { status: 304, body: null } }))
    await ask(app, '/x')
    time.advance(11)
    t.match(await ask(app, '/x', {}, 'HEAD'), { status: 200, body: '', headers: { 'content-length': '5', age: '0' }, cacheStatus: /fwd=stale; fwd-status=304; ttl=10; stored/ })
    t.match(await ask(app, '/x'), { status: 200, body: 'run 1', cacheStatus: /hit/ })
    t.equal(seen.length, 2)
  })

  await t.test('a full response is sent, and the stored one is left as it is', async (t) => {
    const { app, time } = await scene(t, byResponse, (run) => run === 3 ? { status: 503 } : { headers: { ...STALE, 'x-run': String(run) } })
    await ask(app, '/x')
    time.advance(11)
    t.match(await ask(app, '/x', {}, 'HEAD'), { status: 200, body: '', headers: { 'x-run': '2' }, cacheStatus: 'fastify; fwd=stale' })
    t.match(await ask(app, '/x'), { status: 200, body: 'run 1', headers: { 'x-run': '1' }, cacheStatus: /stale-if-error/ })
  })
})

t.test('§4.4 unsafe methods invalidate', async (t) => {
  const script: Script = (run, { method, headers }) => method === 'GET'
    ? { headers: { ...MINUTE, etag: `"${run}"` } }
    : { status: Number(headers['x-status']), headers: headers['x-headers'] === undefined ? {} : JSON.parse(headers['x-headers'] as string) }

  for (const [name, store] of Object.entries(BOTH)) {
    await t.test(`what succeeds invalidates its target alone, ${name}`, async (t) => {
      const { app } = await scene(t, { store }, script)
      for (const [status, method, isGone] of [[200, 'POST', true], [204, 'DELETE', true], [303, 'PUT', true], [404, 'POST', false], [500, 'DELETE', false]] as const) {
        for (const url of ['/x', '/x/1']) await ask(app, url)
        t.match(await ask(app, '/x', { 'x-status': String(status) }, method), { status, cacheStatus: 'fastify; fwd=method' })
        t.equal(/hit/.test((await ask(app, '/x')).cacheStatus), !isGone, `${method} ${status}`)
        t.match((await ask(app, '/x/1')).cacheStatus, /hit/)
      }
    })
  }

  await t.test('Location and Content-Location too, of the same origin', async (t) => {
    const { app } = await scene(t, byResponse, script)
    for (const [name, reference, isGone] of [
      ['location', '/x/1', true], ['content-location', 'x/1', true], ['location', 'http://localhost:80/x/1', true], ['location', '//localhost/x/1', true],
      ['location', 'http://other.example/x/1', false], ['content-location', 'https://localhost:80/x/1', false], ['location', '/x/2', false], ['location', 'http://[', false]
    ] as const) {
      await ask(app, '/x/1')
      await ask(app, '/x', { 'x-status': '201', 'x-headers': JSON.stringify({ [name]: reference }) }, 'POST')
      t.equal(/hit/.test((await ask(app, '/x/1')).cacheStatus), !isGone, `${name}: ${reference}`)
    }
  })

  await t.test('OPTIONS does not', async (t) => {
    const { app } = await scene(t, byResponse, script)
    app.options('/x', async () => 'GET')
    await ask(app, '/x')
    await ask(app, '/x', {}, 'OPTIONS')
    t.match((await ask(app, '/x')).cacheStatus, /hit/)
  })

  await t.test('every variant is gone, and a route that keeps nothing invalidates as well', async (t) => {
    const { app } = await scene(t, byResponse, () => ({ headers: { ...MINUTE, vary: 'accept' } }))
    app.get('/y', { config: { cache: byResponse } }, async (_request, reply) => reply.headers({ ...MINUTE, vary: 'accept' }).send('y'))
    app.post('/y', async () => 'done')
    for (const accept of ['a', 'b']) await ask(app, '/y', { accept })
    await ask(app, '/y', {}, 'POST')
    for (const accept of ['a', 'b']) t.match((await ask(app, '/y', { accept })).cacheStatus, /fwd/)
  })
})
