import t from 'tap'
import { settle } from '@x/test-kit/deferred'
import { FakeTime } from '@x/test-kit/fake-time'
import { parseState } from '../../src/rollout/canary-state.js'
import { MemoryRolloutStore, type RolloutStore } from '../../src/rollout/rollout-store.js'
import { HEALTHY, SimulatedApp, type SimulatedProcess } from '../fixtures/simulated-rollout.js'

/** A rollout store that can be made unavailable: its calls then reject or hang. */
class FailingStore extends MemoryRolloutStore {
  mode: 'up' | 'down' | 'hangs' = 'up'

  /** Wraps every call except `watch`. */
  static over (clock: () => { now (): number }): FailingStore {
    const store = new FailingStore(clock)
    return new Proxy(store, {
      get (target, name) {
        const member = Reflect.get(target, name) as unknown
        if (typeof member !== 'function') return member
        return async (...args: unknown[]) => {
          if (name !== 'watch' && target.mode === 'down') throw new Error('down')
          if (name !== 'watch' && target.mode === 'hangs') return new Promise(() => {})
          return member.apply(target, args) as unknown
        }
      },
      set: (target, name, value) => Reflect.set(target, name, value)
    })
  }
}

/** Makes two processes at 50 %, both of which have read the state. */
async function twoAt50 (app: SimulatedApp, store: RolloutStore = app.store): Promise<[SimulatedProcess, SimulatedProcess]> {
  const two = [app.add(true, store), app.add(true, store)] as [SimulatedProcess, SimulatedProcess]
  await app.wait(20)
  await two[0].canary.act({ action: 'to', percent: 50 })
  await app.wait(70)
  return two
}

const percents = (processes: SimulatedProcess[]): number[] => processes.map(({ rollout }) => rollout.percent)

/** Replaces the state document, whatever the stored one is. */
async function overwrite (store: RolloutStore, text: string): Promise<void> {
  const revision = (JSON.parse((await store.read()) ?? '{}') as { revision?: number }).revision
  await store.replace(text, 0, revision)
}

t.test('state: a store that was flushed gets its state back, and a fresh process waits at 0', async (t) => {
  const app = new SimulatedApp(1)
  const two = await twoAt50(app)
  const flushed = new MemoryRolloutStore(() => app.clock)
  const fresh = app.add(true, flushed)
  await app.wait(1)
  t.equal(fresh.rollout.percent, 0)
  // The store is the same object for the processes, but has lost its content.
  const lost = app.store as unknown as { read: () => Promise<undefined> }
  const { read } = app.store
  lost.read = async () => undefined
  const replaced: (number | undefined)[] = []
  const replace = app.store.replace.bind(app.store)
  app.store.replace = async (text, revision, expected, record) => {
    replaced.push(expected)
    lost.read = read as never
    return replace(text, revision, revisionOfStored(await read.call(app.store)), record)
  }
  await app.wait(3)
  t.same(percents(two), [50, 50])
  t.equal(replaced[0], undefined, 'written as the first document')
  t.match((await app.records()).at(-1)!.reason, /lost the state/)
})

function revisionOfStored (text: string | undefined): number | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as { revision: number }).revision
}

for (const [kind, text] of Object.entries({ corrupt: '{"format":', foreign: '{"format":1,"revision":3}', newer: '{"format":2,"revision":7}', older: '{"format":0,"revision":7}' })) {
  t.test(`state: ${kind} text is named once, the processes keep their percent, and "to" writes it anew`, async (t) => {
    const app = new SimulatedApp(2)
    const two = await twoAt50(app)
    const { observedMinutes } = two[0].canary.status()
    await overwrite(app.store, text)
    await app.run(5)
    t.same(percents(two), [50, 50])
    t.equal(two[0].canary.status().observedMinutes, observedMinutes, 'decides nothing')
    t.match(two[0].canary.status().problem, /the stored state .*keeps its percent and decides nothing; the action "to" or "off"/)
    t.equal(two[0].lines.filter((line) => line.includes('the stored state')).length, 1)
    await t.rejects(two[0].canary.act({ action: 'pause' }), { code: 'CACHE_ERR_ROLLOUT_CONFLICT' })
    await two[0].canary.act({ action: 'to', percent: 10 })
    await app.wait(3)
    t.same(percents(two), [10, 10])
    t.equal(two[1].canary.status().problem, undefined)
  })
}

