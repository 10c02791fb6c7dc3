import type { CacheStatus } from '../rules/cache-status.js'
import { Capture } from '../fastify/response-recorder.js'
import { showAllBeforeSend } from '../fastify/handler-view.js'
import { runHandler } from '../fastify/run-handler.js'
import type { SeenRequest } from '../fastify/seen-request.js'
import { judge, type Exchange } from './storability.js'
import { Notices } from '../lib/notices.js'
import type { Answers } from '../fastify/serve.js'
import type { PersonalRequests } from '../fastify/personal-requests.js'
import type { RecordingMemory } from './recording.js'
import type { RequestView } from '../fastify/request-view.js'
import type { UnstoredRoutes } from './unstored-routes.js'

/** A request whose handler is run. */
export interface HandlerRequest extends Exchange {
  readonly view: RequestView
  readonly run: () => unknown
}

/** The parts of the response cache that lone runs use. */
export interface LoneRunSettings {
  readonly maxBodyBytes: number
  readonly memory: RecordingMemory
  readonly answers: Answers
  readonly unstored: UnstoredRoutes
  readonly personal: PersonalRequests
}

const NOTHING_HIDDEN: SeenRequest = { showSome: () => {}, showAll: () => {} }

/** Runs handlers for one request each: nothing of their answers is stored, and nobody waits for them. */
export class LoneRuns {
  readonly #settings: LoneRunSettings
  readonly #notices = new Notices()

  constructor (settings: LoneRunSettings) {
    this.#settings = settings
  }

  /** Runs the handler with the headers in its sight that are in the key. */
  async runAlone (visit: HandlerRequest, status: CacheStatus): Promise<void> {
    const { reply, run, view } = visit
    this.#settings.answers.tell(reply, status)
    await runHandler(run, reply, showAllBeforeSend(reply, view.show(undefined)))
  }

  /** Runs the handler for a request whose hooks label the answer in another way than the stored one. Stored, the two would replace each other. */
  async runLabelled (visit: HandlerRequest): Promise<void> {
    const { request, view: { route: { pattern } } } = visit
    this.#notices.warnOnce(request.log, pattern, { route: pattern }, 'Cache: hooks in front of the handler of this route give its answers different types or languages, and Vary does not say by which header; name that in vary. Until then one of them is stored')
    await this.runAlone(visit, { fwd: 'vary-miss', detail: 'labels' })
  }

  /**
   * Runs the handler of a route whose answers are not stored, with the whole request in its sight. The answer is not stored, and is for
   * this client alone: nobody knows which headers the handler has looked at. One that could be stored says so against its own Cache-Control.
   * @param mayEnd whether such an answer ends that for the route
   */
  async runShown (visit: HandlerRequest, status: CacheStatus, mayEnd = false): Promise<void> {
    const { request, reply, run, view: { route } } = visit
    const { maxBodyBytes, memory, personal, unstored } = this.#settings
    const requestedAt = Date.now()
    const capture = new Capture(reply, NOTHING_HIDDEN, {
      maxBytes: maxBodyBytes,
      memory,
      intercept: () => undefined,
      judge: (captured, final) => {
        const judged = judge(visit, captured, final, requestedAt)
        if (judged.response === undefined) return judged
        if (mayEnd) unstored.noteStorable(route)
        reply.removeHeader('cache-control')
        return { reason: 'personal' }
      }
    })
    this.#settings.answers.tell(reply, status, () => {
      const reason = capture.unstored
      personal.mark(request)
      return reason
    })
    await runHandler(run, reply, capture)
  }
}
