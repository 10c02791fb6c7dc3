import t from 'tap'
import type { CacheEdgeOptions } from '../src/index.js'
import { ask, buildEdge } from './fixtures/edge-app.js'

for (const [tagHeader, own, merged] of [
  ['Surrogate-Key', undefined, 'a b'],
  ['Surrogate-Key', 'own', 'own a b'],
  ['Surrogate-Key', ' own  b other ', 'own b other a'],
  ['Surrogate-Key', ['own', 'other'], 'own other a b'],
  ['Surrogate-Key', '', 'a b'],
  ['Cache-Tag', 'own', 'own,a,b'],
  ['Cache-Tag', 'own, b , two words', 'own,b,two words,a'],
  ['Cache-Tag', ['own', 'b,other'], 'own,b,other,a'],
  [false, 'own', 'own']
] as [NonNullable<CacheEdgeOptions['tagHeader']>, string | string[] | undefined, string][]) {
  for (const store of [false, true]) {
    t.test(`tags: ${JSON.stringify(own) ?? 'none'} of the handler and two of the policy are one ${String(tagHeader)}${store ? ', from the store too' : ''}`, async (t) => {
      const app = await buildEdge(t, { edge: { tagHeader } })
      const name = (tagHeader === false ? 'Surrogate-Key' : tagHeader).toLowerCase()
      app.get('/', { config: { cache: { store, tags: ['a', 'b'] } } }, async (_request, reply) => own === undefined ? 'x' : reply.header(name, own).send('x'))
      for (let times = 0; times < 2; times++) t.equal((await ask(app, '/')).headers[name], merged)
    })
  }
}
