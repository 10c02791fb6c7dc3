import t from 'tap'
import { runScript } from '@x/test-kit/run-script'

/** The bytes per entry, measured in a separate process. */
interface Measured { held: number; counted: number; left: number }

const prelude = `
import { MemoryCache } from '@x/cache-core'
import { Backoff } from './packages/cache-core/src/loading/backoff.ts'
import { KeyPatterns } from './packages/cache-core/src/telemetry/key-pattern.ts'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc')
const held = () => {
  for (let run = 0; run < 2; run++) gc()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
const six = (i) => ({ id: i, name: 'User ' + i, email: 'user' + i + '@example.org', age: 20 + i % 60, active: i % 2 === 0, city: 'Berlin' })
const tagged = (i) => ({ ttl: 3600, tags: ['user:' + i, 'users'] })
// A hundred kilobytes that nothing but what was cut from them keeps alive.
const page = (i) => ('<h1>' + 'A title of about as many characters'.slice(0, 30) + i + '</h1>').padEnd(100_000, 'x')
const cut = (i, from, to) => page(i).slice(from, to)
`

const measures = `
const measure = async (isolation, count, entry) => {
  const options = { isolation, maxEntries: count, maxBytes: 2 ** 40 }
  const fill = async (cache, count) => { for (let i = 0; i < count; i++) { const r = await cache.set(...entry(i)); if (!r.ok) throw r.error } }
  const warm = new MemoryCache(options)
  await fill(warm, Math.min(count, 5000))
  await warm.clear()
  const before = held()
  const cache = new MemoryCache(options)
  await fill(cache, count)
  const full = held()
  const counted = cache.bytes
  await cache.clear()
  return { held: (full - before) / count, counted: counted / count, left: held() - before }
}
const churned = async () => {
  const before = held()
  const cache = new MemoryCache({ maxEntries: 20_000 })
  for (let i = 0; i < 100_000; i++) await cache.set('user:' + i, i, i % 3 === 0 ? tagged(i) : 60)
  const after = held()
  const counted = cache.bytes
  await cache.clear()
  return { held: after - before, counted }
}
const bounded = async () => {
  const before = held()
  const cache = new MemoryCache({ maxEntries: 1_000_000, maxBytes: 10_000_000 })
  for (let i = 0; i < 50_000; i++) await cache.set('user:' + i, i % 7 === 0 ? 'x'.repeat(i % 5000) : six(i), i % 2 === 0 ? tagged(i) : 60)
  const after = held()
  await cache.clear()
  return after - before
}
const keysCut = async () => {
  const backoff = new Backoff({ clock: { now: () => 0 } })
  const patterns = new KeyPatterns()
  const before = held()
  for (let i = 0; i < 50; i++) {
    backoff.start(cut(i, 4, 40), 1000)
    patterns.of(cut(i, 4, 5) + ':' + i)
    patterns.of(cut(i, 50_000, 50_020) + String.fromCharCode(97 + i % 26, 97 + i % 25) + ':')
  }
  const after = held()
  backoff.isActive('key')
  patterns.of('key')
  return after - before
}
`

/** The number of entries of a kind. It is large, so that other bytes in the heap do not matter; for kinds of kilobytes it is smaller. */
const countOf = (kind: string): number => ['a large object', 'a stored response'].includes(kind) ? 5000 : 20_000

const kinds: Record<string, string> = {
  'a small object': "'user:' + i, six(i)",
  'a small object with two tags': "'user:' + i, six(i), tagged(i)",
  'an integer': "'count:' + i, i",
  'a fraction': "'ratio:' + i, i + 0.5",
  'a one-byte text': "'text:' + i, 'ein Wörtchen, '.repeat(5) + i",
  'a two-byte text': "'text:' + i, 'несколько слов, '.repeat(5) + i",
  'a long key': "('some:long:key:' + i).padEnd(200, 'x'), i",
  'a two-byte key': "'ключ:с:номером:' + i, i",
  'a large object': "'page:' + i, { text: 'x'.repeat(2000) + i }",
  'a nested object': "'order:' + i, { id: i, price: i * 1.1, items: [{ sku: 'sku-' + i, n: 1, price: 1.5 }, { sku: 'sku-x-' + i, n: 2, price: 2.5 }], flags: [true, null] }",
  'an object whose names are ids': "'votes:' + i, Object.fromEntries(Array.from({ length: 10 }, (_, k) => ['id-' + (10 * i + k), k]))",
  'an object whose names are UUIDs': "'votes:' + i, Object.fromEntries(Array.from({ length: 10 }, (_, k) => [String(10 * i + k).padStart(36, '01234567-9abc-def0-'), k]))",
  'a few bytes': "'bytes:' + i, Buffer.alloc(20, i)",
  'a stored response': "'edge:' + i, Buffer.alloc(1500, i), { ttl: 60, staleIfError: 60, tags: ['edge-uri:' + String(i).padEnd(43, 'x')] }"
}

