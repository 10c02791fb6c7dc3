import { CacheRegistry, MemoryCache, Rollout } from '@x/cache-core'
import { bucketOf, CacheClient } from '@x/cache-core/suite'
import fc from 'fast-check'
import t from 'tap'
import { anyCharacter } from '@x/test-kit/texts'

t.test('bucketOf: is FNV-1a of "salt:subject", modulo 10 000', async (t) => {
  // The vectors of the reference implementation that contain a colon; the text before the colon is the salt.
  const vectors: [string, number][] = [
    ['//antwrp.gsfc.nasa.gov/apod/astropix.html', 0xce524afa],
    ['//en.wikipedia.org/wiki/Fowler_Noll_Vo_hash', 0xdd16ef45],
    ['//epod.usra.edu/', 0x60648bb3],
    ['//exoplanet.eu/', 0x7fa4bcfc]
  ]
  for (const [subject, hash] of vectors) t.equal(bucketOf(subject, 'http'), hash % 10_000)
})

t.test('bucketOf: hashes the UTF-8 bytes, as an implementation with whole numbers of any size does', async () => {
  const reference = (text: string): number => {
    const hash = Buffer.from(text).reduce((hash, byte) => (hash ^ BigInt(byte)) * 16777619n % 2n ** 32n, 2166136261n)
    return Number(hash % 10_000n)
  }
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (subject, salt) => {
    return bucketOf(subject, salt) === reference(`${salt}:${subject}`) && bucketOf(subject) === reference(`:${subject}`)
  }))
})

t.test('bucketOf: is a whole number from 0 to 9999, whatever the subject', async () => {
  fc.assert(fc.property(fc.string({ unit: anyCharacter }), fc.string(), (subject, salt) => {
    const bucket = bucketOf(subject, salt)
    return Number.isInteger(bucket) && bucket >= 0 && bucket < 10_000 && bucket === bucketOf(subject, salt)
  }))
})

t.test('includes: raising the percent only ever adds subjects', async () => {
  const percent = fc.float({ min: 0, max: 100, noNaN: true })
  fc.assert(fc.property(fc.string(), fc.string(), percent, percent, (subject, salt, one, other) => {
    const rollout = new Rollout()
    rollout.salt = salt
    rollout.percent = Math.min(one, other)
    const before = rollout.includes(subject)
    rollout.percent = Math.max(one, other)
    return !before || rollout.includes(subject)
  }))
})

t.test('includes: nobody is in at 0, everybody at 100', async () => {
  fc.assert(fc.property(fc.string(), (subject) => {
    const rollout = new Rollout()
    rollout.percent = 0
    const atNone = rollout.includes(subject)
    rollout.percent = 100
    return !atNone && rollout.includes(subject)
  }))
})

t.test('includes: each percent of two decimals is exactly so many buckets', async (t) => {
  // A subject for each bucket, by the number of the bucket.
  const byBucket = new Map<number, string>()
  for (let id = 0; byBucket.size < 10_000; id++) byBucket.set(bucketOf(`user:${id}`), `user:${id}`)
  const subjects = [...byBucket.values()]
  const rollout = new Rollout()
  for (const percent of [0.01, 0.07, 0.29, 0.57, 1.1, 10, 33.33, 50, 99.99]) {
    rollout.percent = percent
    t.equal(subjects.filter((subject) => rollout.includes(subject)).length, Math.round(percent * 100), `${percent} %`)
  }
})

t.test('includes: users in a row are spread evenly, under any salt', async (t) => {
  for (const salt of ['', '2026-11', 'x']) {
    const counts = new Array<number>(20).fill(0)
    for (let id = 1; id <= 40_000; id++) counts[Math.floor(bucketOf(String(id), salt) / 500)]!++
    t.ok(counts.every((count) => Math.abs(count - 2000) < 200), `about 2000 each: ${counts.join(' ')}, salt "${salt}"`)
  }
})

t.test('includes: another salt draws others', async (t) => {
  const drawn = (salt: string): string[] => {
    const rollout = new Rollout()
    rollout.percent = 10
    rollout.salt = salt
    return Array.from({ length: 5000 }, (_, id) => `user:${id}`).filter((subject) => rollout.includes(subject))
  }
  const first = new Set(drawn('one'))
  const both = drawn('two').filter((subject) => first.has(subject))
  t.ok(both.length < first.size / 5, `${both.length} of ${first.size} are in both`)
})

t.test('percent: what is no number from 0 to 100 is refused, and changes nothing', async (t) => {
  const changes: number[] = []
  const rollout = new Rollout((percent) => changes.push(percent))
  for (const percent of [-0.01, 100.01, NaN, Infinity, '50', null, undefined]) {
    t.throws(() => { rollout.percent = percent as number }, { code: 'CACHE_ERR_OPTION_INVALID' })
  }
  t.equal(rollout.percent, 100)
  t.same(changes, [])
})

t.test('percent: tells each change, and nothing else', async (t) => {
  const changes: number[] = []
  const rollout = new Rollout((percent) => changes.push(percent))
  for (const percent of [100, 10, 10, 0, 55.5]) rollout.percent = percent
  t.same(changes, [10, 0, 55.5])
})

