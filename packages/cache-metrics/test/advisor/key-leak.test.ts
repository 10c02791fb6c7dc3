import t from 'tap'
import { KeyLeak, type Dimensions } from '../../src/advisor/key-leak/key-leak.js'
import { hash, pick, random } from '../fixtures/seeded.js'

/** Returns the dimensions of a user's request: each user has one cookie, one token and one of three languages. */
function dimensionsOf (user: number, sort: number): Dimensions {
  return {
    'header cookie': hash(1, user),
    'header authorization': hash(2, user),
    'header accept-language': hash(3, user % 3),
    'query sort': hash(4, sort),
    user: hash(5, user)
  }
}

interface Request { key: number, user: number, sort: number, version: number }
/** Returns the value of a request, which depends on some of its parts. */
type Value = (request: Request) => number

/** Makes random requests with a planted leak. With `changes`, one request in fifty changes the value of its key. */
function planted (
  seed: number, { keys, users, value, changes = false }: { keys: number, users: number, value: Value, changes?: boolean }
): KeyLeak {
  const next = random(seed)
  const leak = new KeyLeak()
  const versions = new Map<number, number>()
  for (let time = 0; time < 200; time++) {
    const key = pick(next, keys)
    const version = (versions.get(key) ?? 0) + Number(changes && next() < 0.02)
    versions.set(key, version)
    const request = { key, user: pick(next, users), sort: pick(next, 4), version }
    leak.note(hash(key), time, value(request), dimensionsOf(request.user, request.sort))
  }
  return leak
}

/** Returns for each dimension with how many of 100 seeds it is named. */
function named (plan: Parameters<typeof planted>[1]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (let seed = 1; seed <= 100; seed++) {
    const dimension = planted(seed, plan).leak()?.dimension ?? `none with seed ${seed}`
    counts[dimension] = (counts[dimension] ?? 0) + 1
  }
  return counts
}

const byUser: Value = ({ key, user, version }) => hash(key, user, version)

t.test('leak: a key without the user is named within 200 requests', async (t) => {
  for (const [keys, users] of [[1, 2], [1, 100], [10, 5], [10, 20], [10, 50], [20, 5], [20, 20]] as const) {
    t.same(named({ keys, users, value: byUser }), { user: 100 }, `${keys} keys, ${users} users`)
  }
})

t.test('leak: is named by 95 in 100 where a user asks for each key but 0.2 times', async (t) => {
  const counts = named({ keys: 20, users: 50, value: byUser })
  t.ok(counts.user! >= 95, JSON.stringify(counts))
  t.same(Object.keys(counts).filter((name) => !name.startsWith('none')), ['user'])
})

t.test('leak: a key without the user is named although values change now and then', async (t) => {
  for (const [keys, users] of [[1, 100], [10, 5], [10, 20], [20, 5]] as const) {
    t.same(named({ keys, users, value: byUser, changes: true }), { user: 100 }, `${keys} keys, ${users} users`)
  }
})

t.test('leak: a key without the user is named although half of the users share a value', async (t) => {
  const cart: Value = ({ key, user }) => user % 2 === 0 ? hash(key) : hash(key, user)
  t.same(named({ keys: 10, users: 10, value: cart }), { user: 100 })
  const counts = named({ keys: 1, users: 100, value: cart })
  t.ok(counts.user! >= 95, JSON.stringify(counts))
  t.same(Object.keys(counts).filter((name) => !name.startsWith('none')), ['user'])
})

t.test('leak: a language that explains all is named and not its users', async (t) => {
  const byLanguage: Value = ({ key, user }) => hash(key, user % 3)
  for (const [keys, users] of [[1, 100], [10, 5], [10, 20], [20, 50]] as const) {
    t.same(named({ keys, users, value: byLanguage }), { 'header accept-language': 100 }, `${keys} keys, ${users} users`)
  }
})

t.test('leak: a query parameter is named', async (t) => {
  for (const [keys, users] of [[1, 100], [10, 5], [20, 50]] as const) {
    t.same(named({ keys, users, value: ({ key, sort }) => hash(key, sort) }), { 'query sort': 100 }, `${keys} keys, ${users} users`)
  }
})

