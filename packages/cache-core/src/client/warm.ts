import { Deadlines } from '../lib/deadlines.js'
import { LoadTimeout } from '../contract/errors.js'
import type { FastifyCache, WarmItem, WarmOptions, WarmReport } from './fastify-cache.js'
import { limitOf, LOAD_LIMIT_MS } from '../loading/load.js'
import { WARM_DEFAULTS } from './warm-options.js'
import { checkNames } from '../contract/option-names.js'

/** The methods of a logger that the call `warm` uses. */
export interface WarmLog {
  info (details: object, message: string): void
  warn (details: object, message: string): void
}

/**
 * Loads the warm items that have no entry, `concurrency` at a time, and logs each quarter of the progress. An item whose load does not end
 * within its `timeoutMs`, or else 30 s, counts as failed; its load continues.
 * @param isStored whether the value of a key would be stored; other keys are skipped, since their loads would only cost the source
 */
export async function warm (
  cache: FastifyCache, items: readonly WarmItem[], { concurrency = WARM_DEFAULTS.concurrency }: WarmOptions = {}, log?: WarmLog,
  isStored: (key: string) => boolean = () => true
): Promise<WarmReport> {
  const stored = items.filter((item) => isStored(item?.key))
  const total = stored.length
  const report: WarmReport = { warmed: 0, failed: 0, skipped: items.length - total }
  // A load of a warm item that hangs does not keep the process of a closing app running.
  const limit = new Deadlines(LOAD_LIMIT_MS, { holdsProcess: false })
  let quarter = 1
  let ended = 0
  const queue = stored.values()
  const work = async (): Promise<void> => {
    for (const item of queue) {
      try {
        const error = checkNames('warmItem', item)
        if (error !== undefined) throw error
        if (await loadOne(cache, item, limit) === undefined) report.skipped++
        else report.warmed++
      } catch (error) {
        report.failed++
        log?.warn({ err: error, key: item?.key }, 'Cache: a key could not be warmed')
      }
      ended++
      if (ended < total && ended >= total * quarter / 4) {
        log?.info({ ended, total }, 'Cache: warming')
        while (ended >= total * quarter / 4) quarter++
      }
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.min(Math.trunc(concurrency) || 1, total)) }, work))
  log?.info({ ...report, total }, 'Cache: warmed')
  return report
}

function loadOne (cache: FastifyCache, { key, loader, options }: WarmItem, limit: Deadlines): Promise<unknown> {
  const loaded = cache.getOrSet(key, loader, options)
  if (limitOf(options?.timeoutMs) !== undefined) return loaded
  return new Promise((resolve, reject) => {
    const watched = limit.watch((ms) => reject(new LoadTimeout(ms)))
    loaded.then(resolve, reject).finally(() => limit.unwatch(watched))
  })
}
