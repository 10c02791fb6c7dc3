import fc from 'fast-check'
import t from 'tap'
import type { BoundToken } from '../src/entries/bound-token.js'
import type { Decoded } from '../src/entries/codec.js'
import { judgeToken, NONE_ASKED, Validity, type Place, type ValidityVerdict } from '../src/entries/validity.js'
import type { TagTokens } from '../src/tags/tag-tokens.js'

const HERE = 'server01'
const NOW: BoundToken = { token: 'token', serverId: HERE }

/** Makes tokens by tag, as Redis has them; `remembered`: whether remembered tokens prove them. */
function tokensOf (current: Record<string, BoundToken | undefined>, remembered: boolean): TagTokens {
  return {
    proves: (tags: Decoded['tags']) => tags.every(({ tag, ...stored }) => remembered && judgeToken(stored, current[tag]) === 'fresh'),
    ask: async (tag: string) => current[tag]
  } as unknown as TagTokens
}

const place = (serverId = HERE): Place => ({ name: 'name', generation: NOW, node: { serverId } as Place['node'] })
const entry = (more: Partial<Decoded> = {}): Decoded => ({ value: 1, ttlMs: 1000, windowMs: 0, tags: [{ tag: 'tag', ...NOW }], ...more })

for (const [what, stored, current, verdict] of [
  ['the same token', NOW, NOW, 'fresh'],
  ['no token', NOW, undefined, 'gone'],
  ['another token', NOW, { token: 'other', serverId: HERE }, 'gone'],
  ['a token of another master', NOW, { token: 'token', serverId: 'server02' }, 'gone'],
  ['a soft invalidation since', NOW, { token: 'token.soft', serverId: HERE }, 'stale'],
  ['two soft invalidations', { token: 'token.one', serverId: HERE }, { token: 'token.two', serverId: HERE }, 'stale']
] as Array<[string, BoundToken, BoundToken | undefined, ValidityVerdict]>) {
  t.test(`judgeToken: ${what}: ${verdict}`, async (t) => t.equal(judgeToken(stored, current), verdict))
}

for (const [what, where, of, leftMs, verdict] of [
  ['on its master, with its tokens', place(), entry(), undefined, 'fresh'],
  ['on a master that is another', place('server02'), entry(), undefined, 'gone'],
  ['with the identity of the master that stored it', place('server02'), entry({ ownServerId: 'server02' }), undefined, 'fresh'],
  ['that expired meanwhile', place(), entry({ windowMs: 10 }), -2, 'gone'],
  ['in its stale window', place(), entry({ windowMs: 10 }), 10, 'stale'],
  ['before its stale window', place(), entry({ windowMs: 10 }), 11, 'fresh']
] as Array<[string, Place, Decoded, number | undefined, ValidityVerdict]>) {
  t.test(`judge: an entry ${what}: ${verdict}, and memory alone says it`, async (t) => {
    t.equal(new Validity(tokensOf({ tag: NOW }, true)).judge(where, of, leftMs, NONE_ASKED), verdict)
  })
}

t.test('judge: memory and Redis give one verdict, the worst of tokens and time', async () => {
  const captured = fc.record({ token: fc.constantFrom('a', 'b', 'a.x', 'a.y'), serverId: fc.constantFrom(HERE, 'server02') })
  const worst = (verdicts: readonly ValidityVerdict[]): ValidityVerdict => (['gone', 'stale'] as const).find((each) => verdicts.includes(each)) ?? 'fresh'
  await fc.assert(fc.asyncProperty(
    fc.array(fc.tuple(captured, fc.option(captured, { nil: undefined })), { maxLength: 4 }),
    fc.integer({ min: -1, max: 20 }), fc.integer({ min: 0, max: 2 }),
    async (pairs, leftMs, asked) => {
      const current = Object.fromEntries(pairs.map(([, now], at) => [`tag ${at}`, now]))
      const of = entry({ windowMs: 10, tags: pairs.map(([stored], at) => ({ tag: `tag ${at}`, ...stored })) })
      const expected = worst([leftMs <= 10 ? 'stale' : 'fresh', ...pairs.map(([stored, now]) => judgeToken(stored, now))])
      const known = new Map(Object.entries(current).slice(0, asked).map(([tag, now]) => [tag, Promise.resolve(now)]))
      for (const remembered of [true, false]) {
        const verdict = await new Validity(tokensOf(current, remembered)).judge(place(), of, leftMs, known)
        if (verdict !== expected) throw new Error(`${verdict} instead of ${expected}`)
      }
    }))
})

t.test('areCurrent: every token is the current one; a soft invalidation ends that', async (t) => {
  const tags = [{ tag: 'tag', ...NOW }]
  t.equal(await new Validity(tokensOf({ tag: NOW }, false)).areCurrent(tags), true)
  t.equal(await new Validity(tokensOf({ tag: { token: 'token.soft', serverId: HERE } }, false)).areCurrent(tags), false)
  t.equal(await new Validity(tokensOf({}, false)).areCurrent(tags), false)
})
