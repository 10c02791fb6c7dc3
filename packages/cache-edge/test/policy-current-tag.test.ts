import t, { type Test } from 'tap'
import { ask, buildEdge } from './fixtures/edge-app.js'

/** Returns the responses of a route with this current tag to reads and writes. */
async function tagged (t: Test, tag: string, store: boolean | 'by-response' = false) {
  const app = await buildEdge(t)
  app.route({ method: ['GET', 'PUT'], url: '/', config: { cache: { store, currentTag: () => tag } }, handler: async () => 'x' })
  const { headers: { etag } } = await ask(app, '/')
  return { etag: String(etag), get: async (match: string) => (await ask(app, '/', { 'if-none-match': match })).status, put: async (match: string) => (await ask(app, '/', { 'if-match': match }, 'PUT')).status }
}

for (const [tag, etag] of [['7', '"7"'], ['2025-06-15T12:00:00Z', '"2025-06-15T12:00:00Z"'], ['"7"', '"7"'], ['a "b"', '"a%0020%0022b%0022"']] as const) {
  t.test(`currentTag: ${tag} is the tag ${etag}, which a client can write by`, async (t) => {
    for (const store of [false, true, 'by-response'] as const) {
      const route = await tagged(t, tag, store)
      t.equal(route.etag, etag)
      t.same([await route.get(etag), await route.get('"other"'), await route.put(etag), await route.put('"other"')], [304, 200, 200, 412])
    }
  })
}

t.test('currentTag: a weak tag is good for reading, and If-Match never matches it', async (t) => {
  const { etag, get, put } = await tagged(t, 'W/"7"')
  t.equal(etag, 'W/"7"')
  t.same([await get(etag), await put(etag)], [304, 412])
})
