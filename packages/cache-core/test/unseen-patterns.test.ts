import { CacheRegistry } from '@x/cache-core'
import { FakeTime } from '@x/test-kit/fake-time'
import t, { type Test } from 'tap'

const MINUTE = 60_000

/** Starts a registry; returns it, the messages about patterns, and a function that counts reads and lets minutes pass. */
function start (t: Test, options: ConstructorParameters<typeof CacheRegistry>[0]) {
  const time = new FakeTime(t)
  const registry = new CacheRegistry(options)
  const said: string[] = []
  registry.events.on('doubted', (_keyPattern, message) => { said.push(message) })
  registry.start()
  t.teardown(() => { registry.stop() })
  const pass = (minutes: number, reads: Record<string, number>): void => {
    for (const [key, misses] of Object.entries(reads)) registry.active.stats.of(key).misses += misses
    for (let minute = 0; minute < minutes; minute++) time.advance(MINUTE)
  }
  return { registry, said, pass }
}

t.test('rollout.allow, patterns: a misspelt name is said once, after ten minutes and a thousand reads', async (t) => {
  const { said, pass } = start(t, { rollout: { allow: ['usr', 'product'] }, patterns: { usr: { ttl: 60 }, product: { ttl: 60 } } })
  pass(9, { 'user:1': 900, 'product:1': 1000 })
  t.same(said, [])
  pass(30, {})
  t.same(said.length, 2)
  for (const [at, option] of ['rollout.allow', 'patterns'].entries()) {
    t.match(said[at], new RegExp(`^${option} names the key pattern usr, and no key of 1900 reads has it.* pattern user: compare the spelling`))
  }
})

t.test('rollout.patterns: a misspelt name of an own percent is said, too', async (t) => {
  const { registry, said, pass } = start(t, {})
  registry.rollout.patterns = { usr: 10 }
  pass(10, { 'user:1': 1000 })
  t.match(said, [/^rollout\.patterns names the key pattern usr/])
})

t.test('rollout.allow: nothing is said of few reads, of *, nor of patterns that keys have', async (t) => {
  const { said, pass } = start(t, { rollout: { allow: ['*'] }, patterns: { user: { ttl: 60 } } })
  pass(60, { 'user:1': 999 })
  pass(60, { 'user:2': 5000 })
  t.same(said, [])
  const few = start(t, { rollout: { allow: ['usr'] } })
  few.pass(60, { 'user:1': 999 })
  t.same(few.said, [])
})

for (const [name, isSaid] of [
  ['users', true], ['User', true], ['usr', true], ['uuser', true], ['usex', true], ['usre', false], ['us', false], ['u', false],
  ['report', false], ['user-settings', false], ['user2', false]
] as const) {
  t.test(`patterns: ${name} beside keys of user is ${isSaid ? '' : 'not '}said: a name that no other is like may come later`, async (t) => {
    const { said, pass } = start(t, { patterns: { [name]: { ttl: 60 } } })
    pass(10, { 'user:1': 1000 })
    t.equal(said.length, isSaid ? 1 : 0)
  })
}

t.test('patterns: longer names may differ in two letters, versions are two names, and the label of all others is none', async (t) => {
  const { said, pass } = start(t, { patterns: { prodcut: { ttl: 60 }, v2: { ttl: 60 }, 'v1/user': { ttl: 60 }, others: { ttl: 60 }, home: { ttl: 60 } } })
  pass(10, { 'product:1': 1000, 'v1:1': 1, 'v2/user:1': 1, 'x y:1': 1, 'game:1': 1 })
  t.match(said, [/^patterns names the key pattern prodcut.* the pattern product/])
  t.equal(said.length, 1)
})
