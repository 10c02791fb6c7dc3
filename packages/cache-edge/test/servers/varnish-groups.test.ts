import t from 'tap'
import { Proxy } from '@x/test-kit/proxies'
import { Origin } from '../fixtures/origin.js'

const origin = await Origin.start()
t.teardown(() => origin.close())
const varnish = await Proxy.start(t, 'varnish', origin.port)

const MINUTE = { 'cache-control': 'public, max-age=60' }
const isHit = async (path: string, headers = {}): Promise<boolean> => (await varnish.ask(path, { headers })).headers['cache-status']!.includes('; hit')

/** Stores a page for each list of groups; the paths of the pages begin with the prefix. */
async function store (prefix: string, pages: Readonly<Record<string, string | string[]>>): Promise<void> {
  for (const [name, groups] of Object.entries(pages)) {
    origin.page(`${prefix}/${name}`, { headers: { ...MINUTE, 'cache-groups': groups } })
    await varnish.ask(`${prefix}/${name}`)
  }
}

/** Sends a write whose response invalidates groups. */
async function write (field: string | string[], { method = 'POST', status = 200, headers = {} } = {}): Promise<void> {
  origin.page('/write', { headers: { 'cache-group-invalidation': field }, status })
  t.equal((await varnish.ask('/write', { method, headers })).status, status)
}

t.test('Cache-Group-Invalidation: removes what is in one of the groups, and in no group that looks like it (RFC 9875 §3)', async (t) => {
  await store('/groups', {
    one: '"a"',
    last: '"x", "a"',
    lines: ['"x"', '"a"'],
    parameter: '"a";p=1, "y"',
    dot: '"a.c"',
    blank: '"a b"',
    signs: '"(a|b)*"',
    longer: '"aa"',
    letter: '"abc"',
    inside: '"x a y"',
    quoted: '"\\"a\\""',
    token: 'a',
    capital: '"A"'
  })
  await write('"a","a.c" ,\t"(a|b)*"')
  for (const name of ['one', 'last', 'lines', 'parameter', 'dot', 'signs']) t.notOk(await isHit(`/groups/${name}`), name)
  for (const name of ['blank', 'longer', 'letter', 'inside', 'quoted', 'token', 'capital']) t.ok(await isHit(`/groups/${name}`), name)
  await write(['"none"', '"a b"'])
  t.notOk(await isHit('/groups/blank'))
  t.ok(await isHit('/groups/longer'))
})

t.test('Cache-Group-Invalidation: removes nothing of another host', async (t) => {
  await store('/hosts', { page: '"a"' })
  await isHit('/hosts/page', { host: 'other.example' })
  await write('"a"', { headers: { host: 'other.example' } })
  t.ok(await isHit('/hosts/page'))
  t.notOk(await isHit('/hosts/page', { host: 'other.example' }))
})

t.test('Cache-Group-Invalidation: is ignored on a safe method and on an error', async (t) => {
  await store('/ignored', { page: '"a"' })
  await write('"a"', { method: 'GET' })
  await write('"a"', { method: 'OPTIONS' })
  await write('"a"', { status: 422 })
  await write('"a"', { status: 500 })
  t.ok(await isHit('/ignored/page'))
  await write('"a"', { method: 'DELETE', status: 303 })
  t.notOk(await isHit('/ignored/page'))
})

t.test('Cache-Group-Invalidation: no list of plain strings removes nothing', async (t) => {
  await store('/lists', { page: '"a", "b"' })
  for (const field of ['a', '"a', '"a" "b"', '"a",', ',"a"', '("a")', '"x\\"a"', '".*", "a\\', '"', '""', '", "']) await write(field)
  t.ok(await isHit('/lists/page'))
})

t.test('Cache-Group-Invalidation: Cache-Groups is passed on, and no field of the VCL', async (t) => {
  await store('/passed', { page: '"a"' })
  for (const method of ['GET', 'POST']) {
    const { headers } = await varnish.ask('/passed/page', { method })
    t.equal(headers['cache-groups'], '"a"')
    t.same(Object.keys(headers).filter((name) => name.startsWith('x-')), [])
  }
})
