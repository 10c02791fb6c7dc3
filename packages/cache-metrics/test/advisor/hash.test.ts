import fc from 'fast-check'
import t from 'tap'
import { hashKey, HASHES, KeyHasher, saltedHash, saltOf } from '../../src/advisor/hash.js'
import { anyCharacter } from '@x/test-kit/texts'

/** Computes the same hash in the textbook way, slowly: FNV-1a, then fmix32. */
function byTheBook (key: string): number {
  const low = (number: bigint): bigint => BigInt.asUintN(32, number)
  let hash = 0x811c9dc5n
  for (const unit of Buffer.from(key, 'latin1')) hash = low((hash ^ BigInt(unit)) * 0x01000193n)
  hash = low((hash ^ hash >> 16n) * 0x85ebca6bn)
  hash = low((hash ^ hash >> 13n) * 0xc2b2ae35n)
  return Number(hash ^ hash >> 16n)
}

t.test('hashKey: is FNV-1a and fmix32', async () => {
  fc.assert(fc.property(fc.string({ unit: 'binary-ascii' }), (key) => hashKey(key) === byTheBook(key)))
})

t.test('hashKey: gives 32 bits without a sign for any string', async () => {
  fc.assert(fc.property(fc.string({ unit: anyCharacter }), (key) => {
    const hash = hashKey(key)
    return Number.isInteger(hash) && hash >= 0 && hash < HASHES
  }))
})

t.test('hashKey: characters beyond ASCII count in full', async (t) => {
  t.not(hashKey('ł'), hashKey('B'), 'they differ above the lower eight bits alone')
})

t.test('hashKey: spreads keys that count up evenly, by the upper bits and by the lower', async (t) => {
  const KEYS = 100_000
  for (const prefix of ['', 'user:', 'GET /products?id=']) {
    const upper = new Array<number>(256).fill(0)
    const lower = new Array<number>(256).fill(0)
    const seen = new Set<number>()
    for (let id = 0; id < KEYS; id++) {
      const hash = hashKey(`${prefix}${id}`)
      upper[hash >>> 24]!++
      lower[hash & 255]!++
      seen.add(hash)
    }
    const mean = KEYS / 256
    for (const counts of [upper, lower]) {
      const chiSquare = counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0)
      t.ok(chiSquare > 150 && chiSquare < 380, `chi-square ${chiSquare} of 255 degrees of freedom after "${prefix}"`)
    }
    t.ok(KEYS - seen.size < 10, 'hardly two keys share a hash')
  }
})

t.test('saltedHash: is HalfSipHash-2-4, by the vector of its authors for four bytes', async (t) => {
  t.equal(saltedHash(0x03020100, [0x03020100, 0x07060504]), 0x89466e2a)
})

t.test('KeyHasher: with a salt the hashes are those of another process with the same salt, and no others', async (t) => {
  const [one, same, other, bare] = [new KeyHasher(saltOf('secret')), new KeyHasher(saltOf('secret')), new KeyHasher(saltOf('another')), new KeyHasher()]
  for (const key of ['', 'user:1', 'user:2', 'user:1']) {
    t.equal(one.of(key), same.of(key))
    t.equal(one.of(key), one.hash(key))
    t.not(one.of(key), other.of(key))
    t.equal(bare.of(key), hashKey(key))
  }
})

t.test('saltedHash: spreads hashes evenly over the strata', async (t) => {
  const salt = saltOf('secret')
  let below = 0
  for (let at = 0; at < 100_000; at++) if (saltedHash(at, salt) < HASHES / 8) below++
  t.ok(Math.abs(below - 12_500) < 500, String(below))
})
