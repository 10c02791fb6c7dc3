import { Deadlines } from '../lib/deadlines.js'
import type { Log } from '../lib/harmless.js'

/** Milliseconds for which a raise waits for its warm items. */
export const WARM_LIMIT_MS = 30_000

const limits = new Deadlines(WARM_LIMIT_MS, { holdsProcess: false })

/**
 * Waits for the warm items of a stage, so that its first requests find the critical keys. A load that hangs delays the stage by at most
 * 30 s, and continues. Never rejects.
 */
export function warmStage (warming: Promise<unknown>, log: Log): Promise<void> {
  return limits.bound(warming, () => {}, (ms) => {
    log.warn({ ms }, 'Cache: rollout: the stage begins although some warm items are not loaded yet')
  }, (err) => {
    log.warn({ err }, 'Cache: rollout: the stage begins without warm items')
  })
}
