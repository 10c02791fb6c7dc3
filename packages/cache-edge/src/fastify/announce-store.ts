import type { CacheRegistry } from '@x/cache-core'
import { RESPONSE_KEYS } from '@x/cache-core/suite'
import { say, warn, type Log } from '../lib/notices.js'

/**
 * Logs at the start where the app's responses are stored, if that may not be what was meant.
 * @param isNamed whether the keys of the stored responses have the name of the app
 */
export function announceStore (log: Log, { active, rollout }: CacheRegistry, isNamed: boolean): void {
  if (!rollout.allows(RESPONSE_KEYS)) {
    warn(log, {}, `Cache: no response is stored, since rollout.allow lacks "${RESPONSE_KEYS}", the key pattern of stored responses`)
  } else if (active.isLocal) {
    warn(log, {}, 'Cache: responses are stored in the memory of this process; other processes do not see its invalidations')
  } else if (!active.passThrough && !isNamed) {
    // An app alone under its prefix needs no name, so this is no warning.
    say(log, 'info', {}, 'Cache: responses are stored in a shared store without the name of the app in their keys; another app under the same keyPrefix would serve them at the same host and path. Give each app a name by the option app')
  }
}
