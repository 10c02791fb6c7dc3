import { warn, type Log } from '../lib/notices.js'
import type { StoredRoute } from './cache-request.js'

/** A reason that depends on each single request or response, and lasts only if it applies to all of them. */
export type RepeatedReason = 'status' | 'host' | 'personal'

/** The number of requests in succession after which a reason counts as lasting, if no response of the route could be stored. */
const MANY = 20
/** The maximum number of names in a warning, and of characters of one name. */
const MAX_NAMES = 8
const MAX_LENGTH = 64

const MESSAGES: Record<RepeatedReason, string> = {
  status: 'their status is none that this route stores; name it in statuses if it may be stored, or take store from the route',
  host: 'the host of the requests is not in the option hosts; name it there in the spelling that clients send, with the port if they send one',
  personal: 'each request has credentials, as a gateway or an analytics script may add them; name cookies on which no response depends in ignoreCookies, set sameForAll if the response is the same for all clients, or take store from the route'
}

/** The requests of one route in succession that have one reason, with the names that all of them have in common. */
interface Succession { reason: RepeatedReason; count: number; names: readonly string[]; isLogged: boolean }

/**
 * Routes with `store` of which no response could be stored or served since the start of the process, because one reason applied to many
 * requests in succession. Such a reason is logged once for each route.
 */
export class RepeatedReasons {
  readonly #routes = new Map<StoredRoute, Succession>()

  /**
   * Counts a request by the reason for which its response is not stored. A request without a known cause is not counted, and does not end
   * the succession: it is a probe or a request to a personal path.
   * @param namesOf returns what causes the reason: names of headers and cookies, never their values, or a status
   */
  note (route: StoredRoute, reason: RepeatedReason, namesOf: () => readonly string[], log: Log): void {
    let seen = this.#routes.get(route)
    if (seen === undefined) this.#routes.set(route, seen = { reason, count: 0, names: [], isLogged: false })
    if (seen.isLogged) return
    const names = namesOf()
    if (names.length === 0) return
    if (seen.reason !== reason || seen.count === 0) Object.assign(seen, { reason, count: 0, names })
    // Names that not all requests have do not explain the reason, unless the requests have none in common.
    const common = seen.names.filter((name) => names.includes(name))
    seen.names = common.length > 0 ? common : names
    if (++seen.count < MANY) return
    seen.isLogged = true
    const causes = seen.names.slice(0, MAX_NAMES).map((name) => name.slice(0, MAX_LENGTH))
    warn(log, { route: route.pattern, reason, causes }, `Cache: no response of this route has been stored so far, since ${MESSAGES[reason]}`)
  }

  /** Ends the succession of a route after a request with any other outcome. */
  end (route: StoredRoute): void {
    const seen = this.#routes.get(route)
    if (seen !== undefined) seen.count = 0
  }
}
