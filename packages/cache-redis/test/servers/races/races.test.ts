import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { RedisCacheOptions } from '../../../src/index.js'
import { Random } from '@x/test-kit/virtual-time'
import { isSettled, startCache, startProxy, startServer } from '../../fixtures/caches.js'
import { startChild } from '../../fixtures/children.js'
import { disturb } from '../../fixtures/disturb.js'
import { until } from '@x/test-kit/redis-server'
import { Actor, check, checkEnd, LocalSource, sharedNow, type Happening } from '../../fixtures/world.js'

// SEED=n repeats the random choices of a run, except those of the network. FOR_SECONDS=n makes it run longer, CALLERS=n uses more callers
// in each process, LEVEL=near runs one level only.
const { SEED, FOR_SECONDS, LEVEL } = process.env
const MS = Number(FOR_SECONDS ?? 3) * 1000
const HEARTBEAT_TIMEOUT_MS = 200
const PROCESSES = 4
// The near cache holds fewer copies than there are keys, so that some copies are evicted.
const near: RedisCacheOptions = { near: { maxEntries: 40 } }
const LEVELS: [name: string, RedisCacheOptions, allowanceMs: number][] = [
  ['bounded', { consistency: 'bounded' }, HEARTBEAT_TIMEOUT_MS],
  ['strong', { consistency: 'strong' }, 0],
  // In this level a removal of a key also reaches other processes by a message, so it has the same allowance.
  ['near', near, HEARTBEAT_TIMEOUT_MS]
]

t.setTimeout(4 * MS + 120_000)

const options: RedisCacheOptions = {
  heartbeatMs: 50, heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS, breaker: { probeMs: 100 }, commandTimeoutMs: 300, maxQueuedInvalidations: 20
}

interface Report { history: Happening[]; failures: string[]; calls: number; hits: number; nearHits: number }

function seedOf (): number {
  return SEED === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(SEED)
}

interface Level { level: RedisCacheOptions; allowanceMs: number }

function judge (t: Test, seed: number, { level, allowanceMs }: Level, reports: readonly Report[]): void {
  const history = reports.flatMap((report) => report.history)
  const failures = [...reports.flatMap((report) => report.failures), ...check(history, allowanceMs), ...checkEnd(history)]
  const sum = (numbers: number[]): number => numbers.reduce((total, each) => total + each, 0)
  const queued = history.filter((each) => each.kind === 'removed' && !each.isOk).length
  const calls = sum(reports.map((report) => report.calls))
  const copies = sum(reports.map(({ nearHits }) => nearHits))
  t.comment(`SEED=${seed}: ${calls} calls, ${sum(reports.map(({ hits }) => hits))} hits, ${copies} of copies, ${queued} removals queued`)
  t.equal(failures.length, 0, `SEED=${seed}\n${failures.slice(0, 20).join('\n')}`)
  t.ok(sum(reports.map(({ hits }) => hits)) > 0, 'something was served')
  if (level.near !== undefined) t.ok(copies > 0, 'copies were served')
}

for (const [name, level, allowanceMs] of LEVELS) {
  if (LEVEL !== undefined && LEVEL !== name) continue
  t.test(`no call is given what was invalidated before it (${name}), whatever the network does`, async (t) => {
    const seed = seedOf()
    const server = await startServer(t)
    const source = new LocalSource()
    const proxies = await Promise.all(Array.from({ length: PROCESSES }, () => startProxy(t, server.port)))
    const actors = await Promise.all(proxies.map(async ({ url }, id) =>
      new Actor(id, PROCESSES, await startCache(t, { url, ...level, ...options }), source, seed)))
    const end = sharedNow() + MS
    const isOver = (): boolean => sharedNow() > end
    await Promise.all([disturb(proxies, new Random(seed), isOver), ...actors.map((actor) => actor.run(isOver))])
    await until('all are back in service', () => actors.every(({ redis }) => isSettled(redis, level) && redis.status().queuedInvalidations === 0))
    await wait(HEARTBEAT_TIMEOUT_MS)
    for (const actor of actors) await actor.readAll()
    judge(t, seed, { level, allowanceMs }, actors)
  })

  // A short run skips the second consistency level, since starting processes takes a long time.
  if (name === 'strong' && FOR_SECONDS === undefined) continue
  t.test(`no call is given what another process invalidated before it (${name}), whatever the network does`, async (t) => {
    const seed = seedOf()
    const server = await startServer(t)
    const sourceServer = await startServer(t)
    const proxies = await Promise.all(Array.from({ length: PROCESSES }, () => startProxy(t, server.port)))
    const children = await Promise.all(proxies.map(({ url }, id) => startChild(t, 'race-child.ts',
      String(id), String(PROCESSES), String(seed), sourceServer.url, JSON.stringify({ url, ...level, ...options }))))
    const end = sharedNow() + MS
    const [, ...ran] = await Promise.all([
      disturb(proxies, new Random(seed), () => sharedNow() > end),
      ...children.map((child) => child.order<{ hasRun: boolean }>({ ms: MS }))
    ])
    t.ok(ran.every(({ hasRun }) => hasRun))
    await wait(HEARTBEAT_TIMEOUT_MS)
    const reports = await Promise.all(children.map((child) => child.order<Report>({ kind: 'report' })))
    judge(t, seed, { level, allowanceMs }, reports)
    for (const code of await Promise.all(children.map((child) => child.end()))) t.equal(code, 0, 'the process ends by itself')
  })
}
