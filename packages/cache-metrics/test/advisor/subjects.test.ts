import t from 'tap'
import type { AdviceState } from '../../src/advisor/accesses/advice-state.js'
import { hashKey } from '../../src/advisor/hash.js'
import { MAX_SUBJECTS, Subjects } from '../../src/advisor/subjects.js'
import { Processes } from '../fixtures/processes.js'

const EPOCH = 1e12
const DAY = 86_400_000
const OPTIONS = { ttls: [60], entries: [100] }
const names = Array.from({ length: MAX_SUBJECTS }, (_, at) => `item${at}`)

function read (subjects: Subjects, kind: 'pattern' | 'route', name: string, now: number): boolean {
  const observed = subjects.of(kind, name, now)
  observed?.noteRead(hashKey(name), name.length, now)
  return observed !== undefined
}

/** Returns the state of a process that observed for some days; on each day the patterns and routes of `of` were requested. */
function stateAfter (days: number, of: (day: number) => readonly string[]): AdviceState {
  const subjects = new Subjects(OPTIONS, EPOCH)
  for (let day = 0; day < days; day++) {
    for (const name of of(day)) for (const kind of ['pattern', 'route'] as const) read(subjects, kind, name, day * DAY)
  }
  const span = [EPOCH, EPOCH + days * DAY] as const
  const loads = { meanSeconds: 1, isChecked: false }
  return { ...new Processes(1, OPTIONS).states()[0]!, spans: [span], subjects: subjects.states(0.001, span, () => loads) }
}

async function restored (state: AdviceState, now: number): Promise<Subjects> {
  const subjects = new Subjects(OPTIONS, EPOCH + 100 * DAY)
  await subjects.restore(state, now)
  return subjects
}

for (const kind of ['pattern', 'route'] as const) {
  t.test(`of: after a restart a new ${kind} gets the place of one that was unused for days`, async (t) => {
    const state = stateAfter(5, (day) => day < 1 ? names : names.slice(2))
    const subjects = await restored(state, 0)
    const known = () => [...(kind === 'pattern' ? subjects.patterns : subjects.routes).keys()]
    t.same(known(), names)
    t.ok(read(subjects, kind, 'new', 0))
    t.ok(read(subjects, kind, 'newer', 0))
    t.notOk(read(subjects, kind, 'newest', 0), 'the others are in use')
    t.same(known(), [...names.slice(2), 'new', 'newer'])
    t.equal(subjects.leftOut, 1)
    t.equal(subjects.all.length, 2 * MAX_SUBJECTS)
  })
}

t.test('of: a new pattern and a new route that are requested by turns both get a place', async (t) => {
  const subjects = new Subjects(OPTIONS)
  for (const name of names) for (const kind of ['pattern', 'route'] as const) read(subjects, kind, name, 0)
  for (const name of names) read(subjects, 'pattern', name, 4 * DAY)
  for (const name of names.slice(1)) read(subjects, 'route', name, 4 * DAY)
  const tries = Array.from({ length: 70 }, () => {
    read(subjects, 'pattern', 'new', 4 * DAY)
    return read(subjects, 'route', 'new', 4 * DAY)
  })
  t.ok(tries.at(-1))
  t.equal(subjects.leftOut, 70, 'all patterns are in use')
})

t.test('of: the time in which no process ran does not make a pattern unused', async (t) => {
  const subjects = await restored(stateAfter(1, () => names), 50 * DAY)
  t.notOk(read(subjects, 'pattern', 'new', 50 * DAY))
})

t.test('of: a pattern that nobody requests gives its place in a process that runs on, too', async (t) => {
  const subjects = new Subjects(OPTIONS)
  for (const name of names) read(subjects, 'pattern', name, 0)
  for (const name of names.slice(1)) read(subjects, 'pattern', name, 2 * DAY)
  t.notOk(read(subjects, 'pattern', 'new', 2 * DAY))
  const now = 3 * DAY
  const tries = Array.from({ length: 64 }, () => read(subjects, 'pattern', 'new', now))
  t.ok(tries.at(-1), 'the search is repeated after some requests')
  t.notOk(subjects.patterns.has(names[0]!))
})
