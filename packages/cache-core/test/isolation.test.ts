import fc from 'fast-check'
import t from 'tap'
import { causeOf } from '../src/contract/coded-error.js'
import { copyOf, keep, read, type Kept } from '../src/contract/isolation.js'

function kept (value: unknown): Kept {
  const result = keep(value)
  if ('error' in result) throw result.error
  return result
}

function codeOf (value: unknown): string {
  const result = keep(value)
  return 'error' in result ? result.error.code : 'kept'
}

t.test('keep, read: a JSON value comes back as it went in, and is nobody else\'s', async () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const stored = kept(value)
    const one = read(stored)
    const other = read(stored)
    const isAlone = typeof one !== 'object' || one === null || (one !== other && one !== value)
    return isAlone && JSON.stringify(one) === JSON.stringify(value)
  }))
})

t.test('keep: what cannot be stored is CACHE_ERR_VALUE_INVALID, and nothing throws', async (t) => {
  const circular: unknown[] = []
  circular.push(circular)
  let deep: unknown[] = []
  for (let depth = 0; depth < 50_000; depth++) deep = [deep]
  const detached = new Uint8Array(8)
  structuredClone(detached, { transfer: [detached.buffer] })
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const bad: Record<string, unknown> = {
    undefined,
    function: () => {},
    symbol: Symbol('x'),
    bigint: 1n,
    NaN,
    Infinity,
    '-Infinity': -Infinity,
    circular,
    'nested bigint': [{ a: 1n }],
    'throwing toJSON': { toJSON () { throw new Error('broken') } },
    'throwing getter': { get a () { throw new Error('broken') } },
    'toJSON without a value': { toJSON: () => undefined },
    'revoked proxy': revoked.proxy
  }
  for (const [name, value] of Object.entries(bad)) t.equal(codeOf(value), 'CACHE_ERR_VALUE_INVALID', name)
  t.equal(codeOf(detached), 'CACHE_ERR_VALUE_INVALID', 'detached bytes')
  t.match(codeOf(deep), /^(?:CACHE_ERR_VALUE_INVALID|kept)$/, 'deeper than the stack, which JSON.stringify of Node 26 takes')
})

t.test('keep: the cause of what cannot be serialised is told', async (t) => {
  const cause = new Error('broken toJSON')
  const result = keep({ toJSON () { throw cause } })
  t.equal(causeOf((result as { error: Error }).error), cause)
})

t.test('keep: objects are what JSON keeps of them', async (t) => {
  t.equal(read(kept(new Date(0))), '1970-01-01T00:00:00.000Z')
  t.same(read(kept({ a: undefined, b: () => {}, c: NaN })), { c: null })
  t.same(read(kept(new Map([[1, 2]]))), {})
  t.equal(read(kept({ toJSON: () => null })), null)
})

t.test('keep: a name like __proto__ changes no prototype', async (t) => {
  const found = read(kept(JSON.parse('{"__proto__":{"polluted":true}}'))) as object
  t.equal(Reflect.get(found, 'polluted'), undefined)
  t.equal(Object.getPrototypeOf(found), Object.prototype)
  t.equal(Reflect.get({}, 'polluted'), undefined)
})

t.test('keep: bytes are copied on the way in and on the way out, and come back as a Buffer', async (t) => {
  for (const bytes of [Buffer.from('abc'), new Uint8Array([97, 98, 99]), Buffer.from('xabcx').subarray(1, 4)]) {
    const stored = kept(bytes)
    bytes.fill(0)
    const one = read(stored) as Buffer
    t.ok(Buffer.isBuffer(one))
    t.equal(one.toString(), 'abc')
    one.fill(0)
    t.equal(String(read(stored)), 'abc')
  }
})

t.test('keep: holds no more bytes than it was given', async (t) => {
  const stored = kept(Buffer.alloc(1024 * 1024).subarray(0, 10))
  t.match(stored, { kind: 'buffer' })
  t.equal((stored as { value: unknown } as { value: Uint8Array }).value.buffer.byteLength, 10, 'the megabyte around them can go')
})

t.test('copyOf: a copy, or the value itself if there can be none', async (t) => {
  const value = { list: [1] }
  const copy = copyOf(value)
  t.same(copy, value)
  t.not(copy, value)
  const uncopied = { amount: 1n }
  t.equal(copyOf(uncopied), uncopied)
})
