import { once } from 'node:events'
import { extname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connectDatabase } from '../database/connect.js'
import { findRecord } from '../models/record.js'
import { startProgram, startServer, type ServerProcess } from '../server-process.js'
import type { SoakOptions } from './options.js'
import { RestartedRedis } from './redis.js'
import { Traffic } from './traffic.js'
import { ASK, type Usage } from './usage.js'
import { growthOf, type Growth } from './verdict.js'

/** The findings of a soak. */
export interface SoakReport {
  sent: number
  statuses: Record<string, number>
  problemCount: number
  problems: string[]
  /** For each start of Redis, the seconds until all servers had it in service again. */
  recoveries: number[]
  /** The growth of memory and handles, by server; `undefined`: the run was too short for a verdict. */
  growth: (Growth[] | undefined)[]
  /** The last sample of memory and handles of each server. */
  last: Usage[]
}

const SAMPLES = 60
const RECOVERY_MS = 60_000
/** The minimum minutes of a run: a shorter run only shows how the memory of a server grows at its start. */
const MIN_MINUTES = 5

/** Runs the example with two servers, one database and one Redis, under mixed load. Redis is stopped and started again repeatedly. */
export async function soak (options: SoakOptions, log: (line: string) => void): Promise<SoakReport> {
  const redis = await RestartedRedis.start()
  const processes: ServerProcess[] = []
  try {
    const database = await startProgram('database/main', { DATABASE_PORT: '0', DATABASE_DIR: '', HOST: '' })
    processes.push(database)
    const [host = '', port = ''] = database.url.split(':')
    const env = {
      DATABASE_HOST: host,
      DATABASE_PORT: port,
      HOST: '127.0.0.1',
      NODE_ENV: 'development',
      FEATURE_CACHE: '',
      FEATURE_CACHE_REDIS: '',
      CACHE_IMPL: 'redis',
      CACHE_REDIS_URL: redis.url,
      // Only fatal errors are logged, since each write during an intended outage of Redis would log an error.
      LOG_LEVEL: 'fatal'
    }
    const usage = fileURLToPath(new URL(`./usage${extname(import.meta.url)}`, import.meta.url))
    const servers = await Promise.all([1, 2].map(() => startServer(env, ['--expose-gc', '--import', usage])))
    processes.unshift(...servers)
    return await run(options, servers, redis, { host, port: Number(port) }, log)
  } finally {
    for (const each of processes) await each.stop()
    await redis.stop('SIGKILL')
  }
}

async function run (options: SoakOptions, servers: readonly ServerProcess[], redis: RestartedRedis, address: { host: string; port: number }, log: (line: string) => void): Promise<SoakReport> {
  const traffic = new Traffic(servers.map(({ url }) => url))
  const ends = Date.now() + options.minutes * 60_000
  const samples: Usage[][] = servers.map(() => [])
  const recoveries: number[] = []
  const sending = traffic.run(options.clients, options.rate)
  const restarting = restart(options, ends, servers, redis, (seconds) => {
    recoveries.push(seconds)
    log(`Redis was away for ${options.downSeconds} s, and in service ${seconds.toFixed(1)} s after its start; ${traffic.sent} requests, ${traffic.problemCount} problems`)
  })
  const sampling = sample(options.minutes * 60_000 / SAMPLES, ends, servers, samples)
  try {
    await Promise.all([restarting, sampling])
  } finally {
    traffic.stop()
    await sending
  }
  const stale = await compare(traffic.written, servers, address)
  return {
    sent: traffic.sent,
    statuses: traffic.statuses,
    problemCount: traffic.problemCount + stale.length,
    problems: [...traffic.problems, ...stale.slice(0, 20)],
    recoveries,
    growth: samples.map((each) => options.minutes < MIN_MINUTES ? undefined : growthOf(each)),
    last: samples.map((each) => each.at(-1)!)
  }
}

/** Stops Redis and starts it again until the time of the soak is over. Redis is killed and shut down in turn. */
async function restart (
  { restartSeconds, downSeconds }: SoakOptions, ends: number, servers: readonly ServerProcess[], redis: RestartedRedis, onRecovery: (seconds: number) => void
): Promise<void> {
  for (let turn = 0; Date.now() + restartSeconds * 1000 < ends; turn++) {
    await sleep(restartSeconds * 1000)
    await redis.stop(turn % 2 === 0 ? 'SIGKILL' : 'SIGTERM')
    await sleep(downSeconds * 1000)
    const started = Date.now()
    await redis.start()
    await Promise.all(servers.map((server) => untilInService(server.url)))
    onRecovery((Date.now() - started) / 1000)
  }
}

async function untilInService (url: string): Promise<void> {
  for (const end = Date.now() + RECOVERY_MS; Date.now() < end; await sleep(100)) {
    const { implName, degraded } = await (await fetch(`${url}/internal/cache`)).json() as { implName: string, degraded: boolean }
    if (implName === 'RedisCache' && !degraded) return
  }
  throw new Error(`${url}: Redis is not in service ${RECOVERY_MS / 1000} s after its start`)
}

async function sample (everyMs: number, ends: number, servers: readonly ServerProcess[], samples: Usage[][]): Promise<void> {
  while (Date.now() < ends) {
    await sleep(everyMs)
    const usages = await Promise.all(servers.map(async ({ child }) => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error('A server has ended; what it printed says why')
      const answered = once(child, 'message') as Promise<[{ usage: Usage }]>
      child.send(ASK)
      return (await answered)[0].usage
    }))
    for (const [at, usage] of usages.entries()) samples[at]!.push(usage)
  }
}

/** Returns the records for which a server has another version than the database, while no request is in progress. */
async function compare (written: ReadonlyMap<number, number>, servers: readonly ServerProcess[], address: { host: string; port: number }): Promise<string[]> {
  const database = connectDatabase(address)
  const stale: string[] = []
  for (const id of written.keys()) {
    const { version } = await findRecord(database, id)
    for (const { url } of servers) {
      const seen = (await (await fetch(`${url}/api/records/${id}`)).json() as { version: number }).version
      if (seen !== version) stale.push(`At the end ${url}/api/records/${id} has version ${seen}, the database ${version}`)
    }
  }
  await database.close()
  return stale
}
