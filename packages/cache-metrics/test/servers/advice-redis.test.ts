import { join } from 'node:path'
import { bundle } from '@x/test-kit/bundle'
import { Child } from '@x/test-kit/child'
import { PATIENT_REDIS } from '@x/test-kit/patient-redis'
import { RedisServer, until } from '@x/test-kit/redis-server'
import t, { type Test } from 'tap'
import type { Report } from '../../src/index.js'
import { atRate, zipf } from '../fixtures/streams.js'
import { run } from '../fixtures/run-cli.js'
import { exactMissRatesOf, withWrites, type Step } from '../fixtures/writes.js'

t.setTimeout(600_000)

const TTLS = [1, 60]
const ENTRIES = [100, 500, 2000]
const ADVISOR = { ttls: TTLS, entries: ENTRIES, minRequests: 1, minDays: 0 }
/** The number of requests that one process gets in a row, so that the order of all requests is known. */
const BATCH = 20

/** Starts one process of an app. */
function startApp (t: Test, options: object, advisor: object = ADVISOR): Promise<Child> {
  // Its home is the package with the dependencies that the program needs and the root does not have.
  const file = bundle(join(import.meta.dirname, '../fixtures/advice-child.ts'), 'cache-redis')
  return Child.start(t, file, JSON.stringify(options), JSON.stringify(advisor))
}

/** Returns the advice of a process, which answers at the address that it sent when it was ready. */
async function reportOf ({ ready: url }: Child): Promise<Report> {
  return await (await fetch(`${String(url)}/internal/cache/advice`)).json() as Report
}

async function startRedis (t: Test): Promise<RedisServer> {
  const server = await RedisServer.start()
  t.teardown(() => server.close())
  return server
}

function optionsOf ({ url }: RedisServer): object {
  return { url, ...PATIENT_REDIS }
}

/** Distributes a stream over processes; returns its steps with the times at which they were carried out. */
async function spread (steps: readonly Step[], children: readonly Child[]): Promise<Step[]> {
  const done: Step[] = []
  for (let at = 0; at < steps.length; at += BATCH) {
    const some = steps.slice(at, at + BATCH)
    const times = await children[at / BATCH % children.length]!.order<number[]>({ kind: 'steps', steps: some })
    done.push(...some.map((step, index) => ({ ...step, now: times[index]! })))
  }
  return done
}

/** Returns the largest difference between the points of a report and an exact simulation of the stream. */
function worstError (report: Report, steps: readonly Step[]): number {
  const { points } = report.advice.find(({ name }) => name === 'item')!
  return Math.max(...ENTRIES.flatMap((entries) => exactMissRatesOf(steps, TTLS, entries).map((missRate, at) =>
    Math.abs(points.find((point) => point.ttl === TTLS[at] && point.entries === entries)!.hitRate - 1 + missRate))))
}

t.test('four processes on one Redis foretell within 0.02 of an exact simulation of the joint stream, and a fifth goes on with it', async (t) => {
  const server = await startRedis(t)
  const options = optionsOf(server)
  const children = await Promise.all(Array.from({ length: 4 }, () => startApp(t, options)))
  const steps = await spread(withWrites(atRate(100, zipf(3, 0.9, 4000, 6000)), 0.1, 'del', 3), children)
  const [last, ...others] = children as [Child, ...Child[]]
  const alone = await reportOf(last)
  t.match(alone, { source: 'this process' })
  // The processes are ended, since a process stores its state when it closes.
  for (const child of others) await child.end()
  const report = await reportOf(last)
  t.match(report, { source: '4 processes', notes: [/4 processes together/] })
  const figures = `worst error ${worstError(report, steps).toFixed(4)}, of one process alone ${worstError(alone, steps).toFixed(4)}`
  t.comment(figures)
  t.ok(worstError(report, steps) <= 0.02, figures)
  t.equal(report.advice.find(({ name }) => name === 'item')!.points.length, TTLS.length * ENTRIES.length)
  await last.end()

  const next = await startApp(t, options)
  const later = await reportOf(next)
  t.match(later, { source: '4 processes' })
  t.ok(worstError(later, steps) <= 0.02)
  await next.end()
  t.equal(await server.cli('KEYS', '*lease*'), '', 'each process has freed its slot')
  t.notMatch(await server.cli('GET', 'cache:{advice}:state:0'), /item:/)
})

t.test('cache-advisor report --app --app: four processes without a store foretell the same', async (t) => {
  const server = await startRedis(t)
  const advisor = { ...ADVISOR, keep: false, salt: 'a secret of all four' }
  const children = await Promise.all(Array.from({ length: 4 }, () => startApp(t, optionsOf(server), advisor)))
  const steps = await spread(withWrites(atRate(100, zipf(4, 0.9, 4000, 6000)), 0.1, 'del', 4), children)
  const { stdout, stderr } = await run(['report', '--format', 'json', ...children.flatMap(({ ready: url }) => ['--app', String(url)])])
  t.equal(stderr, '')
  const report = JSON.parse(stdout) as Report
  const figures = `worst error ${worstError(report, steps).toFixed(4)}`
  t.comment(figures)
  t.ok(worstError(report, steps) <= 0.02, figures)
  t.equal(await server.cli('KEYS', '*advice*'), '', 'nothing is stored')
})

t.test('a process that was killed leaves its last state to the next one', async (t) => {
  const server = await startRedis(t)
  const child = await startApp(t, optionsOf(server))
  await spread(atRate(100, zipf(5, 0.9, 100, 500)), [child])
  await child.end()
  const killed = await startApp(t, optionsOf(server))
  killed.process.kill('SIGKILL')
  await until('its lease has not ended', async () => await server.cli('KEYS', '*lease:0') !== '')
  const next = await startApp(t, optionsOf(server))
  t.match(await reportOf(next), { source: '2 processes', advice: [{ name: 'item', kind: 'pattern' }] })
  await next.end()
})
