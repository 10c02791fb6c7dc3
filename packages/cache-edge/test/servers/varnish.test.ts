import t from 'tap'
import { herdAtExpiry } from '../fixtures/herd.js'
import { clientsInCanary } from '../fixtures/canary.js'
import { Origin } from '../fixtures/origin.js'
import { Proxy, until } from '@x/test-kit/proxies'
import { testSharedCache } from '../fixtures/shared-cache.js'

const origin = await Origin.start()
t.teardown(() => origin.close())
const varnish = await Proxy.start(t, 'varnish', origin.port)

const MINUTE = { 'cache-control': 'public, max-age=60' }
const ban = (tag: string, headers: Record<string, string> = {}) => varnish.ask('/', { method: 'BAN', headers: { 'x-ban-tag': tag, ...headers } })
const isHit = async (path: string, headers = {}): Promise<boolean> => (await varnish.ask(path, { headers })).headers['cache-status']!.includes('; hit')

t.test('a shared cache', async (t) => testSharedCache(t, varnish, origin))

t.test('BAN: removes what has the tag, and no tag that looks like it', async (t) => {
  const tags = { one: 'item-1', first: 'item-1 list', middle: 'a item-1 b', last: 'list item-1', longer: 'item-12', other: 'xitem-1 item-1x a-item-1', dot: 'a.b', letter: 'axb' }
  for (const [name, keys] of Object.entries(tags)) {
    origin.page(`/tag/${name}`, { headers: { ...MINUTE, 'surrogate-key': keys } })
    await varnish.ask(`/tag/${name}`)
  }
  t.match(await ban('item-1'), { status: 200 })
  for (const name of ['one', 'first', 'middle', 'last']) t.notOk(await isHit(`/tag/${name}`), name)
  for (const name of ['longer', 'other', 'dot', 'letter']) t.ok(await isHit(`/tag/${name}`), name)
  t.match(await ban('a.b'), { status: 200 })
  t.notOk(await isHit('/tag/dot'))
  t.ok(await isHit('/tag/letter'))
  t.match(await ban('org:7/user_3.x'), { status: 200 }, 'every character of a tag')
})

t.test('BAN: takes several tags, and removes what has one of them', async (t) => {
  const tags = { first: 'several-1', last: 'several-3 x', longer: 'several-12 several-1x', dot: 'sev.2', letter: 'sevx2', across: 'several-1several-2' }
  for (const [name, keys] of Object.entries(tags)) {
    origin.page(`/several/${name}`, { headers: { ...MINUTE, 'surrogate-key': keys } })
    await varnish.ask(`/several/${name}`)
  }
  t.match(await ban('several-1 sev.2 several-3'), { status: 200 })
  for (const name of ['first', 'last', 'dot']) t.notOk(await isHit(`/several/${name}`), name)
  for (const name of ['longer', 'letter', 'across']) t.ok(await isHit(`/several/${name}`), name)
  const longest = Array.from({ length: 32 }, (_none, at) => String(at).padStart(128, '.'))
  origin.page('/several/longest', { headers: { ...MINUTE, 'surrogate-key': longest.slice(16).join(' ') } })
  await varnish.ask('/several/longest')
  t.ok(await isHit('/several/longest'))
  t.match(await ban(longest.toReversed().join(' ')), { status: 200 })
  t.notOk(await isHit('/several/longest'))
  const short = Array.from({ length: 2000 }, (_none, at) => at.toString(36))
  origin.page('/several/short', { headers: { ...MINUTE, 'surrogate-key': `${'x.x '.repeat(2000)}${short.at(-1)}` } })
  await varnish.ask('/several/short')
  t.ok(await isHit('/several/short'))
  t.match(await ban(short.join(' ')), { status: 200 })
  t.notOk(await isHit('/several/short'), 'as many as a header holds')
})

t.test('BAN: * removes all, with tags and without', async (t) => {
  origin.page('/all/tag', { headers: { ...MINUTE, 'surrogate-key': 'all' } })
  origin.page('/all/plain', { headers: { ...MINUTE, vary: 'Accept-Language' } })
  const asks = [['/all/tag'], ['/all/plain'], ['/all/plain', { 'accept-language': 'de' }], ['/all/plain', { host: 'other.example' }]] as const
  for (const [path, headers] of asks) await isHit(path, headers)
  for (const [path, headers] of asks) t.ok(await isHit(path, headers), path)
  t.match(await ban('*'), { status: 200 })
  for (const [path, headers] of asks) t.notOk(await isHit(path, headers), path)
  for (const [path, headers] of asks) t.ok(await isHit(path, headers), `${path} is stored anew`)
})

