import { cacheCore } from '@x/cache-core'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { cacheEdge, type CacheEdgeOptions } from '../src/index.js'

function build (t: Test, options: CacheEdgeOptions): { app: FastifyInstance; warnings: { msg: string; route?: string }[] } {
  const warnings: { msg: string; route?: string }[] = []
  const app = Fastify({ logger: { level: 'warn', stream: { write: (line: string) => { warnings.push(JSON.parse(line)) } } } })
  t.teardown(() => app.close())
  app.register(cacheCore, { implementation: 'null' })
  app.register(cacheEdge, options)
  return { app, warnings }
}

t.test('cacheEdge that is not awaited: one warning names the first route whose policy does nothing', async (t) => {
  const { app, warnings } = build(t, {})
  app.get('/named', { config: { cache: { store: true } } }, async () => 'x')
  app.get('/other', { config: { cache: { store: true } } }, async () => 'x')
  for (const url of ['/named', '/named', '/other']) await app.inject(url)
  t.match(warnings, [{ route: '/named', msg: /declared before cacheEdge had loaded.*await register\(cacheEdge/ }])
  t.equal(warnings.length, 1)
})

t.test('cacheEdge that is not awaited: a rule that covers the route counts, although another route has it', async (t) => {
  const { app, warnings } = build(t, { rules: [{ prefix: '/a' }] })
  app.get('/a/older', async () => 'x')
  app.register(async (context) => { context.get('/a/younger', async () => 'x') })
  t.equal((await app.inject('/a/younger')).headers['cache-control'], 'public, max-age=60, must-revalidate')
  t.equal((await app.inject('/a/older')).headers['cache-control'], 'no-cache')
  t.match(warnings, [{ route: '/a/older' }])
})

t.test('an older route without a policy, one that refuses it, and an unknown path: no warning', async (t) => {
  const { app, warnings } = build(t, { rules: [{ prefix: '/a' }] })
  app.get('/plain', async () => 'x')
  app.get('/a/none', { config: { cache: false } }, async () => 'x')
  app.register(async (context) => { context.get('/a/younger', async () => 'x') })
  for (const url of ['/plain', '/a/none', '/a/younger', '/a/unknown', '/']) await app.inject(url)
  t.same(warnings, [])
})
