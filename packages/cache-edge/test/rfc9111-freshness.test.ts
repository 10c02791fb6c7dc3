import { formatHttpDate } from '@x/cache-core/suite'
import t from 'tap'
import { ask, NOON, type Fields } from './fixtures/edge-app.js'
import { BOTH, byResponse, cached, MINUTE, scene } from './fixtures/scene.js'

// Rows with the seconds after which the response is no hit; the response cannot be validated.
const lifetimes: Array<[section: string, headers: Fields, seconds: number]> = [
  ['§4.2.1 max-age', cached('max-age=30'), 30],
  ['§4.2.1 s-maxage', cached('max-age=5, s-maxage=30'), 30],
  ['§4.2.1 Expires - Date', { date: formatHttpDate(NOON), expires: formatHttpDate(NOON + 30_000) }, 30],
  ['§4.2.1 of two max-age the shorter', cached('max-age=30, max-age=40'), 30],
  ['§4.2.3 Age of what came from upstream', { ...cached('max-age=40'), age: '10' }, 30],
  ['§4.2.3 Date of what was long under way', { ...cached('max-age=40'), date: formatHttpDate(NOON - 10_000) }, 30],
  ['§4.2.3 of Age and Date the older', { ...cached('max-age=40'), age: '3', date: formatHttpDate(NOON - 10_000) }, 30],
  ['RFC 9213 CDN-Cache-Control', { ...cached('max-age=5'), 'cdn-cache-control': 'max-age=30' }, 30]
]

t.test('§4.2 freshness', async (t) => {
  for (const [name, store] of Object.entries(BOTH)) {
    for (const [section, headers, seconds] of lifetimes) {
      await t.test(`${section}, ${name}`, async (t) => {
        const { app, time, runs } = await scene(t, { store }, () => ({ headers }))
        await ask(app, '/x')
        time.advance(seconds - 1)
        t.match((await ask(app, '/x')).cacheStatus, /; hit; ttl=1$/)
        time.advance(1)
        t.match((await ask(app, '/x')).cacheStatus, /; fwd=(stale|uri-miss)$/)
        t.equal(runs(), 2)
      })
    }
  }

  await t.test('§4.2.3 a wall clock that is set back makes no response younger', async (t) => {
    const { app, time } = await scene(t, byResponse, () => ({ headers: cached('max-age=30, stale-if-error=60') }))
    await ask(app, '/x')
    time.advance(20)
    const { now } = Date
    Date.now = () => now() - 8 * 3600_000
    t.teardown(() => { Date.now = now })
    const answer = await ask(app, '/x')
    Date.now = now
    t.match(answer.cacheStatus, /; hit; ttl=10$/)
  })

  await t.test('§4.2.2 there are no heuristics: by response, no lifetime is no storing', async (t) => {
    const { app, runs } = await scene(t, byResponse, () => ({ headers: { 'last-modified': formatHttpDate(NOON - 864e5) } }))
    for (let times = 0; times < 2; times++) t.match((await ask(app, '/x')).cacheStatus, /fwd=uri-miss/)
    t.equal(runs(), 2)
  })

  await t.test('§4.2.2 public without a lifetime is stored to be validated', async (t) => {
    const { app, seen } = await scene(t, byResponse, (run) => run === 1 ? { headers: { ...cached('public'), etag: '"v"' } } : { status: 304, body: null })
    await ask(app, '/x')
    t.match(await ask(app, '/x'), { status: 200, body: 'run 1' })
    t.equal(seen[1]!['if-none-match'], '"v"')
  })

  await t.test('by policy, the lifetime is that of the policy where the response has none', async (t) => {
    const { app, time, runs } = await scene(t, { store: true, maxAge: 5, cdnMaxAge: 20 }, () => ({}))
    await ask(app, '/x')
    time.advance(19)
    t.match((await ask(app, '/x')).cacheStatus, /hit; ttl=1/)
    time.advance(1)
    await ask(app, '/x')
    t.equal(runs(), 2)
  })
})

t.test('§4.2.4 what must not be served stale fails with its handler', async (t) => {
  for (const control of ['must-revalidate', 'proxy-revalidate', 'no-cache', 's-maxage=10']) {
    await t.test(control, async (t) => {
      const { app, time, runs } = await scene(t, byResponse, (run) => run === 1
        ? { headers: { ...cached(`max-age=10, stale-while-revalidate=60, stale-if-error=60, ${control}`), etag: '"v"' } }
        : { status: 500 })
      await ask(app, '/x')
      time.advance(11)
      t.match(await ask(app, '/x'), { status: 500, cacheStatus: /fwd=stale/ })
      t.equal(runs(), 2)
    })
  }
})

t.test('§5.1 a stored response has Age, and its own Date', async (t) => {
  const { app, time } = await scene(t, { store: true }, () => ({ headers: MINUTE }))
  t.equal((await ask(app, '/x')).headers.age, undefined)
  time.advance(7.9)
  t.match((await ask(app, '/x')).headers, { age: '7', date: formatHttpDate(NOON) })
  const upstream = await scene(t, byResponse, () => ({ headers: { ...MINUTE, age: '5', date: formatHttpDate(NOON - 3000) } }))
  t.equal((await ask(upstream.app, '/x')).headers.age, '5')
  upstream.time.advance(2)
  t.match((await ask(upstream.app, '/x')).headers, { age: '7', date: formatHttpDate(NOON - 3000) })
})