t.test('allows: all patterns by default, then those of the list', async (t) => {
  const rollout = new Rollout()
  t.same([rollout.allow, rollout.allows('user'), rollout.isComplete], [['*'], true, true])
  rollout.allow = ['user', 'table']
  t.same([rollout.allows('user'), rollout.allows('table'), rollout.allows('other'), rollout.allows('*')], [true, true, false, false])
  rollout.allow = []
  t.same([rollout.allows('user'), rollout.isComplete], [false, false])
  rollout.allow = ['user', '*']
  t.same([rollout.allows('table'), rollout.isComplete], [true, true])
})

t.test('allow, salt, percent: a wrong value set at run time is refused, and the earlier one stays', async (t) => {
  const rollout = new Rollout()
  rollout.allow = ['user']
  rollout.salt = 'a'
  rollout.percent = 10
  // Values that are no list of patterns are refused; a string would otherwise allow each of its characters.
  for (const allow of ['user', ['user', 1], null, undefined, { user: true }]) {
    t.throws(() => { rollout.allow = allow as string[] }, { code: 'CACHE_ERR_OPTION_INVALID', message: /"rollout\.allow"/ })
  }
  for (const salt of [1, null, undefined]) t.throws(() => { rollout.salt = salt as unknown as string }, { code: 'CACHE_ERR_OPTION_INVALID', message: /"rollout\.salt"/ })
  for (const percent of ['10', NaN, 101]) t.throws(() => { rollout.percent = percent as number }, { code: 'CACHE_ERR_OPTION_INVALID', message: /"rollout\.percent"/ })
  t.match(rollout, { allow: ['user'], salt: 'a', percent: 10 })
})

t.test('allow: is a list of its own', async (t) => {
  const rollout = new Rollout()
  const patterns = ['user']
  rollout.allow = patterns
  patterns.push('table')
  rollout.allow.push('table')
  t.same(rollout.allow, ['user'])
})

t.test('isAllOrNothing: a subject is needed between 0 and 100 only', async (t) => {
  const rollout = new Rollout()
  const told = [0, 0.01, 50, 99.99, 100].map((percent) => {
    rollout.percent = percent
    return rollout.isAllOrNothing
  })
  t.same(told, [true, false, false, false, true])
})

t.test('allow: a pattern that is let in at run time has its label, also if traffic took all places before', async (t) => {
  const registry = new CacheRegistry({ maxKeyPatterns: 2 })
  for (const key of ['a:1', 'b:1', 'c:1']) registry.controlStats.of(key)
  t.equal(registry.stats.patterns.of('c:1'), 'other')
  registry.rollout.allow = ['c']
  t.equal(registry.stats.patterns.of('c:1'), 'c')
  t.equal(registry.rollout.allows(registry.stats.patterns.of('c:1')), true)
})

t.test('holdOut: the highest buckets stay outside at every percent, and no bucket changes', async (t) => {
  const rollout = new Rollout()
  rollout.holdOut = 1
  t.same([rollout.limit, rollout.isComplete, rollout.isAllOrNothing], [9900, false, false])
  for (const [percent, limit] of [[0, 0], [10, 1000], [99.5, 9900], [100, 9900]] as const) {
    rollout.percent = percent
    t.equal(rollout.limit, limit)
    t.same([0, limit, 9999].map((bucket) => rollout.includesBucket(bucket)), [limit > 0, false, false])
  }
  for (const wrong of [-1, 101, NaN, '1']) t.throws(() => { rollout.holdOut = wrong as number }, { code: 'CACHE_ERR_OPTION_INVALID' })
})

t.test('patterns: a pattern is cached below its own percent and the common one', async (t) => {
  const registry = new CacheRegistry()
  registry.register(new MemoryCache())
  const { rollout } = registry
  rollout.percent = 50
  rollout.patterns = { user: 10, table: 100 }
  const client = new CacheClient(registry)
  const serves = (key: string, bucket: number): boolean => client.withArm('cached', undefined, undefined, bucket).serves(key)
  t.same([serves('user:1', 999), serves('user:1', 1000), serves('table:1', 4999), serves('other:1', 4999)], [true, false, true, true])
  t.equal(client.withArm('control').serves('user:1'), false)
  const keys = Array.from({ length: 2000 }, (_, id) => `user:${id}`)
  t.same(keys.filter((key) => client.serves(key)), keys.filter((key) => bucketOf(key) < 1000), 'outside of a request by the key')
  rollout.patterns = {}
  t.equal(serves('user:1', 4999), true)
  t.throws(() => { rollout.patterns = { user: 101 } }, { code: 'CACHE_ERR_OPTION_INVALID' })
})

t.test('patterns: a percent of a pattern keeps a complete rollout from deciding without a subject', async (t) => {
  const rollout = new Rollout()
  rollout.patterns = { user: 10 }
  t.same([rollout.isComplete, rollout.isAllOrNothing], [false, false])
  rollout.patterns = {}
  t.same([rollout.isComplete, rollout.isAllOrNothing], [true, true])
})

t.test('bucketOf: a million ids are spread nearly uniformly, the same through a rollout', async (t) => {
  const rollout = new Rollout()
  rollout.salt = 'spread'
  const counts = new Uint32Array(10_000)
  for (let id = 0; id < 1_000_000; id++) counts[rollout.bucketOf(`user-${id}`)]!++
  t.equal(rollout.bucketOf('user-7'), bucketOf('user-7', 'spread'))
  const chiSquare = counts.reduce((sum, count) => sum + (count - 100) ** 2 / 100, 0)
  // With 9999 degrees of freedom the mean is 9999 and the standard deviation 141.
  t.ok(chiSquare < 9999 + 6 * 141, `chi square ${chiSquare}`)
})
