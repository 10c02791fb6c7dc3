import { RedisServer, until } from '@x/test-kit/redis-server'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { CacheRedisOptions } from '../../../src/index.js'
import { startServer } from '../../fixtures/caches.js'
import { startChild, type Child } from '../../fixtures/children.js'
import { sharedNow } from '../../fixtures/world.js'

t.setTimeout(1_200_000)

const PAUSE_MS = 250

/** A stage whose minutes last a fifth of a second; the canary goes on to the next stage after a few of them. */
const QUICK = { holdHours: 5 / 60, minSample: 50, go: { errorPercent: 50 }, back: {} }
const STAGES = [{ percent: 10, ...QUICK }, { percent: 50, ...QUICK }, { percent: 100, ...QUICK }]
/** A canary that goes through its stages by itself within seconds. */
const AUTO = { stages: STAGES, baselineHours: 5 / 60, minuteMs: 200, rampSeconds: 0 }
/** A canary that changes its stage only on an operator's action. */
const HELD = { ...AUTO, baselineHours: 8000, stages: STAGES.map((stage) => ({ ...stage, holdHours: 8000 })) }

interface View {
  percent: number
  stage: number
  paused: boolean
  killed: boolean
  completed: boolean
  problem?: string
  history: { from: number; to: number; by: string; reason: string }[]
}
interface Status { view: View; percent: number; changes: { percent: number; at: number }[]; problems: string[] }

/** One app with several processes on one Redis server. */
class App {
  readonly children: Child[] = []
  readonly #t: Pick<Test, 'teardown'>
  readonly #server: RedisServer

  constructor (t: Pick<Test, 'teardown'>, server: RedisServer) {
    this.#t = t
    this.#server = server
  }

