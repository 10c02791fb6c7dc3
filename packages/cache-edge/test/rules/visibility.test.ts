import t from 'tap'
import { toPolicy, type PolicyMembers } from '../../src/rules/policy.js'
import { maySelect, shownNames, visibleHeaders, type StoredValidators } from '../../src/rules/visibility.js'

const sent = { host: 'h', accept: 'a', 'sec-ch-ua': 'u', 'x-custom': 'c', authorization: 'b', cookie: 'd', 'if-none-match': '"x"', 'accept-language': 'fr' }
const policyOf = (members: PolicyMembers<unknown>) => toPolicy('GET /', { store: true, ...members })
const target = { scheme: 'https', host: 'example.com', isProxied: false }

t.test('shownNames: a route by policy shows the names of its vary, one by response those of negotiation as well', async (t) => {
  t.same(shownNames(sent, policyOf({ vary: ['x-custom'] })), ['x-custom'])
  t.same(shownNames(sent, policyOf({ store: 'by-response', vary: ['x-custom'] })), ['x-custom', 'accept', 'sec-ch-ua', 'accept-language'])
  t.ok(shownNames(sent, policyOf({ sameForAll: true })).includes('authorization'))
})

const selecting: Array<[name: string, members: PolicyMembers<unknown>, may: boolean]> = [
  ['cookie', { sameForAll: true }, false], ['authorization', { sameForAll: true }, false], ['x-custom', { vary: ['X-Custom'] }, true], ['accept', {}, true], ['sec-ch-ua', {}, true],
  ['host', {}, true], ['x-request-id', { sameForAll: true }, true], ['x-request-id', {}, false], ['x-other', { sameForAll: true }, false]
]
for (const [name, members, may] of selecting) {
  t.test(`maySelect: ${name} ${may ? 'may' : 'may not'} select a response of a by-response route with ${JSON.stringify(members)}`, async (t) => {
    t.equal(maySelect(name, policyOf({ store: 'by-response', ...members })), may)
  })
}

t.test('visibleHeaders: a handler sees the keyed headers and the target of the key, whatever the client sent as its host', async (t) => {
  t.same(visibleHeaders(sent, policyOf({ vary: ['accept-language', 'x-absent'] }), target, undefined), { 'accept-language': 'fr', host: 'example.com' })
  t.same(visibleHeaders({}, policyOf({}), { ...target, isProxied: true }, undefined), { host: 'example.com', 'x-forwarded-host': 'example.com', 'x-forwarded-proto': 'https' })
  t.same(visibleHeaders({ 'x-a': undefined, 'if-none-match': '"x"' }, policyOf({ vary: ['x-a'] }), target, undefined, ['if-none-match']), { 'if-none-match': '"x"', host: 'example.com' })
})

const date = 'Thu, 01 Jan 2026 00:00:00 GMT'
const validators: Array<[stored: StoredValidators, shown: object]> = [
  [{ etag: '"a"', headers: {} }, { 'if-none-match': '"a"' }],
  [{ etag: '"a"', headers: { 'last-modified': date } }, { 'if-none-match': '"a"', 'if-modified-since': date }],
  [{ etag: '"a"', isTagOfBody: true, headers: {} }, { 'if-none-match': '"a"' }],
  [{ etag: '"a"', isTagOfBody: true, headers: { 'last-modified': date } }, { 'if-modified-since': date }],
  [{ etag: undefined, headers: { 'last-modified': [date, date] } }, {}]
]
for (const [stored, shown] of validators) {
  t.test(`visibleHeaders: the validators of a stored response with ${JSON.stringify(stored)}`, async (t) => {
    t.same(visibleHeaders({}, policyOf({}), target, stored), { host: 'example.com', ...shown })
  })
}
