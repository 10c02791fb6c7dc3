import { monotonicClock, OptionInvalid, type Events } from '@x/cache-core/suite'
import { BanQueue } from './ban-queue.js'
import { say, type Log } from '../lib/notices.js'
import { TAG_PATTERN } from '../policy-options.js'
import { GROUP_PREFIX, TAG_PREFIX } from '../store/cache-key.js'
import { EVERYTHING, Varnish } from './varnish.js'

/** Settings of the purger, which sends bans to Varnish; see option `purge`. */
export interface PurgeSettings {
  readonly varnish: readonly string[]
  readonly timeoutMs: number
  readonly attempts: number
  readonly againAfterMs: number
}

const TAG = new RegExp(TAG_PATTERN)
const INTERNAL = [TAG_PREFIX, GROUP_PREFIX]

/**
 * Sends bans to Varnish when tags are invalidated or the cache is cleared: at once, and again when every process has received the
 * invalidation.
 */
export class Purger {
  /** The number of bans that a proxy did not accept in any attempt, counted once for each tag and proxy. */
  failures = 0
  readonly #log: Log
  readonly #proxies: readonly { readonly varnish: Varnish; readonly queue: BanQueue }[]
  readonly #stops: readonly (() => void)[]

  /**
   * Prepares one queue of bans per proxy, and subscribes to the events of the cache.
   * @throws `CACHE_ERR_OPTION_INVALID` for an invalid URL
   */
  constructor ({ varnish: urls, timeoutMs, attempts, againAfterMs }: PurgeSettings, events: Events, log: Log) {
    this.#log = log
    this.#proxies = urls.map((url, at) => toVarnish(url, at, timeoutMs)).map((varnish) => {
      const queue = new BanQueue({
        attempts,
        againAfterMs,
        now: () => monotonicClock.now(),
        ban: (tags) => varnish.ban(tags),
        lost: (count, why) => this.#count(varnish.host, count, why)
      })
      return { varnish, queue }
    })
    this.#stops = [
      events.on('invalidated', (tags) => this.purge(tags)),
      events.on('cleared', () => this.#tell([EVERYTHING]))
    ]
  }

  /** Queues a ban of these tags for each proxy, and does not wait until the bans are sent. */
  purge (tags: readonly string[]): void {
    // Only tags that match `TAG_PATTERN` occur in response headers. Internal tags do not, and a proxy itself invalidates the target of an
    // unsafe method.
    this.#tell(tags.filter((tag) => TAG.test(tag) && !INTERNAL.some((prefix) => tag.startsWith(`${prefix}:`))))
  }

  /** Ends the subscriptions to the events of the cache and drops second bans. Resolves when each ban was sent once or given up. */
  async close (): Promise<void> {
    for (const stop of this.#stops) stop()
    await Promise.all(this.#proxies.map(async ({ varnish, queue }) => {
      await queue.close()
      varnish.close()
    }))
  }

  #tell (tags: readonly string[]): void {
    for (const { queue } of this.#proxies) queue.add(tags)
  }

  #count (proxy: string, count: number, why: string): void {
    this.failures += count
    say(this.#log, 'error', { proxy, why, bans: count, failures: this.failures }, 'Cache: a proxy did not take a ban; what it holds under the tag ends with its lifetime')
  }
}

function toVarnish (url: string, at: number, timeoutMs: number): Varnish {
  try {
    return new Varnish(url, timeoutMs)
  } catch {
    // The error has no `cause`, since the original error would contain the URL with its password.
    throw new OptionInvalid(`purge.varnish.${at}`, 'a string', 'a URL of http or https, user and password percent-encoded')
  }
}
