import t from 'tap'
import { ask, buildEdge } from './fixtures/edge-app.js'
import { BOTH, byResponse, MINUTE, scene } from './fixtures/scene.js'

const [OLD, NEW] = [':b2xk:', ':bmV3:']
const VARY = 'accept-encoding, available-dictionary'
const BROWSER = { 'accept-encoding': 'gzip, dcb, dcz' }

for (const [name, store] of Object.entries(BOTH)) {
  t.test(`§2.2 Available-Dictionary is hidden where it is not keyed, ${name}`, async (t) => {
    const { app, seen } = await scene(t, { store }, () => ({ headers: MINUTE }))
    await ask(app, '/x', { ...BROWSER, 'available-dictionary': OLD, 'dictionary-id': '"1"' })
    t.notOk('available-dictionary' in seen[0]! || 'dictionary-id' in seen[0]!)
    for (const dictionary of [OLD, NEW]) t.match(await ask(app, '/x', { ...BROWSER, 'available-dictionary': dictionary }), { body: 'run 1', cacheStatus: /; hit/ })
  })

  t.test(`§6.2 a response in dcb or dcz whose Vary lacks a header is not stored, ${name}`, async (t) => {
    for (const vary of [undefined, 'accept-encoding', 'available-dictionary']) {
      for (const coding of ['dcb', 'dcz']) {
        const { app, runs } = await scene(t, { store, vary: ['accept-encoding', 'available-dictionary'] }, () => ({ headers: { ...MINUTE, 'content-encoding': coding, ...vary !== undefined && { vary } } }))
        for (let times = 0; times < 2; times++) await ask(app, '/x', { ...BROWSER, 'available-dictionary': OLD })
        // With `store: true` the handler need not repeat the `vary` of its policy. If it sends a `Vary`, this field alone must be
        // sufficient.
        t.equal(runs(), 2, `${coding} ${vary}`)
      }
    }
  })

  t.test(`§6.2 the variants of two dictionaries, of none and of no coding are never mixed, ${name}`, async (t) => {
    const { app, runs } = await scene(t, { store, vary: ['accept-encoding', 'available-dictionary'] }, (_run, { headers }) => {
      const dictionary = headers['available-dictionary']
      const coding = !String(headers['accept-encoding']).includes('dcz') ? undefined : dictionary === undefined ? 'gzip' : 'dcz'
      return { headers: { ...MINUTE, vary: VARY, ...coding !== undefined && { 'content-encoding': coding } }, body: `${coding} ${String(dictionary)}` }
    })
    const requests: Array<[headers: Record<string, string>, body: string]> = [
      [{ ...BROWSER, 'available-dictionary': OLD }, `dcz ${OLD}`],
      [{ ...BROWSER, 'available-dictionary': NEW }, `dcz ${NEW}`],
      [BROWSER, 'gzip undefined'],
      [{}, 'undefined undefined']
    ]
    for (let times = 0; times < 2; times++) {
      for (const [headers, body] of requests) t.equal((await ask(app, '/x', headers)).body, body)
    }
    t.equal(runs(), 4)
  })
}

t.test('§2.1 a dictionary is stored as any response, and its Use-As-Dictionary is sent on hits', async (t) => {
  const app = await buildEdge(t)
  app.get('/', { config: { cache: byResponse } }, async (_request, reply) => reply.headers({ ...MINUTE, 'use-as-dictionary': 'match="/*"' }).send('dictionary'))
  for (let times = 0; times < 2; times++) t.match(await ask(app, '/'), { headers: { 'use-as-dictionary': 'match="/*"' } })
})
