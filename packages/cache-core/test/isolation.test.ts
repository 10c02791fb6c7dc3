import fc from 'fast-check'
import t from 'tap'
import { causeOf } from '../src/contract/coded-error.js'
import { copyOf, isolate, read, type Isolated } from '../src/contract/isolation.js'

function isolated (value: unknown): Isolated {
  const result = isolate(value)
  if ('error' in result) throw result.error
  return result
}

function codeOf (value: unknown): string {
  const result = isolate(value)
  return 'error' in result ? result.error.code : 'isolated'
}

t.test('isolate, read: a JSON value comes back as it went in, and is nobody else\'s', async () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const stored = isolated(value)
    const one = read(stored)
    const other = read(stored)
    const isAlone = typeof one !== 'object' || one === null || (one !== other && one !== value)
    return isAlone && JSON.stringify(one) === JSON.stringify(value)
  }))
})

t.test('isolate: what cannot be stored is CACHE_ERR_VALUE_INVALID, and nothing throws', async (t) => {
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
  t.match(codeOf(deep), /^(?:CACHE_ERR_VALUE_INVALID|isolated)$/, 'deeper than the stack, which JSON.stringify of Node 26 takes')
})

t.test('isolate: the cause of what cannot be serialised is told', async (t) => {
  const cause = new Error('broken toJSON')
  const result = isolate({ toJSON () { throw cause } })
  t.equal(causeOf((result as { error: Error }).error), cause)
})

t.test('isolate: objects are what JSON keeps of them', async (t) => {
  t.equal(read(isolated(new Date(0))), '1970-01-01T00:00:00.000Z')
  t.same(read(isolated({ a: undefined, b: () => {}, c: NaN })), { c: null })
  t.same(read(isolated(new Map([[1, 2]]))), {})
  t.equal(read(isolated({ toJSON: () => null })), null)
})

t.test('isolate: a name like __proto__ changes no prototype', async (t) => {
  const found = read(isolated(JSON.parse('{"__proto__":{"polluted":true}}'))) as object
  t.equal(Reflect.get(found, 'polluted'), undefined)
  t.equal(Object.getPrototypeOf(found), Object.prototype)
  t.equal(Reflect.get({}, 'polluted'), undefined)
})

t.test('isolate: bytes are copied on the way in and on the way out, and come back as a Buffer', async (t) => {
  for (const bytes of [Buffer.from('abc'), new Uint8Array([97, 98, 99]), Buffer.from('xabcx').subarray(1, 4)]) {
    const stored = isolated(bytes)
    bytes.fill(0)
    const one = read(stored) as Buffer
    t.ok(Buffer.isBuffer(one))
    t.equal(one.toString(), 'abc')
    one.fill(0)
    t.equal(String(read(stored)), 'abc')
  }
})

t.test('isolate: holds no more bytes than it was given', async (t) => {
  const stored = isolated(Buffer.alloc(1024 * 1024).subarray(0, 10))
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
