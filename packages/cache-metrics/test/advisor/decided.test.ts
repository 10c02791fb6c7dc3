import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { AdviceState, MeasuredNumbers } from '../../src/advisor/accesses/advice-state.js'
import { movedBack } from '../../src/advisor/accesses/advice-state.js'
import { jointParts } from '../../src/advisor/accesses/joint.js'
import { parseState, stateText } from '../../src/advisor/accesses/state-text.js'
import { adviceOn, build, numbers, reportOf, Time } from '../fixtures/advised-app.js'
import { Processes } from '../fixtures/processes.js'

const MINUTE = 60_000
const LEAK = { dimension: 'user', pairs: 90, differing: 80 }

/** A function of an item and a user. */
type Of<T> = (id: number, user: number) => T

/** Runs a process whose items are loaded for three users; returns the verdict on the items and closes. */
async function live (t: Test, keep: string, requests: number, key: Of<string>, load: Of<unknown>): Promise<string> {
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
    await app.inject({ url: `/items/${draw(4)}`, headers: { 'x-user-id': String(draw(3)) } })
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
const sound = (from: number, to: number): AdviceState => stateOf(from, to, { decided: { leak: span(from, to) } })

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

t.test('stateText: the spans of findings are in the text, and are moved with the state', async (t) => {
  const read = parseState(JSON.parse(stateText(leaking(10, 20))))
  t.same((read as AdviceState).subjects[0]!.numbers.decided, { leak: span(10, 20) })
  t.same(movedBack(leaking(10, 20), 5 * MINUTE).subjects[0]!.numbers.decided, { leak: span(5, 15) })
})