t.test('BAN: removes all variants and hosts', async (t) => {
  origin.page('/tag/vary', { headers: { ...MINUTE, vary: 'Accept-Language', 'surrogate-key': 'v' } })
  const variants: Record<string, string>[] = [{ 'accept-language': 'de' }, { 'accept-language': 'fr' }, { host: 'other.example' }]
  for (const headers of variants) await varnish.ask('/tag/vary', { headers })
  await ban('v')
  for (const headers of variants) t.notOk(await isHit('/tag/vary', headers))
})

t.test('BAN: also of what was revalidated', async (t) => {
  origin.page('/tag/304', { headers: { 'cache-control': 'public, max-age=1', etag: '"v1"', 'surrogate-key': 'w' } })
  await varnish.ask('/tag/304')
  await until('it is revalidated', async () => {
    await varnish.ask('/tag/304')
    return origin.seen('/tag/304').length === 2
  })
  await ban('w')
  t.notOk(await isHit('/tag/304'))
})

t.test('BAN: a tag that could be more than a tag is refused', async (t) => {
  origin.page('/tag/safe', { headers: { ...MINUTE, 'surrogate-key': 'safe' } })
  await varnish.ask('/tag/safe')
  for (const tag of ['a" || obj.status != 0', '.*|', 'a b|', 'safe)|(', '\\w+', 'a&&b', '', 'ä', 'a'.repeat(129), `b ${'a'.repeat(129)}`, 'a  b', 'a\tb', '* a', 'a *', '**', 'a,b']) t.match(await ban(tag), { status: 400 }, tag)
  t.match(await varnish.ask('/', { method: 'BAN' }), { status: 400 }, 'no tag')
  t.ok(await isHit('/tag/safe'))
  t.match(await ban('a'.repeat(128)), { status: 200 })
})

t.test('BAN and PURGE: only from the list, and not through a proxy that is in it', async (t) => {
  origin.page('/guarded', { headers: { ...MINUTE, 'surrogate-key': 'guarded' } })
  await varnish.ask('/guarded')
  for (const method of ['BAN', 'PURGE']) {
    for (const tag of ['guarded', '*']) {
      const headers = { 'x-ban-tag': tag }
      t.match(await varnish.ask('/guarded', { method, from: '127.0.0.2', headers }), { status: 405 })
      t.match(await varnish.ask('/guarded', { method, headers: { ...headers, 'x-forwarded-for': '192.0.2.1' } }), { status: 405 })
    }
  }
  t.ok(await isHit('/guarded'))
  t.equal(origin.seen('/').length, 0, 'neither reaches the app')
})

t.test('PURGE: removes one URL, in all variants', async (t) => {
  origin.page('/purged', { headers: { ...MINUTE, vary: 'Accept-Language' } })
  for (const language of ['de', 'fr']) await varnish.ask('/purged', { headers: { 'accept-language': language } })
  await varnish.ask('/purged?x')
  t.match(await varnish.ask('/purged', { method: 'PURGE' }), { status: 200 })
  for (const language of ['de', 'fr']) t.notOk(await isHit('/purged', { 'accept-language': language }))
  t.ok(await isHit('/purged?x'))
})

t.test('an unsafe method that succeeds removes its URL, one that fails does not', async (t) => {
  let status = 200
  origin.page('/write', () => ({ headers: MINUTE, status }))
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    await varnish.ask('/write?a=1')
    t.match(await varnish.ask('/write?a=1', { method }), { headers: { 'cache-status': 'varnish; fwd=method' } })
    t.notOk(await isHit('/write?a=1'), method)
  }
  status = 422
  await varnish.ask('/write?a=1', { method: 'POST' })
  t.ok(await isHit('/write?a=1'))
})

t.test('stale-if-error also covers an app that answers 500', async (t) => {
  origin.page('/fails', { headers: { 'cache-control': 'public, max-age=1, stale-if-error=30', etag: '"v1"' } })
  origin.page('/fails-strict', { headers: { 'cache-control': 'public, max-age=1, must-revalidate, stale-if-error=30' } })
  await varnish.ask('/fails')
  await varnish.ask('/fails-strict')
  origin.fails = true
  t.teardown(() => { origin.fails = false })
  await until('the strict one is over', async () => (await varnish.ask('/fails-strict')).status === 500)
  for (let i = 0; i < 3; i++) t.match(await varnish.ask('/fails'), { status: 200, body: 'run 1', headers: { 'cache-status': /; hit; ttl=-/ } })
  t.ok(origin.seen('/fails').length >= 2, 'the app was asked')
  origin.fails = false
  await until('it is revalidated', async () => !(await varnish.ask('/fails')).headers['cache-status']!.includes('ttl=-'))
})

