import { Rollout } from '@x/cache-core'
import { startServer } from '../server-process.js'
import { formatCount as n } from '../text.js'
import { checkCounts, type Check } from './checks.js'
import { countsBetween, readCounts, totalOf, type Arm, type Counted, type ServerCounts } from './counters.js'
import { sendRequests, type LoadReport } from './load.js'
import { LruSimulation } from './lru.js'
import type { ReplayOptions } from './options.js'
import { openTrace, sourceOf } from './trace.js'
import { DEFAULT_ZIPF, zipfTrace } from './zipf.js'

/** The report of a replay: the requests, their responses, the server's counts, and whether these agree. */
export interface ReplayReport {
  trace: string
  url: string
  path: string
  concurrency: number
  users: number | undefined
  /** Whether both arms of the rollout are reported side by side. */
  compare: boolean
  load: LoadReport
  /** The counts of the server during the replay. */
  counted: Counted
  checks: Check[]
}

/** Receives the progress of a replay. */
export type Progress = (sent: number) => void

/** Sends the trace to the given server, or to a server that is started for it, and compares the sent requests with the server's counts. */
export async function replay (options: ReplayOptions, onProgress?: Progress): Promise<ReplayReport> {
  const { trace, url, limit, checkLru } = options
  const ids = trace === undefined
    ? zipfTrace({ ...DEFAULT_ZIPF, length: Math.min(limit, DEFAULT_ZIPF.length) })
    : await openTrace(trace, limit)
  if (url !== undefined) return replayTo(url, ids, options, onProgress)
  const server = await startServer(checkLru === undefined
    ? {}
    : { CACHE_IMPL: process.env.CACHE_IMPL ?? 'memory', CACHE_MAX_ENTRIES: String(checkLru) })
  try {
    return await replayTo(server.url, ids, options, onProgress)
  } finally {
    await server.stop()
  }
}

type Ids = AsyncIterable<string> | Iterable<string>

async function replayTo (url: string, ids: Ids, options: ReplayOptions, onProgress?: Progress): Promise<ReplayReport> {
  const { trace, path, concurrency, rate, checkLru, users, compare } = options
  const lru = checkLru === undefined ? undefined : new LruSimulation(checkLru)
  let sent = 0
  const before = await readCounts(url)
  if (compare && !(before.percent > 0 && before.percent < 100)) {
    throw new Error(`There is one arm at ${before.percent} %: --compare needs a rollout between 0 and 100, such as CACHE_IMPL=redis CACHE_REDIS_ROLLOUT_PERCENT=50`)
  }
  const load = await sendRequests(ids, {
    url,
    path,
    concurrency,
    rate,
    users,
    groupOf: armsAt(before.percent),
    onSend (id) {
      lru?.request(id)
      onProgress?.(++sent)
    }
  })
  const moved = countsBetween(before, await readCounts(url))
  const counted = { ...moved, total: totalOf(moved.patterns), candidatesTotal: candidatesOf(moved, path) }
  return { trace: describeTrace(trace), url, path, concurrency, users, compare, load, counted, checks: checkCounts(load, counted, lru) }
}

/** Returns a function that gives the arm of a user, as a server without a `salt` assigns it. */
function armsAt (percent: number): (user: number) => Arm {
  const rollout = new Rollout()
  rollout.percent = percent
  return (user) => rollout.includes(String(user)) ? 'cached' : 'control'
}

/** Returns the candidates of the requested route; if no route has this path as its pattern, the candidates of all routes. */
function candidatesOf ({ candidates }: ServerCounts, path: string): number {
  return candidates[path] ?? Object.values(candidates).reduce((sum, count) => sum + count, 0)
}

function describeTrace (file: string | undefined): string {
  if (file !== undefined) return sourceOf(file) ?? file
  const { ids, skew, seed } = DEFAULT_ZIPF
  return `made up: Zipf, ${n(ids)} ids, skew ${skew}, seed ${seed} (no --trace was given)`
}
