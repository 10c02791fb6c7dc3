import type { FastifyReply } from 'fastify'
import { readStopwatch, type Clock } from '../lib/clock.js'
import { isGone } from './client-gone.js'

/** Milliseconds between two checks of the requests without a response. */
const LOOK_EVERY_MS = 1000
/**
 * Milliseconds without a response after which a request counts as failed: a proxy in front would answer it with 504. If the client
 * disconnects earlier, the request is no failure of the app.
 */
export const FAILED_AFTER_MS = 5000

/**
 * Is called for a request whose connection ended before its response began.
 * @param seenAt the time at which the connection was last seen open, in milliseconds of `readStopwatch`
 */
export type OnUnanswered = (reply: FastifyReply, seenAt: number) => void

/**
 * The requests of one app that have no response yet. A timer checks their connections once per second, since a listener on each connection
 * would cost every request more. A request that begins and is abandoned between two checks is therefore not reported.
 */
export class PendingRequests {
  readonly #clock: () => Clock
  readonly #onUnanswered: OnUnanswered
  readonly #replies = new Set<FastifyReply>()
  readonly #timer: NodeJS.Timeout
  #lookedAt = -Infinity

  constructor (clock: () => Clock, onUnanswered: OnUnanswered) {
    this.#clock = clock
    this.#onUnanswered = onUnanswered
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS)
    this.#timer.unref()
  }

  begin (reply: FastifyReply): void { this.#replies.add(reply) }

  /** Notes that the response of a request begins. */
  answer (reply: FastifyReply): void { this.#replies.delete(reply) }

  close (): void {
    clearInterval(this.#timer)
    this.#replies.clear()
  }

  #look (): void {
    const now = readStopwatch(this.#clock())
    for (const reply of this.#replies) {
      if (!reply.sent && !isGone(reply)) continue
      this.#replies.delete(reply)
      // After `reply.hijack()` the app writes the response itself, so that neither its begin nor its status is known here.
      if (!reply.sent) this.#onUnanswered(reply, this.#lookedAt)
    }
    this.#lookedAt = now
  }
}