t.test('parseState: never throws, and gives the revision where there is one', async (t) => {
  for (const text of ['', 'null', '[]', '1', '"x"', '{}', '{"format":"1"}', '{"revision":-1}', '\0']) t.equal(parseState(text).kind, 'corrupt', text)
  t.match(parseState('{"format":9,"revision":4}'), { kind: 'newer', revision: 4 })
})

t.test('state: a fresh process in front of a state it cannot read caches nothing', async (t) => {
  const app = new SimulatedApp(3)
  await app.store.replace('garbage', 0, undefined)
  const process = app.add()
  await app.wait(60)
  t.equal(process.rollout.percent, 0)
  t.equal(await app.store.read(), 'garbage')
})

for (const mode of ['down', 'hangs'] as const) {
  t.test(`state: a store that ${mode === 'down' ? 'rejects' : 'hangs'} takes its processes to 0 and back`, async (t) => {
    const time = new FakeTime(t)
    const app = new SimulatedApp(4, time.clock)
    const store = FailingStore.over(() => app.clock)
    const two = await twoAt50(app, store)
    // The ticks are not awaited, like those of the timer, since a call that hangs only ends by its time limit.
    const pass = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second++) {
        time.advance(1000)
        for (const { canary } of app.processes) void canary.tick()
        await settle()
      }
    }
    store.mode = mode
    await pass(8)
    t.same(percents(two), [0, 0])
    t.match(two[0].canary.status().problem, /cannot be read/)
    const refused = t.rejects(two[0].canary.act({ action: 'off' }), { code: 'CACHE_ERR_ROLLOUT_UNAVAILABLE' })
    await pass(3)
    await refused
    store.mode = 'up'
    await pass(4)
    t.same(percents(two), [50, 50])
    t.equal(two[0].lines.filter((line) => line.includes('cannot be read')).length, 1)
  })
}

t.test('state: a process of another plan follows, decides nothing and says so; it takes over after two minutes', async (t) => {
  const app = new SimulatedApp(5)
  const own = app.add()
  await app.wait(20)
  await own.canary.act({ action: 'to', percent: 50 })
  await app.wait(70)
  const other = app.add({ stages: [25, 100] })
  await app.run(10)
  t.same(percents([own, other]), [50, 50])
  t.match(other.canary.status().problem, /follows its percent and decides nothing/)
  t.equal(other.lines.filter((line) => line.includes('follows its percent')).length, 1)
  t.equal(other.canary.isLeading, false)
  app.processes = [other]
  await own.canary.close()
  await app.run(5)
  t.same([other.rollout.percent, other.canary.status().stage, other.canary.status().problem], [25, 1, undefined])
})

t.test('decider: when it is killed another goes on with the stored evidence', async (t) => {
  const app = new SimulatedApp(6)
  const [one, other] = [app.add(), app.add()]
  await app.run(30)
  t.same([one.canary.isLeading, other.canary.isLeading], [true, false])
  const { observedMinutes } = one.canary.status()
  app.processes = [other]
  await app.run(10)
  t.equal(other.canary.isLeading, true)
  t.ok(other.canary.status().observedMinutes >= observedMinutes + 8, `${other.canary.status().observedMinutes} after ${observedMinutes}`)
})

t.test('decider: one that closes frees its lease at once', async (t) => {
  const app = new SimulatedApp(7)
  const [one, other] = [app.add(), app.add()]
  await app.wait(10)
  await one.canary.close()
  app.processes = [other]
  await app.wait(6)
  t.equal(other.canary.isLeading, true)
})

t.test('decider: two that both hold a lease write each decision once', async (t) => {
  const app = new SimulatedApp(8)
  app.store.lead = async () => true
  app.store.writeEvidence = async () => true
  const options = { baselineHours: 0.5, stages: [10, 100] }
  app.add(options)
  app.add(options)
  await app.run(45, HEALTHY)
  t.same(await app.changes(), ['0 → 10'])
})

t.test('close: calls nothing any more, whatever the store does', async (t) => {
  const app = new SimulatedApp(9)
  const { canary } = app.add()
  await canary.start()
  await canary.close()
  let reads = 0
  app.store.read = async () => { reads++; return undefined }
  await app.wait(10)
  t.equal(reads, 0)
})
