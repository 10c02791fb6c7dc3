import t from 'tap'
import { ask } from './fixtures/edge-app.js'
import { isHit, page } from './fixtures/page.js'

t.test('1 100 made-up queries do not throw out the 100 values of the app', async (t) => {
  const { app } = await page(t, { core: { memory: { maxEntries: 1000 } } })
  const keys = Array.from({ length: 100 }, (_, id) => `user:${id}`)
  for (const key of keys) await app.cache.set(key, key)
  for (let query = 0; query < 1100; query++) await ask(app, `/a?made-up=${query}`)
  const values = await app.cache.getMany(keys)
  t.same(values, { ok: true, value: keys })
  t.ok(isHit(await ask(app, '/a?made-up=1099')))
})
