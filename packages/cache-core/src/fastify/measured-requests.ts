import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { readStopwatch, type Clock } from '../lib/clock.js'
import { isGone } from './client-gone.js'

/** Milliseconds between two checks whether the clients of unanswered requests are still connected. */
const LOOK_EVERY_MS = 1000
/**
 * Milliseconds without a response after which a disconnect of the client counts as a failure of the app, as if a proxy had sent 504. A
 * disconnect before that time does not.
 */
const FAILED_AFTER_MS = 5000

/** Receives the end of each request of a Fastify instance, once. The functions of the listener must not throw. */
export interface RequestListener {
  /**
   * Called when the response is ready, in an `onSend` hook: `payload` is as the earlier `onSend` hooks left it, and later ones may
   * change it.
   * @param milliseconds since the first hook; `undefined`: a hook before the measurement answered the request, so its begin is not known
   * @param endedAt the time of the response, in milliseconds of `readStopwatch`, so that listeners need not read the clock
   */
  answered (reply: FastifyReply, milliseconds: number | undefined, payload: unknown, endedAt: number): void
  /**
   * Called when the client disconnected without a response after `milliseconds` of waiting; `hasFailed`: the wait was so long that it
   * counts as a failure of the app.
   */
  unanswered (reply: FastifyReply, milliseconds: number, hasFailed: boolean): void
}

/**
 * A place in the list of requests that have no response yet. Places are reused. The list is no `Set` of replies: its hash table would
 * outlive the replies, so that the garbage collector would copy a third of all requests to the old space.
 */
interface Place { reply: FastifyReply | undefined; began: number }

const kPlace = Symbol('@x/cache-core.place')
const ENDED: Place = Object.freeze({ reply: undefined, began: NaN })

/**
 * A request with its place in the list of pending requests, or with `ENDED` once its measurement has ended. The place is a property and no
 * decorator, since Fastify would set a decorator on every request.
 */
interface Placed { [kPlace]?: Place }

/**
 * The one measurement of the requests of a Fastify instance, from their first hook to their response or, without one, to the end of their
 * connection. The hooks are added with the first listener, so that an app without listeners pays nothing.
 */
export class MeasuredRequests {
  readonly #clock: () => Clock
  #listeners: readonly RequestListener[] = []
  /** The places of requests that have no response yet, and the places that are free for reuse. */
  readonly #places: Place[] = []
  readonly #free: Place[] = []
  #lookedAt = -Infinity

  constructor (fastify: FastifyInstance, clock: () => Clock) {
    this.#clock = clock
    const measured = this
    // The connections are checked once per second, since a listener for the end of each connection would cost every request more. A client
    // that sends its request and disconnects between two checks is therefore not noticed.
    const timer = setInterval(() => this.#look(), LOOK_EVERY_MS)
    timer.unref()
    fastify.addHook('onClose', async function endMeasurement () {
      clearInterval(timer)
      measured.#places.length = 0
    })
    // The hooks belong to the instance, not to each route. Hooks of the instance also run for unmatched requests, and for routes that were
    // declared before. `onResponse` is not used: for this hook Fastify adds two listeners to every response, which costs more than the
    // hooks that are used here.
    fastify.addHook('onRequest', function noteBegin (request, reply, done) {
      measured.#begin(request, reply)
      done()
    })
    fastify.addHook('onSend', function measureRequest (request, reply, payload, done) {
      measured.#answer(request, reply, payload)
      done()
    })
  }

  /** Adds a listener that is called at the end of each request; returns the function that removes it. */
  listen (listener: RequestListener): () => void {
    this.#listeners = [...this.#listeners, listener]
    return () => { this.#listeners = this.#listeners.filter((other) => other !== listener) }
  }

  #begin (request: FastifyRequest, reply: FastifyReply): void {
    let place = this.#free.pop()
    if (place === undefined) this.#places.push(place = { reply: undefined, began: 0 })
    place.reply = reply
    place.began = readStopwatch(this.#clock())
    ;(request as Placed)[kPlace] = place
  }

  /** Ends the measurement of a request once, although `onSend` runs again for the error response when a later hook fails. */
  #answer (request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
    const placed = request as Placed
    const place = placed[kPlace]
    if (place === ENDED) return
    placed[kPlace] = ENDED
    const endedAt = readStopwatch(this.#clock())
    let milliseconds: number | undefined
    if (place !== undefined) {
      milliseconds = endedAt - place.began
      // A request whose connection is not watched any more (`#forget`) has no place in the list.
      if (place.reply !== undefined) this.#release(place)
    }
    for (const listener of this.#listeners) listener.answered(reply, milliseconds, payload, endedAt)
  }

  #release (place: Place): void {
    place.reply = undefined
    this.#free.push(place)
  }

  /**
   * Ends the measurement of requests whose client has disconnected since the last check. The measured end of such a request is the time of
   * the last check, which found the connection open.
   */
  #look (): void {
    const now = readStopwatch(this.#clock())
    for (let at = this.#places.length - 1; at >= 0; at--) {
      const place = this.#places[at]!
      const { reply } = place
      if (reply === undefined) continue
      // A response that the app sent past Fastify, by `reply.raw`, is not measured: its end and status are not known.
      if (reply.sent) this.#forget(place, at)
      else if (isGone(reply)) this.#leave(place, at, reply)
    }
    this.#lookedAt = now
  }

  #leave (place: Place, at: number, reply: FastifyReply): void {
    const milliseconds = this.#lookedAt - place.began
    if (milliseconds <= 0) return this.#forget(place, at)
    ;(reply.request as Placed)[kPlace] = ENDED
    this.#release(place)
    for (const listener of this.#listeners) listener.unanswered(reply, milliseconds, milliseconds >= FAILED_AFTER_MS)
  }

  /**
   * Stops watching the connection of a request. The request keeps its `Place` object, although the object is removed from the list, so that
   * a response that is still sent is measured.
   */
  #forget (place: Place, at: number): void {
    place.reply = undefined
    this.#places[at] = this.#places.at(-1)!
    this.#places.pop()
  }
}

/** The measurements of requests that one core has made: one object per Fastify instance with a listener. */
export class RequestMeasurements {
  readonly #clock: () => Clock
  readonly #measured = new Map<FastifyInstance, MeasuredRequests>()

  constructor (clock: () => Clock) {
    this.#clock = clock
  }

  of (fastify: FastifyInstance): MeasuredRequests {
    let measured = this.#measured.get(fastify)
    if (measured === undefined) this.#measured.set(fastify, measured = new MeasuredRequests(fastify, this.#clock))
    return measured
  }
}
