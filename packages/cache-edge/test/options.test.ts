import { getHashes } from 'node:crypto'
import t from 'tap'
import type { EdgePolicy } from '../src/index.js'
import { ask, buildEdge } from './fixtures/edge-app.js'
import { isHit, page } from './fixtures/page.js'
import { warningsTo, type Warning } from './fixtures/warnings.js'

const tags = (count: number): string[] => Array.from({ length: count }, (_none, at) => `tag:${at}`)

for (const [options, path, allowed] of [
  [{ hosts: [] }, 'hosts', /1 items/],
  [{ hosts: ['https://example.com'] }, 'hosts.0', /Host header/],
  [{ hosts: ['a.example', 'example.com/path'] }, 'hosts.1', /Host header/],
  [{ hosts: ['*.example.com'] }, 'hosts.0', /Host header/],
  [{ hosts: ['example.com:'] }, 'hosts.0', /Host header/],
  [{ hosts: [''] }, 'hosts.0', /Host header/],
  [{ ignoreCookies: ['_ga', 'a=b'] }, 'ignoreCookies.1', /name of a cookie/],
  [{ ignoreCookies: ['a; b'] }, 'ignoreCookies.0', /name of a cookie/],
  [{ ignoreCookies: [' a'] }, 'ignoreCookies.0', /name of a cookie/],
  [{ rules: [{ prefix: '/a' }, { prefix: '/b' }, { prefix: '/a', maxAge: 5 }] }, 'rules.2.prefix', /no other rule/],
  [{ rules: [{ prefix: '/', tags: tags(49) }] }, 'rules.0.tags', /at most 48/],
  [{ rules: [{ prefix: '/', tags: ['a', 'b c'] }] }, 'rules.0.tags', /at most 48/],
  [{ rules: [{ prefix: '/', vary: ['a b'] }] }, 'rules.0.vary.0', /name of a header/],
  [{ rules: [{ prefix: 'a' }] }, 'rules.0.prefix', /begins with \//],
  [{ etag: { algorithm: 'nope' } }, 'etag.algorithm', /crypto\.getHashes\(\)/],
  [{ etag: { algorithm: '' } }, 'etag.algorithm', /crypto\.getHashes\(\)/],
  [{ etag: { algorithm: 1 } }, 'etag.algorithm', /string/],
  [{ proxies: 'none' }, 'proxies', /^"cookie-aware"$/],
  [{ proxies: ['cookie-aware'] }, 'proxies', /^"cookie-aware"$/],
  [{ etagSuffixes: '-gzip' }, 'etagSuffixes', /array/],
  [{ etagSuffixes: ['-gzip', ''] }, 'etagSuffixes.1', /suffix of an ETag/],
  [{ etagSuffixes: ['-gzip"'] }, 'etagSuffixes.0', /suffix of an ETag/],
  [{ etagSuffixes: ['- gzip'] }, 'etagSuffixes.0', /suffix of an ETag/],
  [{ etagSuffixes: Array(9).fill('-gzip') }, 'etagSuffixes', /8 items/],
  [{ tagHeader: 'X' }, 'tagHeader', /^"Surrogate-Key", "Cache-Tag" or false$/],
  [{ tagHeader: true }, 'tagHeader', /^"Surrogate-Key", "Cache-Tag" or false$/],
  [{ tagHeader: null }, 'tagHeader', /^"Surrogate-Key", "Cache-Tag" or false$/]
] as [object, string, RegExp][]) {
  t.test(`options: ${JSON.stringify(options).slice(0, 80)} is refused at ${path}`, async (t) => {
    const error = await buildEdge(t, { edge: options }).then(() => undefined, (reason: Error & { code: string }) => reason)
    t.equal(error?.code, 'CACHE_ERR_OPTION_INVALID')
    t.equal(/^Option "([^"]+)" is invalid: /.exec(error!.message)?.[1], path)
    t.match(/allowed is (.*)$/.exec(error!.message)?.[1], allowed)
  })
}

t.test('options: what is right is taken', async (t) => {
  await buildEdge(t, {
    edge: {
      hosts: ['example.com', 'Example.com:8443', 'localhost', '127.0.0.1:3000', '[::1]', '[::1]:3000', 'my_service'],
      ignoreCookies: ['_ga', '_ga_AB12', '__Host-theme', 'a[b]', 'a*'],
      rules: [{ prefix: '/a' }, { prefix: '/a/' }, { prefix: '/', tags: tags(48), maxAge: 0 }],
      tagHeader: 'Cache-Tag'
    }
  })
  for (const algorithm of ['SHA256', ...getHashes()]) await buildEdge(t, { edge: { etag: { algorithm } } })
})