  async start (count: number, canary: object, more: CacheRedisOptions = {}): Promise<Child[]> {
    const options = { url: this.#server.url, rollout: { canary }, ...more }
    const started = await Promise.all(Array.from({ length: count }, () => startChild(this.#t, 'rollout-child.ts', JSON.stringify(options))))
    this.children.push(...started)
    return started
  }

  statuses (of = this.children): Promise<Status[]> {
    return Promise.all(of.map((child) => child.order<Status>({ kind: 'status' })))
  }

  /** Waits until a condition holds in all processes. */
  async all (what: string, condition: (status: Status) => boolean, of = this.children): Promise<void> {
    let last: Status[] = []
    try {
      await until(what, async () => {
        last = await this.statuses(of)
        if (last.every(condition)) return true
        // The pause is long, since a status takes each process longer than its other work, and the awaited condition takes seconds.
        await wait(PAUSE_MS)
        return false
      }, 180_000)
    } catch (error) {
      throw new Error(`${what}: ${JSON.stringify(last.map(({ view, percent, problems }) => ({ percent, stage: view.stage, problem: view.problem, problems, history: view.history?.slice(0, 3) })))}`, { cause: error })
    }
  }

  act (child: Child, body: object): Promise<{ statusCode: number; body: View; at: number }> {
    return child.order({ kind: 'act', body })
  }

  async kill (child: Child): Promise<void> {
    await child.kill()
    this.children.splice(this.children.indexOf(child), 1)
  }
}

let held: Promise<{ app: App, server: RedisServer }> | undefined

/**
 * Returns an app of four processes whose stage changes by actions alone, on a Redis server of its own. Several tests use it one after the
 * other, since the start of its processes takes longer than a test.
 */
function heldApp (): Promise<{ app: App, server: RedisServer }> {
  return (held ??= startHeld())
}

async function startHeld (): Promise<{ app: App, server: RedisServer }> {
  const server = await RedisServer.start()
  t.teardown(() => server.close())
  const app = new App(t, server)
  await app.start(4, HELD)
  await app.all('the baseline has begun', ({ view }) => view.stage === 0 && view.history.length >= 0 && view.problem === undefined)
  return { app, server }
}

t.test('an operator\'s action is in all of four processes within a second', async (t) => {
  const { app } = await heldApp()
  const delays: number[] = []
  for (const [at, body] of [
    { action: 'to', percent: 10 }, { action: 'to', percent: 50 }, { action: 'to', percent: 100 }, { action: 'back' }, { action: 'off' }, { action: 'to', percent: 100 },
    { action: 'to', percent: 10 }
  ].entries()) {
    const begunAt = sharedNow()
    const { statusCode, body: view } = await app.act(app.children[at % 4]!, body)
    t.equal(statusCode, 200, JSON.stringify(body))
    await app.all(`${JSON.stringify(body)} is everywhere`, ({ percent }) => percent === view.percent)
    for (const { changes } of await app.statuses()) delays.push(changes.findLast(({ percent }) => percent === view.percent)!.at - begunAt)
  }
  delays.sort((one, other) => one - other)
  t.comment(`${delays.length} changes: median ${delays[delays.length >> 1]!.toFixed(0)} ms, longest ${delays.at(-1)!.toFixed(0)} ms`)
  t.ok(delays[Math.floor(0.9 * delays.length)]! < 1000, 'nine of ten within a second, also on a busy machine')
  const [status] = await app.statuses()
  t.match(status!.view.history.map(({ from, to, by }) => [from, to, by]).slice(0, 3), [[100, 10, 'operator'], [0, 100, 'operator'], [50, 0, 'operator']])
  for (const action of ['pause', 'resume']) {
    await app.act(app.children[1]!, { action })
    await app.all(`${action} is everywhere`, ({ view }) => view.paused === (action === 'pause'))
  }
})

t.test('the decider is killed: another goes on, and all have the same stage', async (t) => {
  const app = new App(t, await startServer(t))
  // The first process gets the lease. Without requests it goes to the first stage, where it waits.
  const [decider] = await app.start(1, AUTO)
  await app.all('it has begun', ({ percent }) => percent === 10)
  await app.start(3, AUTO)
  await app.all('all have its percent', ({ percent }) => percent === 10)
  await app.kill(decider!)
  for (const child of app.children) await child.order({ kind: 'traffic' })
  await app.all('the last stage is complete', ({ view, percent }) => view.completed && percent === 100)
  const [{ view }] = await app.statuses() as [Status]
  t.match(view.history.filter(({ from, to }) => from !== to).map(({ from, to, by }) => [from, to, by]), [[50, 100, 'canary'], [10, 50, 'canary'], [0, 10, 'canary']])
})

for (const [what, signal] of [['killed, and back without its data', 'SIGKILL'], ['stopped', 'SIGSTOP']] as const) {
  t.test(`Redis is ${what}: each process steps back by itself, and takes the common percent when it is back`, async (t) => {
    const { app, server } = await heldApp()
    await app.act(app.children[0]!, { action: 'to', percent: 50 })
    await app.all('all have the percent', ({ percent }) => percent === 50)
    const brokenAt = sharedNow()
    if (signal === 'SIGKILL') await server.kill()
    else server.signal(signal)
    await app.all('all have stepped back', ({ percent, view }) => percent === 0 && view.problem !== undefined)
    for (const { changes } of await app.statuses()) t.ok(changes.at(-1)!.at > brokenAt, 'not before')
    t.match(await app.act(app.children[1]!, { action: 'off' }), { statusCode: 503, body: { code: 'CACHE_ERR_ROLLOUT_UNAVAILABLE' } })
    if (signal === 'SIGKILL') await server.start()
    else server.signal('SIGCONT')
    await app.all('all have the percent again', ({ percent, view }) => percent === 50 && view.stage === 2 && view.problem === undefined)
    t.match(await app.act(app.children[2]!, { action: 'off' }), { statusCode: 200 })
    await app.all('an action is everywhere', ({ percent, view }) => percent === 0 && view.killed)
  })
}

t.test('Redis is flushed: all keep their percent, the state is written again, and a fresh process takes it', async (t) => {
  const { app, server } = await heldApp()
  // This is the last test of these processes, which would use processor time until the end.
  t.teardown(async () => {
    for (const child of [...app.children]) await app.kill(child)
    await server.close()
  })
  await app.act(app.children[0]!, { action: 'to', percent: 50 })
  await app.all('all have the percent', ({ percent }) => percent === 50)
  const changes = (await app.statuses()).map((status) => status.changes.length)
  const state = async (): Promise<{ revision: number; percent: number } | undefined> => {
    const text = await server.cli('GET', 'cache:{rollout}:state')
    return text === '' ? undefined : JSON.parse(text) as { revision: number; percent: number }
  }
  const { revision } = (await state())!
  await server.cli('FLUSHALL')
  await until('the state is written again', async () => (await state()) !== undefined)
  t.match(await state(), { percent: 50 })
  t.ok((await state())!.revision > revision, 'the revision goes on')
  await app.start(1, HELD)
  await app.all('all have the percent, the fresh one as well', ({ percent }) => percent === 50)
  t.same((await app.statuses(app.children.slice(0, 4))).map((status) => status.changes.length), changes, 'no process left it in between')
})

t.test('two versions of the app, or two apps with one prefix, whose stages differ: one decides, the others follow and say so', async (t) => {
  const app = new App(t, await startServer(t))
  const old = await app.start(2, AUTO)
  for (const child of old) await child.order({ kind: 'traffic' })
  await app.all('the first has begun', ({ percent }) => percent >= 10)
  const young = await app.start(2, { ...HELD, stages: [{ ...STAGES[0]!, percent: 20 }, STAGES[2]!] })
  for (const child of young) await child.order({ kind: 'traffic' })
  await app.all('the last stage of the deciding version is reached everywhere', ({ percent }) => percent === 100)
  for (const { view, problems } of await app.statuses(young)) {
    t.match(view.problem, /other stages or criteria/)
    t.equal(problems.filter((line) => /other stages or criteria/.test(line)).length, 1, 'it is logged once')
  }
  for (const { view } of await app.statuses(old)) t.equal(view.problem, undefined)
  // A kill switch that is used in a process of one version affects the processes of both versions.
  t.match(await app.act(young[0]!, { action: 'off' }), { statusCode: 200 })
  await app.all('all are off', ({ percent, view }) => percent === 0 && view.killed)
})

t.test('the processes of the deciding version are killed: those of the next version take over, and go no higher than the percent', async (t) => {
  const app = new App(t, await startServer(t))
  const old = await app.start(2, HELD)
  await app.all('the baseline has begun', ({ view }) => view.problem === undefined)
  await app.act(old[0]!, { action: 'to', percent: 50 })
  await app.all('all have the percent', ({ percent }) => percent === 50)
  const young = await app.start(2, { ...HELD, stages: [{ ...STAGES[0]!, percent: 20 }, STAGES[2]!] })
  await app.all('the next version follows', ({ percent, view }) => percent === 50 && /other stages or criteria/.test(view.problem ?? ''), young)
  for (const child of old) await app.kill(child)
  // The takeover takes more than 15 s, the lease of a killed decider. Two minutes of this plan add less than half a second.
  await app.all('one of the next version decides', ({ percent, view }) => percent === 20 && view.stage === 1 && view.problem === undefined)
  const [{ view }] = await app.statuses() as [Status]
  t.match(view.history[0], { from: 50, to: 20, by: 'canary', reason: /another plan/ })
  for (const { changes } of await app.statuses()) t.same(changes.map(({ percent }) => percent).slice(-2), [50, 20], 'without a percent in between')
})
