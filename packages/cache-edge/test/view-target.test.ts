import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import type { CacheEdgeOptions, EdgePolicy } from '../src/index.js'
import { ask, buildEdge } from './fixtures/edge-app.js'
import { isHit } from './fixtures/page.js'
import { tellAll } from './fixtures/tell-all.js'
import { isStored, second, send } from './fixtures/two-clients.js'

type Build = (t: Test) => Promise<FastifyInstance>

/** Returns a function that builds an app whose handlers answer with everything they see of the request. */
function appShowing (
  { server = {}, edge = {}, cache = {} }: { server?: FastifyServerOptions; edge?: CacheEdgeOptions; cache?: EdgePolicy } = {}
): Build {
  return async (t) => {
    const app = await buildEdge(t, { server, edge })
    for (const url of ['/', '/p/:id', '/:a/:b/:c', '/static', '/static/']) {
      if (server.routerOptions?.ignoreTrailingSlash === true && url === '/static/') continue
      app.get(url, { config: { cache: { store: true, ...cache } } }, async (request, reply) => reply.header('cache-control', 'max-age=60').send(`${url} ${tellAll(request)}`))
    }
    return app
  }
}

const FRAGMENTS = ['/p/x#lang=evil', '/p/x#', '/p/x?a=1#b=2', '/p/x#?a=1', '/#evil', '/p/x%23#evil']

for (const store of [true, 'by-response'] as const) {
  t.test(`a fragment becomes no query of the plain URL: store ${String(store)}`, async (t) => {
    const build = appShowing({ cache: { store } })
    for (const target of FRAGMENTS) {
      const plain = { target: target.slice(0, target.indexOf('#')) }
      await second(t, build, { target }, plain, `${target}, then the plain URL`)
      t.notOk(await second(t, build, plain, { target }, `the plain URL, then ${target}`), 'nor is it answered from the store')
    }
  })
}

t.test('a target with a fragment is marked as private, since caches in front cut the fragment, also without store', async (t) => {
  for (const store of [true, false, 'by-response'] as const) {
    const app = await buildEdge(t)
    app.get('/*', { config: { cache: { store } } }, async (request) => request.query)
    for (const target of [...FRAGMENTS, 'http://a.example/p/x']) {
      const { status, fields } = await send(app, { target })
      t.match([status, fields['cache-control']], [200, 'private, no-cache'], target)
      if (store !== false) t.equal(fields['cache-status'], 'fastify; fwd=bypass; detail=target', target)
    }
    t.not((await send(app, { target: '/p/x' })).fields['cache-control'], 'private, no-cache')
  }
})

t.test('a whole URL as target is answered by the handler, and makes no entry of another host', async (t) => {
  const build = appShowing()
  for (const target of ['http://evil.example/p/x', 'http://a.example/p/x', 'HTTP://A.EXAMPLE/p/x', 'http://a.example/p/x?a#b']) {
    t.notOk(await second(t, build, { target }, { target: '/p/x' }, target))
    t.notOk(await second(t, build, { target }, { target }, target))
    await second(t, build, { target: '/p/x' }, { target }, target)
  }
})

const routers: Record<string, FastifyServerOptions> = {
  'the default router': {},
  'caseSensitive: false': { routerOptions: { caseSensitive: false } },
  ignoreTrailingSlash: { routerOptions: { ignoreTrailingSlash: true } },
  ignoreDuplicateSlashes: { routerOptions: { ignoreDuplicateSlashes: true } },
  useSemicolonDelimiter: { routerOptions: { useSemicolonDelimiter: true } as object },
  'a querystringParser that sorts': { routerOptions: { querystringParser: (text) => ({ text: text.split('&').sort().join('&') }) } },
  'all of them': { routerOptions: { caseSensitive: false, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, useSemicolonDelimiter: true } as object }
}
// Spellings of URLs: each is equivalent to another one of the list under one of the options.
const SPELLINGS = ['/p/x', '/P/x', '/p/X', '/p/x/', '//p/x', '/p//x', '/p/%78', '/p/x?a=1&b=2', '/p/x?b=2&a=1', '/p/x;a=1&b=2', '/p/x;a=1', '/p/x?a=1', '/p/x?', '/p/x%3Fa=1', '/p/x%23a', '/p/x#a=1', '/static', '/static/', '/STATIC']

for (const [name, server] of Object.entries(routers)) {
  t.test(`two spellings of a URL are one entry only if the handler sees the same: ${name}`, async (t) => {
    const build = appShowing({ server })
    const alone = new Map<string, string>()
    const empty = await build(t)
    for (const target of SPELLINGS) {
      alone.set(target, (await send(empty, { target })).body)
      await empty.cache.clear()
    }
    for (const order of [SPELLINGS, [...SPELLINGS].reverse()]) {
      const app = await build(t)
      const others: string[] = []
      for (const target of [...order, ...order]) {
        const { body } = await send(app, { target })
        if (body !== alone.get(target)) others.push(`${target}: ${body}`)
      }
      t.same(others, [], 'each is answered as it is alone')
      t.ok(isStored(await send(app, { target: '/p/x' })), 'so that this means something')
    }
  })
}

const strip = (url: string): string => url.replace(/^\/v\d/, '')

