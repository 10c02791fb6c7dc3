import type { CacheCoreOptions } from '@x/cache-core'
import type { FastifyInstance } from 'fastify'
import { buildApp } from '../app.js'
import type { Database } from '../database/open.js'
import { DelayedCache } from './delayed-cache.js'
import { SimulatedTime } from './simulated-time.js'
import { Source } from './source.js'

/** Milliseconds of the simulated time that the canary counts as a minute. */
export const MINUTE_MS = 100

// An app in production leaves out `minuteMs`, hours and samples: the defaults are days and 10 000 requests.
const rollout: NonNullable<CacheCoreOptions['rollout']> = {
  // A stage goes on once a regression of 20 % would be seen against the hold-out: 1 % of the few requests of this demo would not show one.
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

/** The app of the demo, and the parts of it that can be made slow. */
export interface DemoApp {
  readonly app: FastifyInstance
  readonly time: SimulatedTime
  readonly source: Source
  readonly cache: DelayedCache
}

/**
 * Builds the example app in a simulated time.
 * @param isObserving true: NullCache, which stores nothing; false: a cache in memory with a canary
 */
export async function buildDemoApp (database: Database, isObserving: boolean): Promise<DemoApp> {
  const time = new SimulatedTime()
  const source = new Source(database, time)
  const cache = new DelayedCache(time)
  const app = await buildApp({ database: source.database, cache: { clock: time, ...isObserving ? {} : { implementation: cache, rollout } } })
  return { app, time, source, cache }
}
