import t from 'tap'
import { KnownHeads } from '../src/store/known-heads.js'
import { encodeIndex, encodeResponse, KnownHead, type StoredResponse } from '../src/store/stored-response.js'

const WINDOWS = { staleWhileRevalidate: 0, staleIfError: 0 }
const FRESHNESS = { lifetime: 60, initialAge: 0, ...WINDOWS, isExplicit: true, mustRevalidate: false, noCache: false }

function stored (body: string, own: Partial<StoredResponse> = {}): Buffer {
  return encodeResponse({
    status: 200,
    headers: { 'content-type': 'text/plain' },
    isText: true,
    etag: undefined,
    receivedAt: 1,
    freshness: FRESHNESS,
    vary: [],
    variant: '',
    tags: [],
    body: Buffer.from(body),
    ...own
  })
}

function heads (): { table: KnownHeads; corrupt: string[]; read: (key: string, bytes: unknown, isShared?: boolean) => KnownHead } {
  const corrupt: string[] = []
  const table = new KnownHeads((key) => { corrupt.push(key) })
  return { table, corrupt, read: (key, bytes, isShared = true) => table.read(key, bytes, isShared) as KnownHead }
}

t.test('read: the head of an object that the cache gives again is found by that object', async (t) => {
  const { read } = heads()
  const bytes = stored('a')
  const known = read('key', bytes)
  t.equal(known.head.status, 200)
  t.equal(read('key', bytes), known)
})

t.test('read: another object with the same head is not parsed, and has its own text', async (t) => {
  const { read } = heads()
  const [one, other] = [stored('one'), stored('other')]
  const first = read('key', one)
  t.equal(first.textIn(one, true), 'one')
  const second = read('key', other)
  t.equal(second.head, first.head)
  t.equal(second.textIn(other, true), 'other')
  t.equal(first.textIn(one, true), 'one')
})

t.test('read: a new response under a key replaces the head of the old one', async (t) => {
  const { read } = heads()
  const [one, other] = [stored('a'), stored('a', { status: 404 })]
  const first = read('key', one)
  t.equal(read('key', other).head.status, 404)
  t.equal(read('key', other, false).head.status, 404)
  t.equal(read('key', one).head.status, 200)
  t.not(read('key', one), first)
})

t.test('read: a copy is compared at each read, and its object is not remembered', async (t) => {
  const { read } = heads()
  const bytes = stored('a', { receivedAt: 1 })
  const known = read('key', bytes, false)
  t.equal(read('key', Buffer.from(bytes), false), known)
  bytes.set(stored('a', { receivedAt: 2 }))
  t.equal(read('key', bytes, false).head.receivedAt, 2)
  bytes.set(stored('a', { receivedAt: 3 }))
  t.equal(read('key', bytes).head.receivedAt, 3)
})

t.test('read: an index is given, and a value that is neither is reported', async (t) => {
  const { table, corrupt } = heads()
  const index = { vary: ['accept'], variants: [], untils: [], until: 5 }
  t.same(table.read('key', encodeIndex(index), true), index)
  for (const value of ['text', null, 5, {}, Buffer.from('junk')]) {
    for (const isShared of [true, false]) t.equal(table.read('bad', value, isShared), undefined)
  }
  t.same(corrupt, Array.from({ length: 10 }, () => 'bad'))
})

t.test('read: of more than 1000 heads the oldest is forgotten, also by its object', async (t) => {
  const { read } = heads()
  const [first, second] = [stored('first'), stored('second')]
  const known = [read('first', first), read('second', second)]
  for (let at = 0; at < 999; at++) read(`key:${at}`, stored('x', { receivedAt: at }))
  t.equal(read('second', second), known[1])
  t.not(read('first', first), known[0])
})

t.test('read: heads of more than 4 MiB together are forgotten, also by their objects', async (t) => {
  const { read } = heads()
  const large = { 'x-large': 'x'.repeat(600 * 1024) }
  const [first, second] = [stored('a', { headers: large }), stored('b', { headers: large, receivedAt: 2 })]
  const known = read('first', first)
  t.equal(read('first', first), known)
  read('second', second)
  t.not(read('first', first), known)
})

t.test('clear: forgets all heads', async (t) => {
  const { table, read } = heads()
  const bytes = stored('a')
  const known = read('key', bytes)
  table.clear()
  t.not(read('key', bytes), known)
})
