import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { AdviceState, MeasuredNumbers } from '../../src/advisor/accesses/advice-state.js'
import { endOf, movedBack } from '../../src/advisor/accesses/advice-state.js'
import { SampledAccesses } from '../../src/advisor/accesses/sampled-accesses.js'
import { TraceTime, type Span } from '../../src/advisor/accesses/trace-time.js'
import type { SampledKeys } from '../../src/advisor/curve/key-sample.js'
import { HASHES, hashKey } from '../../src/advisor/hash.js'
import { RouteObservation } from '../../src/advisor/route-observation.js'
import { jointParts } from '../../src/advisor/accesses/joint.js'
import { parseState, stateText } from '../../src/advisor/accesses/state-text.js'
import { adviceOn, build, numbers, reportOf, Time } from '../fixtures/advised-app.js'
import { Processes } from '../fixtures/processes.js'

const MINUTE = 60_000
const LEAK = { dimension: 'user', pairs: 90, differing: 80 }

/** A function of an item and a user. */
type Of<T> = (id: number, user: number) => T

/** Runs a process whose items are loaded for some users; returns the verdict on the items and closes. */
async function live (t: Test, keep: string, requests: number, key: Of<string>, load: Of<unknown>, users = 3): Promise<string> {
  const time = new Time()
  const app = await build(t, { time, metrics: { advisor: { keep, minRequests: 1, ttls: [1, 60], entries: [100] } } })
  app.get('/items/:id', async (request) => {
    const id = Number((request.params as { id: string }).id)
    const user = Number((request as unknown as { user: { id: string } }).user.id)
    return request.cache.getOrSet(key(id, user), () => load(id, user))
  })
  const draw = numbers(7)
  for (let turn = 0; turn < requests; turn++) {
    time.advance(0.1)
    await app.inject({ url: `/items/${draw(4)}`, headers: { 'x-user-id': String(draw(users)) } })
  }
  const { verdict } = adviceOn(await reportOf(app), 'item')
  await app.close()
  return verdict
}