t.test('a 503 that Varnish made itself is not called stored, and is over as soon as the app is back', async (t) => {
  origin.page('/unreachable', { headers: MINUTE })
  await origin.close()
  for (let times = 0; times < 2; times++) t.match(await varnish.ask('/unreachable'), { status: 503, headers: { 'cache-status': 'varnish; fwd=miss' } })
  await origin.open()
  // The test waits, since Varnish tries a refused connection again only after 250 ms (backend_remote_error_holddown).
  let cacheStatus: string | undefined
  await until('the app answers', async () => {
    const { status, headers } = await varnish.ask('/unreachable')
    cacheStatus = headers['cache-status']
    return status === 200
  })
  t.equal(cacheStatus, 'varnish; fwd=miss; stored')
})

t.test('50 GETs at the expiry of a must-revalidate response are one request to the app', async (t) => {
  t.equal((await herdAtExpiry(varnish, origin, '/herd', 'public, max-age=1, must-revalidate')).asked, 1)
})

t.test('a Range is cut from the stored response', async (t) => {
  origin.page('/cut', { headers: MINUTE, body: '0123456789' })
  for (let i = 0; i < 2; i++) t.match(await varnish.ask('/cut', { headers: { range: 'bytes=2-4' } }), { status: 206, body: '234' })
  t.equal(origin.seen('/cut').length, 1)
})

t.test('a list of ETags is compared as one, so that the client gets the whole response', async (t) => {
  origin.page('/list', { headers: { ...MINUTE, etag: '"v1"' } })
  await varnish.ask('/list')
  t.match(await varnish.ask('/list', { headers: { 'if-none-match': '"v0", "v1"' } }), { status: 200, body: 'run 1' })
})

t.test('Age is the time that a response has been stored', async (t) => {
  origin.page('/age', { headers: MINUTE })
  await varnish.ask('/age')
  await until('it is a second old', async () => Number((await varnish.ask('/age')).headers.age) >= 1)
})

t.test('internal headers of a client steer nothing', async (t) => {
  origin.page('/steered', { headers: { 'cache-control': 'public, max-age=1, must-revalidate' } })
  origin.page('/steered-error', { headers: { 'cache-control': 'public, max-age=1, stale-if-error=30' } })
  origin.page('/steered-while', { headers: { 'cache-control': 'public, max-age=1, stale-while-revalidate=30' } })
  for (const path of ['/steered', '/steered-error', '/steered-while']) await varnish.ask(path)
  const end = Date.now() + 1100
  await until('their lifetime is over', () => Date.now() > end)
  const steered = (path: string, stage: string) => varnish.ask(path, { headers: { 'x-edge-stage': stage, 'x-edge-forward': 'hit', 'x-edge-while-revalidate': '99' } })
  t.equal((await steered('/steered', 'on-error')).body, 'run 2')
  t.equal((await steered('/steered-error', 'on-error')).body, 'run 2', 'the app answers, so nothing stale')
  t.match(await steered('/steered-while', 'refetch'), { body: 'run 1', headers: { 'cache-status': /; hit; ttl=-/ } }, 'within the window nobody waits for the app')
})

t.test('X-Edge-Stage of a client does not reach the app, and what fails is not sent to it again', async (t) => {
  origin.page('/sent-once', { headers: MINUTE, status: 500, body: 'the app\'s own words' })
  for (const [times, method] of [[1, 'GET'], [2, 'POST']] as const) {
    t.match(await varnish.ask('/sent-once', { method, headers: { 'x-edge-stage': 'refetch' } }), { status: 500, body: 'the app\'s own words' }, method)
    t.equal(origin.seen('/sent-once').length, times, method)
  }
  t.notOk(origin.seen('/sent-once').some(({ headers }) => 'x-edge-stage' in headers))
})

t.test('the canary: the same 10 % of 1000 clients go through the cache', async (t) => {
  const canary = await Proxy.start(t, 'varnish', origin.port, { canary: true })
  await clientsInCanary(t, canary, origin)
})
