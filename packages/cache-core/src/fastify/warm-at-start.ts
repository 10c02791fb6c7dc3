import type { Log } from '../lib/harmless.js'

/** The fraction of Fastify's `pluginTimeout` for which the start waits for the load of the warm items. */
const WARM_SHARE = 0.8

/**
 * Waits for `warming`, the load of the warm items, at most for a fraction of Fastify's `pluginTimeout`. Warming then continues in the
 * background, since Fastify fails the start of an app if a hook takes longer than that limit.
 * @param pluginTimeout milliseconds; `0` or `undefined`: Fastify has no limit
 */
export async function warmAtStart (warming: Promise<unknown>, pluginTimeout: number | undefined, log: Log): Promise<void> {
  if (pluginTimeout === undefined || pluginTimeout === 0) {
    await warming
    return
  }
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => { timer = setTimeout(resolve, pluginTimeout * WARM_SHARE, 'late') })
  if (await Promise.race([warming, late]) === 'late') {
    log.warn({ pluginTimeout }, 'Cache: warming goes on in the background, since the app could not start within its pluginTimeout')
  }
  clearTimeout(timer)
}
