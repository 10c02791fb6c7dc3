import t from 'tap'
import { KeyLeak, type Dimensions } from '../../src/advisor/key-leak/key-leak.js'
import { hash, pick, random } from '../fixtures/seeded.js'

t.test('note: names may be those of Object.prototype', async (t) => {
  const next = random(1)
  const leak = new KeyLeak()
  for (let time = 0; time < 500; time++) {
    const user = pick(next, 10)
    leak.note(1, time, hash(user), { 'query constructor': user, constructor: user })
  }
  t.match(leak.leak(), { dimension: 'query constructor', kind: 'query' })
})

/** Many names of each kind. They are made once, since a newly joined text must be hashed again, which takes long. */
const JUNK = new Map(['query', 'param', 'header', 'cookie', 'strange'].map((kind) =>
  [kind, Array.from({ length: 16 }, (_, index) => `${kind} q${index}`)] as const))

/** Makes dimensions with many names, as one client may send them. */
function junk (kind: string, value = () => 1): Dimensions {
  return Object.fromEntries(JUNK.get(kind)!.map((name) => [name, value()]))
}

for (const kind of ['query', 'header', 'cookie']) {
  t.test(`note: one request with 16 names of kind ${kind} hides neither user nor other parts`, async (t) => {
    for (const name of ['user', 'header authorization', 'query sort', 'header accept-language', 'cookie theme', 'param id']) {
      const next = random(1)
      const leak = new KeyLeak()
      leak.note(1, 0, 0, junk(kind))
      for (let time = 1; time <= 200; time++) {
        const value = pick(next, 5)
        leak.note(1, time, hash(value), { [name]: hash(value) })
      }
      t.match(leak.leak(), { dimension: name })
    }
  })
}

t.test('note: a client that sends other names all the time takes no place of a name in use', async (t) => {
  for (const first of [true, false]) {
    const next = random(1)
    const leak = new KeyLeak()
    for (let time = 0; time < 2000; time++) {
      const value = pick(next, 5)
      const isClient = time < 100 ? first : pick(next, 4) === 0
      if (isClient) leak.note(1, time, hash(9), Object.fromEntries(Array.from({ length: 8 }, () => [`query q${pick(next, 1000)}`, pick(next, 9)])))
      else leak.note(1, time, hash(value), { 'query sort': hash(value) })
    }
    t.match(leak.leak(), { dimension: 'query sort' })
  }
})

t.test('note: what says nothing gives way, so that each of many headers has its turn', async (t) => {
  for (const junkOf of [() => () => 1, (next: () => number) => () => pick(next, 7)]) {
    for (const position of [0, 8, 15]) {
      const next = random(position + 1)
      const leak = new KeyLeak()
      for (let time = 0; time < 5000; time++) {
        const value = pick(next, 5)
        const headers = Object.entries(junk('header', junkOf(next)))
        headers.splice(position, 0, ['header x-tenant', hash(value)])
        leak.note(pick(next, 5), time, hash(value), Object.fromEntries(headers))
      }
      t.match(leak.leak(), { dimension: 'header x-tenant' })
    }
  }
})

t.test('leak: names that come and go are not reported', async (t) => {
  // The names are made once, since a newly joined text must be hashed again, which would take longer than the tested code.
  const names = Array.from({ length: 12 }, (_, index) => `query q${index}`)
  for (let seed = 1; seed <= 20; seed++) {
    const next = random(seed)
    const leak = new KeyLeak({ maxKeys: 32 })
    for (let time = 0; time < 20_000; time++) {
      const key = pick(next, 40)
      const value = hash(key, pick(next, 1 + seed % 3))
      const dimensions: Record<string, number> = { user: pick(next, 3) }
      for (let count = 0; count < 6; count++) dimensions[names[pick(next, 12)]!] = pick(next, 3)
      leak.note(key, time, value, dimensions)
      if (time % 500 === 499 && leak.leak() !== undefined) {
        t.fail(`seed ${seed}: ${JSON.stringify(leak.leak())}`)
        break
      }
    }
  }
})

t.test('bytes: 40 of them hold less than 1.6 MB, whatever names they met', async (t) => {
  const leak = new KeyLeak({ maxKeys: 32 })
  for (let time = 0; time < 100; time++) {
    leak.note(time % 50, time, time, { user: 1, 'header authorization': 1, ...junk('query'), ...junk('param'), ...junk('header'), ...junk('cookie'), ...junk('strange') })
  }
  t.ok(40 * leak.bytes < 1.6e6, String(leak.bytes))
})