t.test('leak: of parts that explain equally well the order is user, query, param, header, cookie', async (t) => {
  const names = ['cookie sid', 'header cookie', 'header x-tenant', 'param tenant', 'query tenant', 'user']
  const kinds = ['cookie', 'cookie', 'header', 'param', 'query', 'user']
  while (names.length > 1) {
    const next = random(names.length)
    const leak = new KeyLeak()
    for (let time = 0; time < 300; time++) {
      const user = pick(next, 10)
      leak.note(1, time, hash(user), Object.fromEntries(names.map((name) => [name, hash(user)])))
    }
    t.match(leak.leak(), { dimension: names.length === 2 ? String : names.at(-1), kind: kinds[names.length - 1] })
    names.pop()
  }
})

t.test('leak: is named with its evidence', async (t) => {
  const leak = planted(1, { keys: 10, users: 10, value: byUser }).leak()!
  t.equal(leak.same.agreeing, leak.same.compared)
  t.equal(leak.other.differing, leak.other.compared)
  t.equal(leak.explained, leak.returns)
  t.equal(leak.contradicted, 0)
  t.ok(leak.same.compared > 50 && leak.other.compared > 100 && leak.returns > 50)
  t.ok(leak.confidence > 0.999999 && leak.confidence <= 1)
})

t.test('leak: one that starts late is found', async (t) => {
  const next = random(1)
  const leak = new KeyLeak()
  for (let time = 0; time < 21_000; time++) {
    const key = pick(next, 10)
    const user = pick(next, 10)
    const value = time < 20_000 ? hash(key, pick(next, 2)) : hash(key, user)
    leak.note(hash(key), time, value, dimensionsOf(user, 0))
    if (time === 19_999) t.equal(leak.leak(), undefined)
  }
  t.match(leak.leak(), { dimension: 'user' })
})

t.test('leak: is undefined before anything was seen, and without dimensions', async (t) => {
  const leak = new KeyLeak()
  t.equal(leak.leak(), undefined)
  for (let time = 0; time < 1000; time++) leak.note(1, time, time % 2, {})
  t.equal(leak.leak(), undefined)
})

t.test('leak: labels that are shuffled among the requests of a leak are not reported', async (t) => {
  for (let seed = 1; seed <= 100; seed++) {
    const next = random(seed)
    const leak = new KeyLeak()
    for (let time = 0; time < 2000; time++) leak.note(1, time, hash(pick(next, 5)), dimensionsOf(pick(next, 5), 0))
    t.equal(leak.leak(), undefined, `seed ${seed}`)
  }
})

type Users = (next: () => number, state: Map<number, number>, key: number, at: number) => number
const users: Record<string, Users> = {
  'two in no order': (next) => pick(next, 2),
  'a thousand': (next) => pick(next, 1000),
  bursts (next, state, key) {
    if (next() < 0.1 || !state.has(key)) state.set(key, pick(next, 5))
    return state.get(key)!
  },
  'strict turns' (_next, state, key) {
    state.set(key, (state.get(key) ?? 0) + 1)
    return state.get(key)! % 2
  },
  'in the key': (_next, _state, key) => key,
  'few by night, many by day': (next, _state, _key, at) => pick(next, at % 1000 < 500 ? 2 : 300)
}
/** Returns the next value of a key, from its last value and the number of its loads so far. */
type Values = (next: () => number, last: number, loads: number) => number
const values: Record<string, Values> = {
  constant: () => 1,
  'Poisson changes': (next, last) => next() < 0.05 ? last + 1 : last,
  counters: (_next, last) => last + 1,
  'random values': (next) => pick(next, 2 ** 32),
  'random toggles': (next) => pick(next, 2),
  'slow toggles': (next, last) => next() < 0.1 ? 1 - last : last,
  'nervous toggles': (next, last) => next() < 0.8 ? 1 - last : last,
  alternation: (_next, last) => 1 - last,
  'cycles of three': (_next, _last, loads) => loads % 3
}

let seed = 0
for (const [row, [what, value]] of Object.entries(values).entries()) {
  t.test(`leak: no dimension is reported in 100 000 requests: ${what}`, async (t) => {
    for (const [column, [who, user]] of Object.entries(users).entries()) {
      const next = random(++seed)
      const leak = new KeyLeak()
      const states = new Map<number, number>()
      const keys = seed % 3 === 0 ? 1 : 30
      const last = new Uint32Array(keys)
      const loads = new Uint32Array(keys)
      // A third of the combinations have 100 000 requests; the others have fewer to save time.
      const requests = (row + column) % 3 === 0 ? 100_000 : 30_000
      for (let at = 0; at < requests; at++) {
        const key = pick(next, keys)
        last[key] = value(next, last[key]!, loads[key]!++)
        const from = user(next, states, key, at)
        leak.note(key, at / 5, hash(key, last[key]!), { user: hash(from), 'header accept-language': hash(from % 3), 'query sort': pick(next, 3) })
        if (at % 1000 === 999 && leak.leak() !== undefined) {
          t.fail(`${who}, seed ${seed}: ${JSON.stringify(leak.leak())}`)
          break
        }
      }
      if (what === 'counters' || what === 'random values') t.ok(leak.noise, `noise: ${who}, seed ${seed}`)
      else if (what !== 'cycles of three' && what !== 'alternation') t.notOk(leak.noise, `noise: ${who}, seed ${seed}`)
    }
  })
}

