import fc from 'fast-check'
import t from 'tap'
import { Slab } from '../src/slab.js'

t.test('Slab: each copy has the bytes it was given, and shares them with no other', async (t) => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: Slab.MAX_COPY + 10 }), { minLength: 2, maxLength: 40 }), (lengths) => {
    const slab = new Slab()
    const sources = lengths.map((length, at) => Buffer.alloc(length, at + 1))
    const copies = sources.map((source) => slab.copy(source))
    for (const [at, copy] of copies.entries()) {
      t.ok(copy.equals(sources[at]!))
      copy.fill(0)
    }
    for (const [at, source] of sources.entries()) t.ok(source.every((byte) => byte === at + 1))
    // Written over one after the other: no two lie in the same place.
    for (const [at, copy] of copies.entries()) copy.fill(at + 1)
    for (const [at, copy] of copies.entries()) t.ok(copy.equals(sources[at]!))
  }), { numRuns: 50 })
})
