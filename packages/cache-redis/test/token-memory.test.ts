import t from 'tap'
import type { BoundToken } from '../src/entries/bound-token.js'
import { TokenMemory } from '../src/tags/token-memory.js'

const captured = (token: string): BoundToken => ({ token, serverId: 'server' })

t.test('tokens: a read enters memory when nothing happened to its tag meanwhile', async (t) => {
  const memory = new TokenMemory(10)
  const read = memory.begin('tag')
  memory.forget('other')
  memory.end(read, captured('token'))
  t.strictSame(memory.get('tag'), captured('token'))
  t.equal(memory.get('other'), undefined)
})

t.test('tokens: a slow reply does not bring back a token that was removed since it was sent', async (t) => {
  const memory = new TokenMemory(10)
  const slow = memory.begin('tag')
  memory.forget('tag')
  const quick = memory.begin('tag')
  memory.end(quick, captured('new'))
  t.strictSame(memory.get('tag'), captured('new'))
  memory.end(slow, captured('old'))
  t.strictSame(memory.get('tag'), captured('new'))
  memory.forget('tag')
  t.equal(memory.get('tag'), undefined)
})

t.test('tokens: a slow reply does not survive a break of trust', async (t) => {
  const memory = new TokenMemory(10)
  const reads = ['a', 'b', 'b'].map((tag) => memory.begin(tag))
  memory.forgetAll()
  for (const read of reads) memory.end(read, captured('old'))
  t.equal(memory.size, 0)
})

t.test('tokens: messages only remove', async (t) => {
  const memory = new TokenMemory(10)
  memory.end(memory.begin('tag'), captured('token'))
  memory.forget('tag')
  t.equal(memory.get('tag'), undefined)
  memory.forget('unknown')
  t.equal(memory.size, 0)
})

t.test('tokens: a read without a token, or one that failed, leaves what is there', async (t) => {
  const memory = new TokenMemory(10)
  memory.end(memory.begin('tag'), captured('token'))
  memory.end(memory.begin('tag'))
  t.strictSame(memory.get('tag'), captured('token'))
})

t.test('tokens: remembers maxTags of them, those used last', async (t) => {
  const memory = new TokenMemory(3)
  for (const tag of ['a', 'b', 'c']) memory.end(memory.begin(tag), captured(tag))
  memory.get('a')
  memory.end(memory.begin('d'), captured('d'))
  t.equal(memory.size, 3)
  t.strictSame(['a', 'b', 'c', 'd'].map((tag) => memory.get(tag)?.token), ['a', undefined, 'c', 'd'])
})

t.test('version: grows with each token that is forgotten or becomes another, and with no other read', async (t) => {
  const memory = new TokenMemory(2)
  let before = memory.version
  const grows = (isGrown: boolean, what: string): void => {
    t.equal(memory.version > before, isGrown, what)
    before = memory.version
  }
  memory.end(memory.begin('tag'), captured('token'))
  grows(true, 'a first token')
  memory.end(memory.begin('tag'), captured('token'))
  memory.end(memory.begin('tag'))
  grows(false, 'the same token, and none')
  memory.end(memory.begin('tag'), captured('other'))
  grows(true, 'another token without a message')
  memory.forget('unknown')
  grows(true, 'a message about a tag that is not remembered: it may have been evicted')
  memory.forgetAll()
  grows(true, 'all')
})
