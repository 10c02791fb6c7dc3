import fc from 'fast-check'
import t from 'tap'
import { isOwn, readToken, toHex, writeToken } from '../src/entries/bound-token.js'
import { serverIdentityOf } from '../src/connection/server-identity.js'
import { newToken } from '../src/entries/keys.js'
import { anyCharacter } from '@x/test-kit/texts'

const serverId = serverIdentityOf('run_id:run\nrole:master\nmaster_replid:history\n')!.serverId

t.test('readToken: a token names the master that it was made on', async (t) => {
  const text = writeToken(serverId)
  t.match(text, /^[\w-]{20}$/)
  t.strictSame(readToken(text), { token: text.slice(0, 12), serverId })
  t.not(writeToken(serverId), text, 'no token comes twice')
})

t.test('readToken: the soft part belongs to the token, and the master stays the same', async (t) => {
  const text = writeToken(serverId)
  const soft = `.${newToken()}`
  t.strictSame(readToken(text + soft), { token: text.slice(0, 12) + soft, serverId })
})

t.test('readToken: a text that names no master has an empty server identity', async (t) => {
  for (const text of ['', 'short', 'twelvechars1', 'twelvechars1.twelvechars2', 'twelvechars1seven77', `twelvechars1${serverId}x`, `twelvechars1${serverId}.soft`,
    `twelvechars1${serverId}.twelvechars2x`, `twelvechars1${serverId}\n`, `twelvechars ${serverId}`, 'x'.repeat(1_000_000)]) {
    t.strictSame(readToken(text), { token: text, serverId: '' }, text.slice(0, 40))
    t.notOk(isOwn(text))
  }
  const anyText = fc.string({ unit: anyCharacter })
  fc.assert(fc.property(anyText, (text) => readToken(text).serverId !== serverId || text.slice(12, 20) === serverId))
})

t.test('toHex: is the first twelve hexadecimal digits of the hash that the server identity is made of', async (t) => {
  // The expected value is the beginning of sha1('run:history').
  t.equal(toHex(serverId), 'f05fa3b515ad')
})
