import t from 'tap'
import { revisionOf, type RolloutStore } from '../../src/rollout/rollout-store.js'
import { HEALTHY, SimulatedApp } from '../fixtures/simulated-rollout.js'

const KEPT = /keeps its percent and decides nothing; the action "to" or "off"/

/** Writes a state document with changed members in place of the stored one, as if it had been edited by hand. */
async function edit (store: RolloutStore, members: object): Promise<string> {
  const stored = JSON.parse((await store.read())!) as { revision: number }
  const edited = { ...stored, revision: stored.revision + 1, ...members }
  const text = JSON.stringify(edited)
  const read = store.read.bind(store)
  // A store that checks revisions does not accept an edited document, so reads return the document in place of the stored one.
  let isReplaced = false
  const replace = store.replace.bind(store)
  store.read = async () => isReplaced ? read() : text
  store.replace = async (next, revision, expected, record) => {
    if (isReplaced) return replace(next, revision, expected, record)
    if (revisionOf(text) !== expected || revisionOf(next) !== revision) return false
    isReplaced = await replace(next, revision, stored.revision, record)
    return isReplaced
  }
  return text
}

const EDITS = {
  'a stage that the plan lacks': { stage: 99, percent: 10 },
  'a percent that is not that of its stage': { stage: 1, percent: 100 },
  'a revision that cannot be exceeded': { revision: Number.MAX_SAFE_INTEGER },
  'a revision that is no safe integer': { revision: 1e300 }
}
for (const [name, members] of Object.entries(EDITS)) {
  t.test(`a state with ${name}: the status and the kill switch still work`, async (t) => {
    const app = new SimulatedApp(21)
    const { canary, rollout } = app.add({ rampSeconds: 0 })
    await app.run(3)
    await canary.act({ action: 'to', percent: 10 })
    await edit(app.store, members)
    await app.wait(3)
    t.match(canary.status().problem, KEPT)
    t.match(await canary.view(), { percent: 10, stage: 1 })
    await canary.act({ action: 'off' })
    t.match(canary.status(), { percent: 0, killed: true, problem: undefined })
    t.equal(rollout.percent, 0)
    await canary.act({ action: 'to', percent: 10 })
    t.equal(rollout.percent, 10)
  })
}

t.test('a state of a newer version that appears between two readings is not overwritten by the decider', async (t) => {
  const app = new SimulatedApp(22)
  const { canary } = app.add()
  await app.run(3)
  t.equal(canary.isLeading, true)
  app.clock.advance(56)
  await app.tick()
  const newer = await edit(app.store, { format: 2 })
  await app.run(5, HEALTHY)
  t.equal(await app.store.read(), newer)
  t.match(canary.status().problem, /format 2 of a newer version/)
})

t.test('a key pattern with the name of an inherited member has the percents of its change in the history', async (t) => {
  const app = new SimulatedApp(23)
  const { canary } = app.add()
  await app.run(3)
  await canary.act({ action: 'off', pattern: 'constructor' })
  await canary.act({ action: 'resume', pattern: 'constructor' })
  t.same((await app.changes()).slice(-2), ['100 → 0', '0 → 100'])
})