for (const [verdict, key, load] of [
  [/^unsafe: differs by user/, (id: number) => `item:${id}`, (id: number, user: number) => ({ id, user })],
  [/^poor: the value is another one/, (id: number) => `item:${id}`, () => ({ at: Math.random() })],
  [/^changes when stored/, (id: number) => `item:${id}`, (id: number) => ({ id, at: new Date(0) })]
] as const) {
  t.test(`restore: a fixed key pattern loses its verdict once the new process has compared enough: ${verdict.source}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'cache-advice-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    const keep = join(folder, 'advice')
    const fixed = (requests: number): Promise<string> => live(t, keep, requests, (id, user) => `item:${id}:${user}`, (id) => ({ id }))
    t.match(await live(t, keep, 400, key, load), verdict)
    t.match(await fixed(2), verdict, 'a process that has compared nothing continues the finding')
    t.equal(await fixed(600), 'good')
    t.equal(await fixed(2), 'good', 'the finding is not in the state that is continued')
  })
}

function fileOf (t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'cache-advice-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return join(folder, 'advice')
}

const PER_USER = [(id: number) => `item:${id}`, (id: number, user: number) => ({ id, user })] as const
const KEYED = [(id: number, user: number) => `item:${id}:${user}`, (id: number, user: number) => ({ id, user })] as const
const SHARED = [(id: number) => `item:${id}`, (id: number) => ({ id })] as const

t.test('restore: a leak is not lost in a process with requests of one user, since the key still lacks the user', async (t) => {
  const keep = fileOf(t)
  t.match(await live(t, keep, 400, ...PER_USER), /^unsafe/)
  t.match(await live(t, keep, 600, ...PER_USER, 1), /^unsafe/)
  t.match(await live(t, keep, 2, ...PER_USER), /^unsafe/)
})

for (const users of [1, 3, 50]) {
  t.test(`restore: a leak ends once all keys are new, and does not return, with users: ${users}`, async (t) => {
    const keep = fileOf(t)
    t.match(await live(t, keep, 400, ...PER_USER), /^unsafe/)
    t.match(await live(t, keep, 150, ...KEYED, users), /^unsafe/)
    t.equal(await live(t, keep, 600, ...KEYED, users), 'good', 'the keys of the short process before are not those of the leak')
    t.equal(await live(t, keep, 2, ...KEYED, users), 'good')
    t.equal(await live(t, keep, 2, ...PER_USER, users), 'good', 'a finding that ended returns only by a new finding')
  })
}

t.test('restore: a change in a tenth of the values is not lost in a process that has not checked enough of them', async (t) => {
  const keep = fileOf(t)
  let loads = 5
  const load = (id: number): object => ++loads % 10 === 0 ? { id, at: new Date(0) } : { id }
  t.match(await live(t, keep, 200, SHARED[0], load), /^changes when stored/)
  loads = 0
  t.match(await live(t, keep, 9, SHARED[0], load), /^changes when stored/)
  t.match(await live(t, keep, 199, ...SHARED), /^changes when stored/)
  t.notMatch(await live(t, keep, 200, ...SHARED), /changes when stored/)
})

/** The requests of a process: their number, and the key, the value and the user of each; `step`: the seconds between two of them. */
interface Requests {
  readonly count: number
  readonly key: Of<string>
  readonly load: Of<number>
  readonly userOf: (turn: number) => number
  readonly step?: number
  /** Whether the session is still sent. */
  readonly isSent?: boolean
}

/** Makes the observation of a process that continues a state. */
async function restored (state: AdviceState): Promise<RouteObservation> {
  const record = (strata: readonly number[]) => ({ accesses: new SampledAccesses(strata, 100), epoch: 0 })
  const observed = new RouteObservation('pattern', 'item', { ttls: [60], entries: [100] }, record)
  await observed.restore(state.subjects[0]!, endOf(state), new TraceTime(state.spans), 0)
  return observed
}

/** Adds requests to an observation; each user has a cookie `session`, unless it is no longer sent. */
function request (observed: RouteObservation, { count, key, load, userOf, step = 0.1, isSent = true }: Requests): RouteObservation {
  for (let turn = 0; turn < count; turn++) {
    const user = userOf(turn)
    const id = itemOf(turn)
    const cookies = [...isSent ? ['session'] : [], `one${turn % 3}`, `two${turn % 5}`, `six${turn % 6}`]
    const names = Object.fromEntries(cookies.map((name) => [`cookie ${name}`, name === 'session' ? user : turn]))
    observed.noteRead(hashKey(key(id, user)), 6, turn * step * 1000)
    observed.leak.note(hashKey(key(id, user)), turn * step, load(id, user), names)
  }
  return observed
}

const itemOf = (turn: number): number => turn % 4
const numbersOf = (observed: RouteObservation): MeasuredNumbers => observed.state(0.001, span(100, 200))!.numbers

async function continued (state: AdviceState, requests: Requests): Promise<MeasuredNumbers> {
  return numbersOf(request(await restored(state), requests))
}

/** Returns one of the numbers below `count`, in no order. */
const pick = (turn: number, count: number): number => (hashKey(`turn ${turn}`) >>> 0) % count

const SESSION = { dimension: 'cookie session', pairs: 250, differing: 240, compared: 400 }
const OPEN = { leak: SESSION, decided: { leak: span(0, 100) } }
const ENDED = { leak: undefined, decided: { leak: span(100, 200) } }
/** The state of a process that found the leak by the session in the keys '0' to '3'. */
const found = (): AdviceState => stateOf(0, 100, OPEN)
const ITEM: Of<string> = (id) => `${id}`
const OWNED: Of<string> = (id, user) => `${id}:${user}`

for (const [who, userOf] of Object.entries({
  'one user': () => 1,
  'two users, each with items of its own': (turn: number) => itemOf(turn) & 1,
  'two users who take turns so strictly that no leak is found': (turn: number) => turn >> 2 & 1
})) {
  t.test(`restore: a key that still lacks the session keeps the leak, with ${who}`, async (t) => {
    t.match(await continued(found(), { count: 4000, key: ITEM, load: (_id, user) => user, userOf }), OPEN)
  })
}

t.test('restore: a key that still lacks the session keeps the leak with three users of one tenant, whose values are equal', async (t) => {
  t.match(await continued(found(), { count: 4000, key: ITEM, load: () => 1, userOf: (turn) => pick(turn, 3) }), OPEN)
})

for (const [who, more] of Object.entries({
  'one user': { userOf: () => 1 },
  'users in turn, of which each key has one': { userOf: (turn: number) => turn % 7 },
  '50 users': { userOf: (turn: number) => pick(turn, 50) },
  'a session that is new in each request': { userOf: (turn: number) => turn },
  'a session that is no longer sent': { userOf: (turn: number) => pick(turn, 3), isSent: false }
})) {
  t.test(`restore: a leak ends once the key has the session, with ${who}`, async (t) => {
    const of = (count: number) => continued(found(), { count, key: OWNED, load: (id) => id, ...more })
    t.match(await of(399), OPEN, 'as many requests as the leak compared')
    t.match(await of(400), ENDED)
  })
}

t.test('restore: one request for an earlier key keeps the leak, also after many for new keys', async (t) => {
  const observed = request(await restored(found()), { count: 399, key: OWNED, load: (id) => id, userOf: () => 1 })
  request(observed, { count: 1, key: ITEM, load: (id) => id, userOf: () => 1 })
  t.match(numbersOf(request(observed, { count: 4000, key: OWNED, load: (id) => id, userOf: () => 1 })), OPEN)
})

t.test('restore: a leak that ended does not return by a request for an earlier key', async (t) => {
  const observed = request(await restored(found()), { count: 400, key: OWNED, load: (id) => id, userOf: () => 1 })
  t.match(numbersOf(observed), ENDED)
  t.match(numbersOf(request(observed, { count: 10, key: ITEM, load: (id) => id, userOf: (turn) => turn })), ENDED)
})

t.test('restore: many requests for fewer new keys than earlier ones end no leak, as when a client polls a new item', async (t) => {
  t.match(await continued(found(), { count: 4000, key: (id) => `new ${id % 3}`, load: (id) => id, userOf: () => 1 }), OPEN)
})

t.test('restore: of a sample of many keys, 200 requests are needed', async (t) => {
  const hashes = Array.from({ length: 1000 }, (_, at) => hashKey(`old ${at}`) >>> 2)
  const state = stateOf(0, 100, OPEN, { limit: 2 ** 30, once: hashes, more: [] })
  const of = (count: number) => continued(state, { count, key: (_id, user) => `${user}`, load: (id) => id, userOf: (turn) => turn })
  t.match(await of(600), OPEN)
  t.match(await of(1000), ENDED)
  t.match(await continued(stateOf(0, 100, OPEN, keysOf()), { count: 4000, key: OWNED, load: (id) => id, userOf: () => 1 }), OPEN, 'a state without keys')
})

t.test('restore: a leak whose values no longer follow the session ends after as long as the earlier observation, at most a day', async (t) => {
  const shared = { key: ITEM, load: (id: number) => id, userOf: (turn: number) => pick(turn, 3) }
  const of = async (hours: number, count: number, earlier = 100) => {
    const observed = await restored(stateOf(0, earlier * 60, { leak: SESSION, decided: { leak: span(0, earlier * 60) } }))
    request(observed, { ...shared, count, step: hours * 3600 / count })
    return observed.state(0.001, span(earlier * 60, (earlier + hours) * 60))!.numbers.leak
  }
  t.match(await of(23, 4000), SESSION)
  t.equal(await of(25, 4000), undefined)
  t.match(await of(25, 1200), SESSION, 'four times as many pairs as the leak')
  t.match(await of(2, 4000, 3), SESSION)
  t.equal(await of(4, 4000, 3), undefined)
})

t.test('restore: values that are compared with too few of one session, or change at each load, end no leak', async (t) => {
  const of = (load: Of<number>, userOf: (turn: number) => number) => continued(found(), { count: 8000, step: 2, key: ITEM, load, userOf })
  t.match(await of((id) => id, (turn) => turn >> 2), OPEN, 'no session twice in succession')
  let loads = 0
  t.match(await of(() => loads++, (turn) => pick(turn, 3)), OPEN)
  t.match(await of((_id, user) => user, (turn) => pick(turn, 3)), { leak: { dimension: 'cookie session' }, otherLeaks: [] }, 'found again')
})

t.test('restore: a leak on another dimension does not hide an earlier one, which is reported again once the other one is mended', async (t) => {
  const user = { dimension: 'user', pairs: 250, differing: 240, compared: 4000 }
  const earlier = stateOf(0, 100, { leak: user, decided: { leak: span(0, 100) } })
  const leaking = await continued(earlier, { count: 600, key: ITEM, load: (_id, session) => session, userOf: (turn) => pick(turn, 3) })
  t.match(leaking, { leak: { dimension: 'cookie session' }, otherLeaks: [user], decided: { leak: span(100, 200) } })
  const state = parseState(JSON.parse(stateText(stateOf(100, 200, leaking)))) as AdviceState
  const mended = await continued(state, { count: 1200, key: OWNED, load: (id) => id, userOf: (turn) => pick(turn, 3) })
  t.match(mended, { leak: user, otherLeaks: [] })
})

t.test('restore: of more earlier leaks than a state may have, those with the fewest pairs are dropped', async (t) => {
  const otherLeaks = Array.from({ length: 8 }, (_, at) => ({ ...SESSION, dimension: `cookie ${at}`, pairs: 10 + at }))
  const of = numbersOf(await restored(stateOf(0, 100, { ...OPEN, otherLeaks })))
  t.equal(of.leak!.dimension, SESSION.dimension)
  t.same(of.otherLeaks!.map(({ pairs }) => pairs), [17, 16, 15, 14, 13, 12, 11])
})

t.test('restore: a leak that no process finds again ends after 14 days, also one of a state without spans of findings', async (t) => {
  const day = 24 * 60
  for (const more of [OPEN, { leak: SESSION }]) {
    const observed = await restored(stateOf(0, 100, more))
    const at = (days: number) => observed.state(0.001, span(100, 100 + days * day))!.numbers
    t.match(at(13).leak, SESSION)
    t.equal(at(15).leak, undefined)
    t.equal(at(1).leak, undefined)
  }
})

/** Returns an exact sample of keys. */
const keysOf = (...keys: string[]): SampledKeys => ({ limit: HASHES, once: keys.map((key) => hashKey(key)), more: [] })

/** Returns the state of a process that observed one item from one minute to another, with requests for the keys '0' to '3'. */
function stateOf (from: number, to: number, found: Partial<MeasuredNumbers>, keys = keysOf('0', '1', '2', '3')): AdviceState {
  const [state] = new Processes(1, { ttls: [60], entries: [100] }).states()
  const [subject] = state!.subjects
  return {
    ...state!,
    spans: [[from * MINUTE, to * MINUTE]],
    subjects: [{ ...subject!, keys, numbers: { ...subject!.numbers, ...found } }]
  }
}

async function leakOf (...states: AdviceState[]): Promise<string | undefined> {
  return (await jointParts(states, 0.001)).observations[0]!.leak?.dimension
}

function span (from: number, to: number): Span {
  return [from * MINUTE, to * MINUTE]
}

const leaking = (from: number, to: number, until = to): AdviceState =>
  stateOf(from, until, { leak: LEAK, decided: { leak: span(from, to) } })
/** The state of a process without a leak, with requests for new keys. */
const sound = (from: number, to: number, requests = 200, keys = keysOf('0:1', '1:1', '2:1', '3:1')): AdviceState => stateOf(from, to, { requests }, keys)

t.test('jointParts: a leak of any process that runs is reported', async (t) => {
  t.equal(await leakOf(leaking(0, 100), sound(50, 102)), 'user')
  t.equal(await leakOf(leaking(0, 100), sound(95, 102)), 'user', 'as during a deployment')
})

t.test('jointParts: the leak of a process that has ended is not reported once later processes have requested new keys alone', async (t) => {
  t.equal(await leakOf(leaking(0, 100), sound(95, 200, 199)), 'user', 'the later process has too few requests')
  t.equal(await leakOf(leaking(0, 100), sound(95, 200)), undefined)
  t.equal(await leakOf(leaking(0, 100), sound(95, 200, 100), sound(96, 200, 100)), undefined, 'both have enough together')
  t.equal(await leakOf(stateOf(0, 100, { leak: LEAK }), sound(95, 200)), undefined, 'a state without spans of findings')
  t.equal(await leakOf(leaking(0, 100), sound(20, 200)), 'user', 'a process that ran beside it')
  t.equal(await leakOf(leaking(0, 100), sound(95, 200, 9000, keysOf('4', '5', '6'))), 'user', 'fewer keys than before')
  t.equal(await leakOf(leaking(0, 100), { ...sound(95, 200), secondsBefore: 1 }), 'user', 'a process that may have run beside it')
  t.equal(await leakOf(stateOf(0, 100, { leak: LEAK }, keysOf()), sound(95, 200)), 'user', 'a state without keys')
})

t.test('jointParts: a leak stays while any later process requests an earlier key, or finds it again', async (t) => {
  t.equal(await leakOf(leaking(0, 100), sound(95, 200, 9000, keysOf('0:1', '1:1', '2:1', '3:1', '3'))), 'user')
  t.equal(await leakOf(leaking(0, 100), sound(95, 200, 9000), sound(150, 200, 1, keysOf('3'))), 'user', 'as after a rollback')
  const more = { ...LEAK, pairs: 5000, differing: 4900, compared: 9000 }
  t.equal(await leakOf(stateOf(0, 100, { leak: more, decided: { leak: span(0, 100) } }), sound(95, 200, 8999)), 'user')
  t.equal(await leakOf(stateOf(0, 100, { leak: more, decided: { leak: span(0, 100) } }), sound(95, 200, 9000)), undefined)
  const again = stateOf(95, 200, { requests: 9000, leak: LEAK, decided: { leak: span(95, 200) } }, keysOf('4', '5', '6', '7'))
  t.equal(await leakOf(leaking(0, 100), again), 'user')
})

t.test('jointParts: keys are compared below the limit of the smaller sample', async (t) => {
  const earlier = stateOf(0, 100, { leak: LEAK }, { limit: HASHES, once: [5, HASHES / 2 + 5], more: [] })
  const state = (keys: SampledKeys) => leakOf(earlier, sound(95, 200, 400, keys))
  t.equal(await state({ limit: HASHES / 2, once: [6], more: [7] }), undefined)
  t.equal(await state({ limit: HASHES / 2, once: [6], more: [5] }), 'user')
  t.equal(await state({ limit: HASHES / 4, once: [6], more: [7] }), 'user', 'too few requests below the limit')
  t.equal(await state({ limit: 4, once: [1], more: [2] }), 'user', 'no earlier key below the limit')
})

t.test('jointParts: the keys of a leak are those of the process that found it, not of a later one that continues its state', async (t) => {
  const observed = request(await restored(found()), { count: 100, key: OWNED, load: (id) => id, userOf: () => 1 })
  const [subject] = found().subjects
  const state = { ...found(), spans: [span(0, 200)], subjects: [{ ...subject!, ...observed.state(0.001, span(100, 200))! }] }
  t.match(state.subjects[0]!.leakKeys, { limit: HASHES })
  t.equal(await leakOf(state, sound(95, 200, 400)), undefined)
  t.equal(await leakOf(state, sound(95, 200, 400, keysOf('0:1', '1:1', '2:1', '3'))), 'cookie session')
  const read = parseState(JSON.parse(stateText(state))) as AdviceState
  t.same(read.subjects[0]!.leakKeys, state.subjects[0]!.leakKeys)
  const again = request(await restored(found()), { count: 1, key: ITEM, load: (id) => id, userOf: () => 1 })
  t.equal(again.state(0.001, span(100, 200))!.leakKeys, undefined, 'an earlier key is still requested')
})

t.test('jointParts: a leak that no process finds again ends after 14 days', async (t) => {
  const day = 24 * 60
  t.equal(await leakOf(leaking(0, 100), sound(0, 13 * day, 1)), 'user')
  t.equal(await leakOf(leaking(0, 100), sound(0, 15 * day, 1)), undefined)
})

t.test('stateText: the spans of findings are in the text, and are moved with the state', async (t) => {
  const read = parseState(JSON.parse(stateText(leaking(10, 20))))
  t.same((read as AdviceState).subjects[0]!.numbers.decided, { leak: span(10, 20) })
  t.same(movedBack(leaking(10, 20), 5 * MINUTE).subjects[0]!.numbers.decided, { leak: span(5, 15) })
})
