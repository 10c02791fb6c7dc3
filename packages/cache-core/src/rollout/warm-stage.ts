import { Deadlines } from '../lib/deadlines.js'
import type { Log } from '../lib/harmless.js'

/** Milliseconds for which a raise of the percent of cached subjects waits for the warm items. */
export const WARM_LIMIT_MS = 30_000

const limits = new Deadlines(WARM_LIMIT_MS, { holdsProcess: false })

/**
 * Waits until the warm items of a stage are loaded, so that the first requests of the stage find them. A load of a warm item that hangs
 * delays the stage by at most 30 s, and then continues in the background. Never rejects.
 */
export function warmStage (warming: Promise<unknown>, log: Log): Promise<void> {
  return limits.bound(warming, () => {}, (ms) => {
    log.warn({ ms }, 'Cache: rollout: the stage begins although some warm items are not loaded yet')
  }, (err) => {
    log.warn({ err }, 'Cache: rollout: the stage begins without warm items')
  })
}