t.test('hosts: the port counts as in the Host header', async (t) => {
  const { app } = await page(t, { edge: { hosts: ['A.example', 'b.example:8443'] } })
  for (const [host, isKept] of [['a.example', true], ['a.example:8443', false], ['b.example:8443', true], ['b.example', false], ['c.example', false]] as const) {
    await ask(app, '/a', { host })
    t.equal(isHit(await ask(app, '/a', { host })), isKept, host)
  }
})

for (const [cache, named] of [
  [null, /an object with members of a policy, or false/],
  [true, /an object with members of a policy, or false/],
  ['no', /an object with members of a policy, or false/],
  [0, /an object with members of a policy, or false/],
  [[], /an object with members of a policy, or false/],
  [{ maxAge: '5' }, /"maxAge" is invalid: got "5"/],
  [{ maxage: 5 }, /"maxage" is invalid: got an unknown option/],
  [{ tags: tags(49) }, /at most 48/]
] as [EdgePolicy, RegExp][]) {
  t.test(`config.cache: ${JSON.stringify(cache).slice(0, 40)} is refused with its route`, async (t) => {
    const app = await buildEdge(t, { edge: { personal: ['/me'] } })
    for (const url of ['/a', '/me']) {
      t.throws(() => app.get(url, { config: { cache } }, async () => 'x'), { code: 'CACHE_ERR_OPTION_INVALID', message: named })
      t.throws(() => app.route({ method: ['GET', 'POST'], url, config: { cache }, handler: async () => 'x' }), { message: `config.cache of GET,POST ${url}: ` })
    }
  })
}

t.test('config.cache: false is taken', async (t) => {
  const app = await buildEdge(t, { edge: { rules: [{ prefix: '/' }] } })
  app.get('/a', { config: { cache: false } }, async () => 'x')
  t.equal((await ask(app, '/a')).headers['cache-control'], 'no-cache', 'for its computed tag alone')
})

t.test('a lifetime that looks like milliseconds is logged once for its rule or route, unless it is immutable', async (t) => {
  const warnings: Warning[] = []
  const rules = [
    { prefix: '/long', maxAge: 300_000 }, { prefix: '/assets', maxAge: 31_536_000, immutable: true }, { prefix: '/day', maxAge: 86_400 },
    { prefix: '/cdn', maxAge: 0, cdnMaxAge: 3_600_000 },
    { prefix: '/week', maxAge: 604_800 }, { prefix: '/purged', maxAge: 0, cdnMaxAge: 604_800 }, { prefix: '/year', maxAge: 60, sMaxAge: 31_536_000 }
  ]
  const app = await buildEdge(t, { server: warningsTo(warnings), edge: { rules } })
  for (const url of ['/long/a', '/long/b', '/assets/a', '/day/a', '/cdn/a', '/week/a', '/purged/a', '/year/a']) app.get(url, async () => 'x')
  app.get('/long/own', { config: { cache: { sMaxAge: 90_000, store: true } } }, async () => 'x')
  app.get('/assets/own', { config: { cache: { maxAge: 900_000 } } }, async () => 'x')
  app.get('/none', { config: { cache: { maxAge: 5 } } }, async () => 'x')
  await app.ready()
  t.match(warnings.filter(({ msg }) => msg.includes('milliseconds')), [
    { maxAge: 300_000, msg: /the rule "\/long" is 3\.5 days.*seconds.*immutable/ },
    { cdnMaxAge: 3_600_000, msg: /the rule "\/cdn" is 41\.7 days; it is in seconds, not milliseconds$/ },
    { sMaxAge: 90_000, msg: /the route "\/long\/own"/ }
  ])
  t.equal(warnings.filter(({ msg }) => msg.includes('milliseconds')).length, 3)
  for (const name of ['maxAge', 'sMaxAge', 'cdnMaxAge']) {
    await t.rejects(buildEdge(t, { edge: { rules: [{ prefix: '/day', maxAge: 0, [name]: 86_400_000 }] } }), { code: 'CACHE_ERR_OPTION_INVALID' }, 'the milliseconds of a day')
  }
})
