import type { CacheStatus } from '../rules/cache-status.js'
import { CONDITIONAL } from '../rules/visibility.js'
import { Notices } from '../lib/notices.js'
import type { CacheRequest } from './cache-request.js'
import type { RecordingMemory } from './recording.js'
import { judge } from './judge-response.js'
import type { UnstoredRoutes } from './unstored-routes.js'

/** The functions and objects of the response cache that handler runs for one request use. */
export interface LoneRunSettings {
  readonly maxBodyBytes: number
  readonly memory: RecordingMemory
  readonly unstored: UnstoredRoutes
}

/** Handler runs for one request each: their responses are neither stored nor shared. */
export class LoneRuns {
  readonly #settings: LoneRunSettings
  readonly #notices = new Notices()

  constructor (settings: LoneRunSettings) {
    this.#settings = settings
  }

  /**
   * Runs the handler for one request alone; it sees only the headers in the cache key.
   * @param also further headers that the handler sees
   */
  async runAlone (request: CacheRequest, status: CacheStatus, also?: readonly string[]): Promise<void> {
    request.setStatus(status)
    await request.run(also)
  }

  /** Runs the handler for a request for a range that no stored response answers; it sees `Range` and the preconditions, too. */
  async runRange (request: CacheRequest): Promise<void> {
    const status: CacheStatus = { fwd: 'bypass', detail: 'range' }
    this.#settings.unstored.noteOther(request.route)
    if (this.#settings.unstored.showsAll(request.route)) await this.runShown(request, status)
    else await this.runAlone(request, status, CONDITIONAL)
  }

  /**
   * Runs the handler for a request whose hooks set another `Content-Type` or `Content-Language` than those of the stored response. The new
   * response is not stored: two such responses would replace each other in turn.
   */
  async runLabelled (request: CacheRequest): Promise<void> {
    const { log, route: { pattern } } = request
    this.#notices.warnOnce(log, pattern, { route: pattern }, 'Cache: hooks in front of the handler of this route give its responses different types or languages, and Vary does not say by which header; name that in vary. Until then one of them is stored')
    await this.runAlone(request, { fwd: 'vary-miss', detail: 'labels' })
  }

  /**
   * Runs the handler of a route whose responses are not stored, and shows it the whole request. The handler may then read any header, so
   * its response is for this client alone, and gets no `Cache-Control` that lets shared caches store it.
   * @param mayEnd whether a storable response of this run ends that state, so that later responses of the route are stored
   */
  async runShown (request: CacheRequest, status: CacheStatus, mayEnd = false): Promise<void> {
    const { maxBodyBytes, memory, unstored } = this.#settings
    const requestedAt = Date.now()
    const recorded = request.record({
      maxBytes: maxBodyBytes,
      memory,
      intercept: () => undefined,
      judge: (recorded, final) => {
        const judged = judge(request, recorded, final, requestedAt)
        if (judged.response === undefined) return judged
        if (mayEnd) unstored.noteStorable(request.route)
        request.removeHeader('cache-control')
        return { reason: 'personal' }
      },
      onStream: () => {}
    }, 'shown-all')
    request.setStatus(status, () => {
      const reason = recorded.unstored
      request.markPersonal()
      return reason
    })
    const failed = await recorded.start()
    if (failed !== undefined) throw failed.error
  }
}
