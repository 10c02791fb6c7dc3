import type { UnstoredReason } from './judge-response.js'
import { Notices, type Log } from '../lib/notices.js'
import type { StoredRoute } from './cache-request.js'
import { RepeatedReasons, type RepeatedReason } from './repeated-reasons.js'

/** A lasting reason why responses of a route are not stored: the app must change its responses, or remove `store` from the route. */
interface Lasting {
  /** The number of unstored responses after which the reason counts as lasting: one, if it applies to every response of the route. */
  readonly after: number
  /**
   * Whether the handler of the route sees the whole request once this reason counts as lasting. `false`: the reason depends on a single
   * response or on an upstream server.
   */
  readonly showsAll: boolean
  readonly message: string
}

const SEVERAL = 3
/**
 * The number of unstored responses of an upstream after which a reason counts as lasting. The number is high, since a proxied route has
 * many pages, each with its own headers.
 */
const MANY = 20
const TAKE_STORE_AWAY = 'or take store from the route'
const LASTING: Partial<Record<UnstoredReason, Lasting>> = {
  vary: { after: 1, showsAll: true, message: `vary by request headers that are not in the key; name them in vary, ${TAKE_STORE_AWAY}` },
  serializer: { after: 1, showsAll: true, message: `are made by a serializer that a hook chooses; where it chooses by Accept, name accept in vary, ${TAKE_STORE_AWAY}` },
  'serialized-text': { after: 1, showsAll: false, message: `are texts that a serializer changes; send the text as it is to be, ${TAKE_STORE_AWAY}` },
  'content-encoding': { after: 1, showsAll: true, message: `are encoded by the handler without Vary: Accept-Encoding; let it send them plain, with @fastify/compress behind it, ${TAKE_STORE_AWAY}` },
  'csp-nonce': { after: 1, showsAll: true, message: `have a Content-Security-Policy with a nonce, which is for one response; use hashes in place of nonces, ${TAKE_STORE_AWAY}` },
  'endless-stream': { after: 1, showsAll: true, message: 'are streams that do not end; take store from the route' },
  'unsupported-payload': { after: 1, showsAll: true, message: `are Response objects, web streams or others that cannot be recorded; send a string, a Buffer, an object or a Readable, ${TAKE_STORE_AWAY}` },
  'cache-groups': { after: SEVERAL, showsAll: false, message: `have more Cache-Groups than their entry can have beside its tags, at most 64 together; name fewer, ${TAKE_STORE_AWAY}` },
  hijacked: { after: 1, showsAll: true, message: 'go out past Fastify (reply.hijack, reply.raw); take store from the route' },
  'set-cookie': { after: SEVERAL, showsAll: true, message: `set cookies; set them elsewhere, ${TAKE_STORE_AWAY}` },
  private: { after: SEVERAL, showsAll: true, message: 'say private; take that from their Cache-Control, or store from the route' },
  'no-store': { after: SEVERAL, showsAll: true, message: 'say no-store; take that from their Cache-Control, or store from the route' },
  'no-lifetime': { after: SEVERAL, showsAll: false, message: `name no lifetime above 0; set max-age or s-maxage in their Cache-Control, ${TAKE_STORE_AWAY}` },
  'too-large': { after: SEVERAL, showsAll: false, message: `are larger than maxBodyBytes; raise it, ${TAKE_STORE_AWAY}` }
}

/** Reasons why a response is not stored that follow from its `Cache-Control` or `Expires`, which an upstream server may set. */
const OF_LIFETIME = new Set<UnstoredReason>(['private', 'no-store', 'no-lifetime'])

/** The responses of one route so far. `unstored`: for each reason, the number of responses that were not stored for it. */
interface Observed { readonly unstored: Map<UnstoredReason, number>; isShownAll: boolean; hasStorable: boolean }

/**
 * Routes with `store` whose responses are not stored, for a lasting reason, which is logged once for each route and reason. The handler of
 * such a route sees the whole request, since hidden headers would be of no use. Its responses are neither stored nor shared. The first
 * storable response ends this state until the process ends, so that no client can cause it for a route that stores.
 */
export class UnstoredRoutes {
  readonly #routes = new Map<string, Observed>()
  readonly #notices = new Notices()
  readonly #repeated = new RepeatedReasons()

  /** Whether the handler of a route sees the whole request, and none of its responses is stored. */
  showsAll (route: StoredRoute): boolean {
    return this.#routes.get(nameOf(route))?.isShownAll === true
  }

  /**
   * Counts an unstored response of a route by its reason, and logs the reason when it counts as lasting. `undefined`: another response was
   * sent in its place.
   */
  note (route: StoredRoute, reason: UnstoredReason | undefined, fields: object, log: Log): void {
    this.noteOther(route)
    if (reason === undefined) return
    const lasting = LASTING[reason]
    if (lasting === undefined) return
    const isByResponse = route.policy.store === 'by-response'
    const isWordOfUpstream = isByResponse && OF_LIFETIME.has(reason)
    const seen = this.#of(route)
    const times = (seen.unstored.get(reason) ?? 0) + 1
    seen.unstored.set(reason, times)
    // A reason that may apply to a single response only is logged after several such responses, and never for a route that has storable
    // responses.
    if (times < (isWordOfUpstream ? MANY : lasting.after) || (lasting.after > 1 && seen.hasStorable)) return
    const isShown = lasting.showsAll && !seen.hasStorable && !isWordOfUpstream
    if (isShown && times >= (isByResponse ? MANY : lasting.after)) seen.isShownAll = true
    this.#notices.warnOnce(log, `${reason} ${nameOf(route)}`, { route: route.pattern, reason, ...fields },
      `Cache: responses of this route are not stored, since they ${lasting.message}${seen.isShownAll ? '. As long as none can be, its handler sees the whole request, and they are private where they name no Cache-Control' : ''}`)
  }

  /**
   * Counts a request to a route whose response is not stored for a reason that depends on the request or the status, and logs the reason
   * after many of them, unless the route has stored or served a response.
   * @param namesOf returns the names of what causes the reason
   */
  noteRepeated (route: StoredRoute, reason: RepeatedReason, namesOf: () => readonly string[], log: Log): void {
    if (route.hasStored !== true) this.#repeated.note(route, reason, namesOf, log)
  }

  /** Counts a response of a route that is not stored because of its status, as `noteRepeated` does; `0`: no such response was sent. */
  noteStatus (route: StoredRoute, status: number, log: Log): void {
    // A status from 400 on describes a fault of the client or the server, which need not be that of the next requests.
    if (status >= 200 && status < 400) this.noteRepeated(route, 'status', () => [String(status)], log)
    else this.noteOther(route)
  }

  /** Records an outcome of a request that has none of the repeated reasons, and so ends a succession of them. */
  noteOther (route: StoredRoute): void {
    if (route.hasStored !== true) this.#repeated.end(route)
  }

  /** Records that a response of a route could be stored. */
  noteStorable (route: StoredRoute): void {
    route.hasStored = true
    const seen = this.#of(route)
    seen.hasStorable = true
    seen.isShownAll = false
  }

  #of (route: StoredRoute): Observed {
    const name = nameOf(route)
    let seen = this.#routes.get(name)
    if (seen === undefined) this.#routes.set(name, seen = { unstored: new Map(), isShownAll: false, hasStorable: false })
    return seen
  }
}

/** Returns the name of a route; the HEAD route of a GET route has the same name. */
function nameOf ({ pattern, choice }: StoredRoute): string {
  return `${pattern} ${choice}`
}
