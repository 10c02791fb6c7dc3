import fc from 'fast-check'
import t from 'tap'
import { isOwn, readToken, toHex, writeToken } from '../src/entries/birthplace.js'
import { fenceOf } from '../src/connection/server-identity.js'
import { newToken } from '../src/entries/keys.js'

const fence = fenceOf('run_id:run\nrole:master\nmaster_replid:history\n')!.fence

t.test('readToken: a token names the master that it was made on', async (t) => {
  const text = writeToken(fence)
  t.match(text, /^[\w-]{20}$/)
  t.strictSame(readToken(text), { token: text.slice(0, 12), fence })
  t.not(writeToken(fence), text, 'no token comes twice')
})

t.test('readToken: the soft part belongs to the token, and the master stays the same', async (t) => {
  const text = writeToken(fence)
  const soft = `.${newToken()}`
  t.strictSame(readToken(text + soft), { token: text.slice(0, 12) + soft, fence })
})

t.test('readToken: a text that names no master has the fence of none', async (t) => {
  for (const text of ['', 'short', 'twelvechars1', 'twelvechars1.twelvechars2', 'twelvechars1seven77', `twelvechars1${fence}x`, `twelvechars1${fence}.soft`,
    `twelvechars1${fence}.twelvechars2x`, `twelvechars1${fence}\n`, `twelvechars ${fence}`, 'x'.repeat(1_000_000)]) {
    t.strictSame(readToken(text), { token: text, fence: '' }, text.slice(0, 40))
    t.notOk(isOwn(text))
  }
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => readToken(text).fence !== fence || text.slice(12, 20) === fence))
})

t.test('toHex: is the first twelve hexadecimal digits of the hash that the fence is made of', async (t) => {
  // sha1('run:history')
  t.equal(toHex(fence), 'f05fa3b515ad')
})
