import type { CacheCoreOptions } from '@x/cache-core'
import type { FastifyInstance } from 'fastify'
import { buildApp } from '../app.js'
import type { Database } from '../database/open.js'
import { DelayedCache } from './delayed-cache.js'
import { SimulatedTime } from './simulated-time.js'
import { Source } from './source.js'

/** Milliseconds of simulated time that the canary counts as one minute. */
export const MINUTE_MS = 100

// These options are for the demo only. An app in production leaves `minuteMs`, hours and samples at their defaults: stages of days with at
// least 10 000 requests.
const rollout: NonNullable<CacheCoreOptions['rollout']> = {
  // The hold-out is large, since a slowdown of 20 % must be detectable before a stage goes on. With 1 % of the demo's few requests it would
  // not be detectable.
  holdOut: 20,
  shadow: { percent: 100 },
  canary: {
    minuteMs: MINUTE_MS,
    baselineHours: 1.25,
    rampSeconds: 0.5,
    minSample: 200,
    stages: [10, 50, 100].map((percent) => ({ percent, holdHours: 0.75 }))
  }
}

/** The app of the demo, with the parts that the demo can slow down. */
export interface DemoApp {
  readonly app: FastifyInstance
  readonly time: SimulatedTime
  readonly source: Source
  readonly cache: DelayedCache
}

/**
 * Builds the example app with a simulated clock.
 * @param isObserving true: NullCache, which stores nothing; false: a cache in memory with a canary
 */
export async function buildDemoApp (database: Database, isObserving: boolean): Promise<DemoApp> {
  const time = new SimulatedTime()
  const source = new Source(database, time)
  const cache = new DelayedCache(time)
  const app = await buildApp({ database: source.database, cache: { clock: time, ...isObserving ? {} : { implementation: cache, rollout } } })
  return { app, time, source, cache }
}
