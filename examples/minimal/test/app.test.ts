import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import t from 'tap'

// The example is plain JavaScript, with which a reader would begin, so its types are not checked.
const { buildApp } = await import(new URL('../src/app.js', import.meta.url).href) as { buildApp: () => Promise<FastifyInstance> }

t.test('GET /products/:id: is loaded once, and counted', async (t) => {
  const app = await buildApp()
  t.teardown(() => app.close())
  const first = await app.inject('/products/1')
  const second = await app.inject('/products/1')
  t.equal(first.statusCode, 200)
  t.match(first.json(), { id: '1' })
  t.equal(second.body, first.body)
  t.match((await app.inject('/internal/cache')).json(), { enabled: true, implName: 'MemoryCache', recentStats: { hits: 1, misses: 1 } })
  const { body } = await app.inject('/metrics/prom')
  t.match(body, /^cache_hits_total\{impl="memory",key_pattern="product"\} 1$/m)
  t.match(body, /^cache_miss_total\{impl="memory",key_pattern="product"\} 1$/m)
})

t.test('README.md: each curl line answers', async (t) => {
  const app = await buildApp()
  t.teardown(() => app.close())
  const urls = [...readFileSync(new URL('../README.md', import.meta.url), 'utf8').matchAll(/^curl localhost:8900(\S+)$/gm)].map(([, url]) => url!)
  t.equal(urls.length, 3)
  for (const url of urls) t.equal((await app.inject(url)).statusCode, 200, url)
})

t.test('tags.invalidate: the product is loaded anew', async (t) => {
  const app = await buildApp()
  t.teardown(() => app.close())
  const before = await app.inject('/products/1')
  await app.cache.tags.invalidate('product:1')
  t.not((await app.inject('/products/1')).body, before.body)
})