t.test('leak: what comes again after an hour says nothing of users', async (t) => {
  // One user works by day and one by night, and the value depends on the time of day.
  const leak = new KeyLeak()
  for (let at = 0; at < 500; at++) {
    const shift = Math.floor(at / 5) % 2
    leak.note(1, at * 8640, shift, { user: hash(shift) })
  }
  t.equal(leak.leak(), undefined)
})

t.test('noise: a leak is none, nor are values of which too few pairs were seen', async (t) => {
  t.notOk(planted(1, { keys: 10, users: 5, value: byUser }).noise)
  const leak = new KeyLeak()
  for (let time = 0; time < 51; time++) {
    t.notOk(leak.noise)
    leak.note(1, time, time, { user: 1 })
  }
  t.ok(leak.noise)
})

t.test('noise: values that are news between rare requests are none', async (t) => {
  const leak = new KeyLeak()
  for (let at = 0; at < 1000; at++) leak.note(1, at * 61, at, { user: 1 })
  t.notOk(leak.noise)
})

t.test('noise: ends when values settle', async (t) => {
  const leak = new KeyLeak()
  for (let at = 0; at < 10_000; at++) leak.note(1, at, at, {})
  t.ok(leak.noise)
  for (let at = 0; at < 1000; at++) leak.note(1, 10_000 + at, 1, {})
  t.notOk(leak.noise)
})

t.test('note: a key that is used keeps its place among many that are not', async (t) => {
  const next = random(1)
  const leak = new KeyLeak({ maxKeys: 4 })
  for (let time = 0; time < 4000; time++) {
    const user = pick(next, 10)
    if (time % 2 === 0) leak.note(7, time, hash(user), { user })
    else leak.note(1000 + time, time, hash(user), { user })
  }
  t.match(leak.leak(), { dimension: 'user' })
})

t.test('leak: a name that is met late is not accused for the requests before it', async (t) => {
  for (let seed = 1; seed <= 100; seed++) {
    const next = random(seed)
    const leak = new KeyLeak({ maxKeys: 4 })
    for (let time = 0; time < 2000; time++) {
      // The users and the values change at random, independently of each other, and both change fast.
      leak.note(1, time, pick(next, 3), time < 1000 ? { user: 1 } : { user: 1, 'query sort': pick(next, 3) })
      if (leak.leak() !== undefined) {
        t.fail(`seed ${seed} at ${time}`)
        break
      }
    }
  }
})

t.test('leak: those who write and at once read their own value are not accused', async (t) => {
  for (const [writers, readers, share] of [[2, 2, 0.3], [2, 20, 0.3], [2, 20, 0.5], [2, 5, 0.6], [5, 5, 0.5]] as const) {
    for (let seed = 1; seed <= 10; seed++) {
      const next = random(seed)
      const leak = new KeyLeak({ maxKeys: 32 })
      let last = 0
      for (let time = 0; time < 5000; time++) {
        const isWrite = next() < share
        const user = pick(next, isWrite ? writers : readers)
        if (isWrite) last = user
        leak.note(1, time, hash(last), { user: hash(user) })
        if (time % 20 === 19 && leak.leak() !== undefined) {
          t.fail(`${writers} writers, seed ${seed}: ${JSON.stringify(leak.leak())}`)
          break
        }
      }
    }
  }
})

t.test('bytes: do not grow with users, keys or requests', async (t) => {
  const next = random(1)
  const leak = new KeyLeak()
  leak.note(1, 0, 1, dimensionsOf(1, 1))
  const { bytes } = leak
  t.ok(bytes < 40_000, String(bytes))
  for (let time = 0; time < 100_000; time++) leak.note(pick(next, 50_000), time, pick(next, 100), dimensionsOf(time, time))
  t.equal(leak.bytes, bytes)
})
