import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { AdviceState, MeasuredNumbers } from '../../src/advisor/accesses/advice-state.js'
import { movedBack } from '../../src/advisor/accesses/advice-state.js'
import { SampledAccesses } from '../../src/advisor/accesses/sampled-accesses.js'
import { TraceTime } from '../../src/advisor/accesses/trace-time.js'
import { hashKey } from '../../src/advisor/hash.js'
import { continuedEvidence } from '../../src/advisor/key-leak/leak-evidence.js'
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
  t.match(await live(t, keep, 600, ...KEYED, 1), /^unsafe/, 'one user cannot show that the key is mended')
  t.match(await live(t, keep, 2, ...PER_USER), /^unsafe/)
})

for (const [change, key, load] of [['key has the user', ...KEYED], ['value is the same for all', ...SHARED]] as const) {
  t.test(`restore: a leak ends after requests of several users, once the ${change}`, async (t) => {
    const keep = fileOf(t)
    t.match(await live(t, keep, 400, ...PER_USER), /^unsafe/)
    t.match(await live(t, keep, 150, key, load), /^unsafe/)
    t.equal(await live(t, keep, 600, key, load), 'good')
    t.equal(await live(t, keep, 2, key, load), 'good')
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

/** The requests of a process: their number, and the key, the value and the user of each. */
type Requests = [requests: number, key: Of<string>, load: Of<number>, userOf: (turn: number) => number]

/** Returns the numbers of a process that continues a leak; each user has a cookie `session`. */
function foundIn (leak: MeasuredNumbers['leak'], ...rest: Requests) {
  return continued(stateOf(0, 100, { leak, decided: { leak: span(0, 100) } }), ...rest)
}

/** Returns the numbers of a process that continues a state. */
async function continued ({ subjects: [subject] }: AdviceState, ...[requests, key, load, userOf]: Requests): Promise<MeasuredNumbers> {
  const record = (strata: readonly number[]) => ({ accesses: new SampledAccesses(strata, 100), epoch: 0 })
  const observed = new RouteObservation('pattern', 'item', { ttls: [60], entries: [100] }, record)
  await observed.restore(subject!, 100 * MINUTE, new TraceTime([span(0, 100)]), 0)
  for (let turn = 0; turn < requests; turn++) {
    const user = userOf(turn)
    const cookies = ['session', `one${turn % 3}`, `two${turn % 5}`, `six${turn % 6}`]
    const names = Object.fromEntries(cookies.map((name) => [`cookie ${name}`, name === 'session' ? user : turn]))
    observed.leak.note(hashKey(key(turn % 4, user)), turn / 10, load(turn % 4, user), names)
  }
  return observed.state(0.001, span(100, 200))!.numbers
}

/** Returns one of the numbers below `count`, in no order. */
const pick = (turn: number, count: number): number => (hashKey(`turn ${turn}`) >>> 0) % count

const SESSION = { dimension: 'cookie session', pairs: 250, differing: 240, compared: 400 }

t.test('restore: the dimension of an earlier leak keeps its place, though it has one value per key', async (t) => {
  const of = (requests: number) => foundIn(SESSION, requests, (id, user) => `${id}:${user}`, (id) => id, (turn) => turn % 7)
  t.match(await of(200), { leak: SESSION, decided: { leak: span(0, 100) } })
  t.match(await of(400), { leak: undefined, decided: { leak: span(100, 200) } })
})

t.test('restore: users who were rarely met on one key must change more often before a key counts as mended', async (t) => {
  const of = (requests: number) => foundIn({ ...SESSION, pairs: 20, differing: 19, compared: 4000 }, requests, (id, user) => `${id}:${user}`, (id) => id, (turn) => turn % 7)
  t.match(await of(800), { leak: { pairs: 20 } })
  t.match(await of(1200), { leak: undefined })
})

t.test('restore: a leak on another dimension does not hide an earlier one, which is reported again once the other one is mended', async (t) => {
  const user = { dimension: 'user', pairs: 250, differing: 240, compared: 400 }
  const leaking = await foundIn(user, 600, (id) => `${id}`, (_id, session) => session, (turn) => pick(turn, 3))
  t.match(leaking, { leak: { dimension: 'cookie session' }, otherLeaks: [user], decided: { leak: span(100, 200) } })
  const state = parseState(JSON.parse(stateText(stateOf(100, 200, leaking)))) as AdviceState
  const mended = await continued(state, 1200, (id, session) => `${id}:${session}`, (id) => id, (turn) => pick(turn, 3))
  t.match(mended, { leak: user, otherLeaks: [] })
  t.equal(await leakOf(stateOf(100, 200, leaking), sound(195, 300, 9000, { dimension: 'cookie session' })), 'user')
  t.equal(await leakOf(stateOf(100, 200, leaking), sound(195, 300, 9000)), 'cookie session')
})

t.test('restore: users who take turns so strictly that no leak is found do not disprove one', async (t) => {
  const numbers = await foundIn(SESSION, 2000, (id) => `${id}`, (_id, user) => user, (turn) => turn >> 2 & 1)
  t.match(numbers, { leak: SESSION, decided: { leak: span(0, 100) } })
})

/** Returns the state of a process that observed one item from one minute to another. */
function stateOf (from: number, to: number, found: Partial<MeasuredNumbers>): AdviceState {
  const [state] = new Processes(1, { ttls: [60], entries: [100] }).states()
  const [subject] = state!.subjects
  return {
    ...state!,
    spans: [[from * MINUTE, to * MINUTE]],
    subjects: [{ ...subject!, numbers: { ...subject!.numbers, ...found } }]
  }
}

async function leakOf (...states: AdviceState[]): Promise<string | undefined> {
  return (await jointParts(states, 0.001)).observations[0]!.leak?.dimension
}

const span = (from: number, to: number) => [from * MINUTE, to * MINUTE] as const
const leaking = (from: number, to: number, until = to): AdviceState =>
  stateOf(from, until, { leak: LEAK, decided: { leak: span(from, to) } })
/** The state of a process without a leak, with as much evidence on the user as requests. */
const sound = (from: number, to: number, changes = 200, more: object = {}): AdviceState => stateOf(from, to, {
  decided: { leak: span(from, to) },
  evidence: [{ dimension: 'user', span: span(from, to), pairs: 0, changes, excess: 0, ...more }]
})

t.test('jointParts: a leak of any process that runs is reported', async (t) => {
  t.equal(await leakOf(leaking(0, 100), sound(50, 102)), 'user')
  t.equal(await leakOf(leaking(0, 100), sound(95, 102)), 'user', 'as during a deployment')
})

t.test('jointParts: the leak of a process that has ended is not reported once a later process has decided that there is none', async (t) => {
  t.equal(await leakOf(leaking(0, 100), stateOf(95, 200, {})), 'user', 'the later process has decided nothing')
  t.equal(await leakOf(leaking(0, 100), sound(95, 200)), undefined)
  t.equal(await leakOf(leaking(0, 100, 200), sound(95, 200)), undefined, 'a process that continues the state has decided nothing yet')
  t.equal(await leakOf(stateOf(0, 100, { leak: LEAK }), sound(95, 200)), undefined, 'a state without spans of findings')
  t.equal(await leakOf(leaking(0, 100), sound(20, 200)), 'user', 'a process that ran beside it')
})

t.test('jointParts: a process in another slot without evidence on the dimension leaves the leak of a process that has ended', async (t) => {
  const found = stateOf(0, 100, { leak: { dimension: 'user', pairs: 5000, differing: 4900 }, decided: { leak: span(0, 100) } })
  t.equal(await leakOf(found, stateOf(95, 200, { compared: 200, decided: { leak: span(95, 200) } })), 'user', 'a state of an older release')
  t.equal(await leakOf(found, sound(95, 200, 200)), 'user')
  t.equal(await leakOf(found, sound(95, 200, 9000, { dimension: 'query sort' })), 'user')
  t.equal(await leakOf(found, sound(95, 200, 9000, { pairs: 1 })), 'user', 'the key does not contain the user')
  t.equal(await leakOf(found, sound(95, 200, 9000, { pairs: 5000, excess: 0.9 })), 'user')
  t.equal(await leakOf(found, sound(95, 200, 9000, { pairs: 5000 })), undefined)
  t.equal(await leakOf(found, sound(95, 200, 5000)), undefined)
})

t.test('continuedEvidence: the strongest earlier evidence on a dimension stays until that of the process is as strong', async (t) => {
  const of = (from: number, changes: number, dimension = 'user') => ({ dimension, span: span(from, from + 10), pairs: 0, changes, excess: 0 })
  t.same(continuedEvidence([of(0, 500), of(10, 100)], [of(20, 50)]), [of(0, 500), of(20, 50)])
  t.same(continuedEvidence([of(0, 500), of(10, 100)], [of(20, 500)]), [of(20, 500)])
  const many = Array.from({ length: 99 }, (_, at) => of(at, 1, `cookie ${at}`))
  t.same(continuedEvidence(many, []), many.slice(-32))
})

t.test('stateText: the spans of findings are in the text, and are moved with the state', async (t) => {
  const read = parseState(JSON.parse(stateText(leaking(10, 20))))
  t.same((read as AdviceState).subjects[0]!.numbers.decided, { leak: span(10, 20) })
  const [piece] = (parseState(JSON.parse(stateText(sound(10, 20)))) as AdviceState).subjects[0]!.numbers.evidence!
  t.same(piece, { dimension: 'user', span: span(10, 20), pairs: 0, changes: 200, excess: 0 })
  t.same(movedBack(sound(10, 20), 5 * MINUTE).subjects[0]!.numbers.evidence![0]!.span, span(5, 15))
  t.same(movedBack(leaking(10, 20), 5 * MINUTE).subjects[0]!.numbers.decided, { leak: span(5, 15) })
})