/** The maximum bytes per entry: 0.8 of the bytes of a design with an object and boxed numbers for each entry. */
const most: Record<string, number> = { 'a small object': 0.8 * 402, 'a small object with two tags': 0.8 * 676 }

const cuts: Record<string, string> = {
  'a text': "'key:' + i, cut(i, 4, 40)",
  'a text in an object': "'key:' + i, { title: cut(i, 4, 40) }",
  'a key': 'cut(i, 4, 40), i',
  'a tag': "'key:' + i, i, { tags: [cut(i, 4, 40)] }"
}

const ISOLATIONS = ['clone', 'freeze'] as const
type Kinds = Record<string, Measured>
interface All {
  kinds: Record<typeof ISOLATIONS[number], Kinds>
  cuts: Record<typeof ISOLATIONS[number], Kinds>
  churned: Pick<Measured, 'held' | 'counted'>
  bounded: number
  keysCut: number
}

/** Returns the statements of the script that measure each kind of entry, in each isolation, into an object of that name. */
const each = (name: 'kinds' | 'cuts', entries: Record<string, string>): string => ISOLATIONS.flatMap((isolation) => Object.entries(entries).map(
  ([kind, entry]) => `all.${name}.${isolation}[${JSON.stringify(kind)}] = await measure('${isolation}', ${name === 'cuts' ? 50 : countOf(kind)}, (i) => [${entry}])`
)).join('\n')

let measured: Promise<All> | undefined
/** Makes all measurements in one process, since each process would need two seconds to start. */
const measureAll = (): Promise<All> => (measured ??= runScript(`${prelude}${measures}
  const all = { kinds: { clone: {}, freeze: {} }, cuts: { clone: {}, freeze: {} } }
  all.churned = await churned()
  all.bounded = await bounded()
  all.keysCut = await keysCut()
  ${each('cuts', cuts)}
  ${each('kinds', kinds)}
  console.log(JSON.stringify(all))
`, 250_000).then((text) => JSON.parse(text) as All))

for (const isolation of ISOLATIONS) {
  t.test(`bytes: within 15 % of what the heap holds, and clear gives all of it back, '${isolation}'`, async (t) => {
    const { [isolation]: measured } = (await measureAll()).kinds
    t.same(Object.keys(measured), Object.keys(kinds))
    for (const [kind, { held, counted, left }] of Object.entries(measured)) {
      t.ok(counted > 0.85 * held && counted < 1.15 * held, `${kind}: ${counted} counted, ${held} held`)
      t.ok(left < 0.05 * held * countOf(kind), `${kind}: ${left} left`)
    }
    if (isolation === 'freeze') return
    for (const [kind, bytes] of Object.entries(most)) t.ok(measured[kind]!.held < bytes, `${kind}: ${measured[kind]!.held} held, at most ${bytes}`)
  })

  t.test(`set: what was cut from a long text does not keep the long text, '${isolation}'`, async (t) => {
    const { [isolation]: measured } = (await measureAll()).cuts
    t.same(Object.keys(measured), Object.keys(cuts))
    for (const [kind, { held }] of Object.entries(measured)) t.ok(held < 20_000, `${kind}: ${held} bytes for each entry`)
  })
}

t.test('bytes: follows what churn makes of the tables', async (t) => {
  const { held, counted } = (await measureAll()).churned
  t.ok(counted > 0.85 * held && counted < 1.15 * held, `${counted} counted, ${held} held`)
})

t.test('maxBytes: holds for small entries with tags, whatever is stored after what', async (t) => {
  const { bounded } = await measureAll()
  t.ok(bounded < 11_500_000, `${bounded} held`)
})

t.test('Backoff, KeyPatterns: a key that was cut from a long text does not keep the long text', async (t) => {
  const { keysCut } = await measureAll()
  t.ok(keysCut < 500_000, `${keysCut} held`)
})
