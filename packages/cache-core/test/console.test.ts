import helmet from '@fastify/helmet'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { cacheCore, coreOf } from '@x/cache-core'
import t from 'tap'
import { bareApp, buildApp, inProduction, type LogLine } from '@x/test-kit/build-app'

const PATH = '/internal/cache'
const BROWSER = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' }
const FOLDER = new URL('../console/', import.meta.url)

/** Returns the directives of a Content-Security-Policy. */
function directives (policy: string): Record<string, string> {
  return Object.fromEntries(policy.split('; ').map((each) => [each.slice(0, each.indexOf(' ')), each.slice(each.indexOf(' ') + 1)]))
}

t.test('GET /internal/cache: a page for a browser, JSON for every other client', async (t) => {
  const app = await buildApp(t)
  const page = await app.inject({ url: PATH, headers: BROWSER })
  t.match(page, { statusCode: 200, headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', vary: 'Accept', 'x-frame-options': 'DENY' } })
  t.match(page.body, /^<!doctype html>\n<html lang="en">/)
  for (const accept of [undefined, '*/*', 'application/json', 'text/html;q=0.5, application/json']) {
    const { headers, body } = await app.inject({ url: PATH, headers: accept === undefined ? {} : { accept } })
    t.match(headers, { 'content-type': /^application\/json/, vary: 'Accept' })
    t.equal(JSON.parse(body).implName, 'NullCache')
  }
})

t.test('GET /internal/cache: Vary keeps the names that hooks have set', async (t) => {
  const app = bareApp(t)
  app.addHook('onRequest', async (_request, reply) => { reply.header('vary', 'Origin') })
  await app.register(cacheCore)
  t.equal((await app.inject({ url: PATH, headers: BROWSER })).headers.vary, 'Origin, Accept')
})

t.test('console: is behind the guard, and closed in production', async (t) => {
  inProduction(t)
  const unknown = await (await buildApp(t)).inject({ url: '/internal/other', headers: BROWSER })
  for (const path of [PATH, `${PATH}/counts`]) {
    const { statusCode, headers, body } = await (await buildApp(t)).inject({ url: path, headers: BROWSER })
    t.same([statusCode, { ...headers, date: undefined }, body.replace(path, '')], [404, { ...unknown.headers, date: undefined, 'content-length': headers['content-length'] }, unknown.body.replace('/internal/other', '')])
  }
  const guarded = await buildApp(t, { expose: true, guard: async (_request, reply) => reply.code(401).send({ error: 'no' }) })
  for (const path of [PATH, `${PATH}/counts`]) t.equal((await guarded.inject({ url: path, headers: BROWSER })).statusCode, 401)
})

t.test('console: its policy allows its own style and scripts by their hashes, and nothing else', async (t) => {
  const { headers, body } = await (await buildApp(t)).inject({ url: PATH, headers: BROWSER })
  const policy = directives(headers['content-security-policy'] as string)
  const hashes = (tag: string) => [...body.matchAll(new RegExp(`<${tag}[^>]*>([^]*?)</${tag}>`, 'g'))]
    .map(([, text]) => `'sha256-${createHash('sha256').update(text!).digest('base64')}'`).join(' ')
  t.same(policy, {
    'default-src': "'none'",
    'style-src': hashes('style'),
    'script-src': hashes('script'),
    'connect-src': "'self'",
    'img-src': 'data:',
    'base-uri': "'none'",
    'form-action': "'none'",
    'frame-ancestors': "'none'"
  })
  t.notMatch(body, /\son\w+=|\sstyle=|https?:\/\/(?!www\.w3\.org\/2000\/svg')|\ssrc=/, 'no inline handler, no inline style, no outside address')
})

t.test('console: its policy stands beside that of @fastify/helmet', async (t) => {
  const app = bareApp(t)
  await app.register(helmet)
  await app.register(cacheCore)
  const { headers } = await app.inject({ url: PATH, headers: BROWSER })
  t.match(headers['content-security-policy'], /^default-src 'none'; .*script-src 'sha256-/)
})

t.test('console: the page is the same for each request, and holds nothing of the app', async (t) => {
  const app = await buildApp(t, { implementation: 'memory' })
  const ask = async () => (await app.inject({ url: PATH, headers: BROWSER })).body
  const before = await ask()
  await app.cache.getOrSet('secret:1', () => 1)
  t.equal(await ask(), before)
  t.equal(before, await (await buildApp(t)).inject({ url: PATH, headers: BROWSER }).then(({ body }) => body))
})

t.test('console: scripts of a sibling package run after those of the core', async (t) => {
  const app = await buildApp(t)
  const file = `${t.testdir({ 'own.js': 'globalThis.ownSection = true' })}/own.js`
  await app.inject({ url: PATH, headers: BROWSER })
  coreOf(app)!.console.add(pathToFileURL(file))
  const { body, headers } = await app.inject({ url: PATH, headers: BROWSER })
  t.match(body, /<script type="module">globalThis\.ownSection = true<\/script>\n<\/body>/)
  t.equal(directives(headers['content-security-policy'] as string)['script-src']!.split(' ').length, (body.match(/<script /g) ?? []).length)
})

t.test('console: files that a bundler left out make the status JSON, with a warning', async (t) => {
  const lines: LogLine[] = []
  const app = await buildApp(t, {}, lines)
  coreOf(app)!.console.add(new URL('missing.js', import.meta.url))
  const { statusCode, headers } = await app.inject({ url: PATH, headers: BROWSER })
  t.match({ statusCode, headers }, { statusCode: 200, headers: { 'content-type': /json/ } })
  t.equal(lines.filter(({ level, msg }) => level === 40 && msg.includes('files of the console')).length, 1)
})

t.test('console: its files make no markup of a text, and end no script', async (t) => {
  for (const name of [...readdirSync(FOLDER).map((each) => new URL(each, FOLDER)), ...['advice.js', 'ledger.js'].map((each) => new URL(`../../cache-metrics/console/${each}`, import.meta.url))]) {
    t.notMatch(readFileSync(name, 'utf8'), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|<\/script|<\/style|<!--/, name.pathname)
  }
})
