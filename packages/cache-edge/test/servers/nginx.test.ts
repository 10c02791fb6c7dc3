import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { herdAtExpiry, lifetimeIsOver } from '../fixtures/herd.js'
import { clientsInCanary } from '../fixtures/canary.js'
import { Origin } from '../fixtures/origin.js'
import { Proxy, until } from '@x/test-kit/proxies'
import { testSharedCache } from '../fixtures/shared-cache.js'

const origin = await Origin.start()
t.teardown(() => origin.close())
const nginx = await Proxy.start(t, 'nginx', origin.port)
const patient = await Proxy.start(t, 'nginx', origin.port, { isPatient: true })

t.test('a shared cache', async (t) => testSharedCache(t, nginx, origin, patient))

t.test('a write does not invalidate its URL, nor does PURGE: the app\'s lifetime has to be short', async (t) => {
  origin.page('/write', { headers: { 'cache-control': 'public, max-age=60' } })
  await nginx.ask('/write')
  t.match(await nginx.ask('/write', { method: 'POST' }), { body: 'run 2', headers: { 'cache-status': 'nginx; fwd=method' } })
  await nginx.ask('/write', { method: 'PURGE' })
  t.equal((await nginx.ask('/write')).body, 'run 1')
})

t.test('stale-if-error covers an app that is away, not one that answers 500', async (t) => {
  origin.page('/away', { headers: { 'cache-control': 'public, max-age=1, stale-if-error=30' } })
  await nginx.ask('/away')
  origin.fails = true
  t.teardown(() => { origin.fails = false })
  await until('the 500 is passed on', async () => (await nginx.ask('/away')).status === 500)
})

t.test('50 GETs at the expiry of a response are one request to the app, with must-revalidate and with a stale window', async (t) => {
  for (const [path, window] of [['/herd', 'must-revalidate'], ['/herd-stale', 'stale-while-revalidate=300']] as const) {
    const { asked, seconds } = await herdAtExpiry(patient, origin, path, `public, max-age=1, ${window}`)
    // Revalidations are shared within a second of the clock; a busy machine spreads the requests over more of them.
    t.ok(asked <= seconds, `${window}: ${asked} in ${seconds} s`)
  }
})

t.test('requests for an expired response share no response that has become private, nor one of another language', async (t) => {
  const headers = { 'cache-control': 'public, max-age=1, must-revalidate' }
  const byLanguage = { ...headers, vary: 'Accept-Language' }
  origin.page('/now-private', { headers })
  origin.page('/languages', ({ headers }) => ({ headers: byLanguage, body: String(headers['accept-language']), delayMs: 100 }))
  const inLanguage = async (language: string) => (await nginx.ask('/languages', { headers: { 'accept-language': language }, from: '127.0.0.1' })).body
  await nginx.ask('/now-private')
  for (const language of ['de', 'fr']) await inLanguage(language)
  await lifetimeIsOver()
  origin.page('/now-private', { headers: { 'cache-control': 'private' }, delayMs: 100 })
  const bodies = await Promise.all(Array.from({ length: 10 }, async () => (await nginx.ask('/now-private', { from: '127.0.0.1' })).body))
  t.equal(new Set(bodies).size, 10)
  const languages = Array.from({ length: 10 }, (_none, at) => at % 2 === 0 ? 'de' : 'fr')
  t.same(await Promise.all(languages.map(inLanguage)), languages)
})

t.test('X-Accel-Expires of a new response counts behind an expired one, and no field of the configuration reaches the app', async (t) => {
  const page = (lifetime: string) => ({ headers: { 'cache-control': 'public, max-age=60', 'x-accel-expires': lifetime } })
  origin.page('/accel', page('1'))
  await nginx.ask('/accel')
  await lifetimeIsOver()
  t.equal((await nginx.ask('/accel', { headers: { 'x-edge-outcome': 'HIT' } })).body, 'run 2')
  await lifetimeIsOver()
  t.equal((await nginx.ask('/accel')).body, 'run 3')
  t.notOk(origin.seen('/accel').some(({ headers }) => 'x-edge-outcome' in headers))
})

t.test('a list of ETags is understood', async (t) => {
  origin.page('/list', { headers: { 'cache-control': 'public, max-age=60', etag: '"v1"' } })
  await nginx.ask('/list')
  t.match(await nginx.ask('/list', { headers: { 'if-none-match': '"v0", "v1"' } }), { status: 304 })
})

t.test('the log has the arm and the outcome of each request', async (t) => {
  origin.page('/logged', { headers: { 'cache-control': 'public, max-age=60' } })
  for (const headers of [undefined, undefined, { authorization: 'x' }]) await nginx.ask('/logged', { headers })
  const lines = (): string[] => readFileSync(join(nginx.folder, 'run/access.log'), 'utf8').split('\n').filter((line) => line.includes('/logged'))
  await until('all are written', () => lines().length === 3)
  t.match(lines(), [/" 200 cached MISS /, /" 200 cached HIT /, /" 200 cached - /])
})

t.test('the canary: the same 10 % of 1000 clients go through the cache', async (t) => {
  const canary = await Proxy.start(t, 'nginx', origin.port, { canary: true })
  await clientsInCanary(t, canary, origin)
})