t.test('rewriteUrl: two URLs that are rewritten to one have an entry each, since the handler sees originalUrl', async (t) => {
  const build = appShowing({ server: { rewriteUrl: ({ url = '/' }) => strip(url) } })
  for (const [one, other] of [['/v1/p/x', '/v2/p/x'], ['/v1/p/x', '/p/x'], ['/p/x', '/v1/p/x']] as const) t.notOk(await second(t, build, { target: one }, { target: other }, `${one}, ${other}`))
  t.ok(await second(t, build, { target: '/v1/p/x' }, { target: '/v1/p/x' }, 'the same'))
})

t.test('rewriteUrl: a header that it reads is no way into the entry of another URL', async (t) => {
  const build = appShowing({ server: { rewriteUrl: ({ url = '/', headers }) => headers['x-tenant'] === undefined ? url : `/p/${String(headers['x-tenant'])}` } })
  const evil = { target: '/p/x', headers: ['Host: a.example', 'X-Tenant: evil'] }
  t.notOk(await second(t, build, evil, { target: '/p/x' }, 'the tenant, then the plain URL'))
  t.notOk(await second(t, build, { target: '/p/x' }, evil, 'the plain URL, then the tenant'))
  t.notOk(await second(t, build, evil, { target: '/p/evil' }, 'the URL that it is rewritten to'))
})

t.test('rewriteUrl: a personal prefix counts for the URL that the client asked for and for the one that it was rewritten to', async (t) => {
  for (const personal of ['/account', '/intern']) {
    const app = await buildEdge(t, { edge: { personal: [personal] }, server: { rewriteUrl: ({ url = '/' }) => url.replace('/account', '/intern') } })
    let runs = 0
    app.get('/*', { config: { cache: { store: true } } }, async () => `run ${++runs}`)
    for (const run of [1, 2]) t.match(await ask(app, '/account/x'), { body: `run ${run}`, headers: { 'cache-control': 'private, no-cache' } })
  }
})

t.test('rewriteUrl: an unsafe method on either spelling invalidates the response', async (t) => {
  for (const target of ['/v1/x', '/x']) {
    const app = await buildEdge(t, { server: { rewriteUrl: ({ url = '/' }) => strip(url) } })
    let runs = 0
    app.get('/x', { config: { cache: { store: true } } }, async () => `run ${++runs}`)
    app.put('/x', async () => 'done')
    await ask(app, '/v1/x')
    t.ok(isHit(await ask(app, '/v1/x')))
    await ask(app, target, {}, 'PUT')
    t.equal((await ask(app, '/v1/x')).body, 'run 2', target)
  }
})

t.test('a host is keyed and shown in lower case: no client chooses the spelling for others', async (t) => {
  for (const server of [{}, { trustProxy: true }]) {
    const build = appShowing({ server })
    t.ok(await second(t, build, { headers: ['Host: EVIL.Example'] }, { headers: ['Host: evil.example'] }, 'upper case first'))
    t.ok(await second(t, build, { headers: ['hOST: evil.example'] }, { headers: ['Host: evil.EXAMPLE'] }, 'lower case first'))
    await second(t, build, { version: '1.0', headers: [] }, { headers: ['Host:'] }, 'none, then an empty one')
    await second(t, build, { headers: ['Host:'] }, { version: '1.0', headers: [] }, 'an empty one, then none')
    t.notOk(await second(t, build, { headers: ['Host: a.example:80'] }, { headers: ['Host: a.example'] }, 'with a port'))
  }
})

const FORWARDED: readonly string[][] = [
  ['Host: inner.example', 'X-Forwarded-Host: a.example'], ['Host: a.example'], ['Host: evil.example', 'X-Forwarded-Host: a.example'], ['Host: a.example', 'X-Forwarded-Host: A.Example'],
  ['Host: a.example', 'X-Forwarded-Host: evil.example, a.example'], ['Host: a.example', 'X-Forwarded-Proto: HTTP'], ['Host: a.example', 'X-Forwarded-Proto: https, http'],
  ['Host: a.example', 'X-Forwarded-Proto: https'], ['Host: a.example', 'X-Forwarded-Host:'], ['Host: a.example', 'X-Forwarded-Port: 666'], ['Host: a.example', 'X-Forwarded-For: 10.6.6.6']
]

for (const trustProxy of [true, false, '127.0.0.1', '10.0.0.1']) {
  for (const store of [true, 'by-response'] as const) {
    t.test(`trustProxy ${String(trustProxy)}, store ${String(store)}: the handler sees the host and the protocol of the key, however they were said`, async (t) => {
      const build = appShowing({ server: { trustProxy }, cache: { store } })
      const alone: string[] = []
      const empty = await build(t)
      for (const headers of FORWARDED) {
        alone.push((await send(empty, { headers })).body)
        await empty.cache.clear()
      }
      for (let from = 0; from < FORWARDED.length; from++) {
        const app = await build(t)
        const others: string[] = []
        for (let at = 0; at < FORWARDED.length; at++) {
          const index = (from + at) % FORWARDED.length
          const { body } = await send(app, { headers: FORWARDED[index]! })
          if (body !== alone[index]) others.push(`${FORWARDED[index]!.join()}: ${body}`)
        }
        t.same(others, [], 'each is answered as it is alone')
      }
    })
  }
}

t.test('trustProxy: a handler that reads Host sees the forwarded one', async (t) => {
  const app = await appShowing({ server: { trustProxy: true } })(t)
  const { body } = await send(app, { headers: ['Host: evil.example', 'X-Forwarded-Host: a.example'] })
  t.match(body, '"host":"a.example"')
  t.notMatch(body, /evil/)
})
