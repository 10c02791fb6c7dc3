import type { FastifyInstance, FastifyReply } from 'fastify'
import { readStopwatch, type Clock } from '../lib/clock.js'
import type { MinuteRecorder } from '../rollout/minute-recorder.js'
import { FAILED_AFTER_MS, PendingRequests } from './pending-requests.js'
import type { RequestCaches } from './request-cache.js'

const kBegan = Symbol('@x/cache-core.began')
const COUNTED = -1

/**
 * A request with the time at which it began, in milliseconds of `readStopwatch`; the value `COUNTED` once it was counted. The time is no
 * request decorator, since Fastify would set a decorator on every request.
 */
interface Timed { [kBegan]?: number }

/** The parts of the core that the measurement of requests uses. */
export interface TrafficHost {
  readonly requests: RequestCaches
  readonly clock: () => Clock
  readonly recorder: () => MinuteRecorder | undefined
}

/**
 * Measures the duration of requests that used `request.cache`, from their first hook until their response is ready. Requests of both arms
 * call `request.cache` alike, so that the arms are comparable. If the connection of a request ends before its response, the time of waiting
 * counts as its duration; the request has failed if it waited for `FAILED_AFTER_MS` or more.
 */
export function measureRollout (fastify: FastifyInstance, { requests, clock, recorder }: TrafficHost): void {
  const pending = new PendingRequests(clock, (reply, seenAt) => {
    const milliseconds = seenAt - (reply.request as unknown as Timed)[kBegan]!
    if (milliseconds > 0) count(reply, milliseconds >= FAILED_AFTER_MS, seenAt)
  })
  /** Counts a request once, although `onSend` runs again for the error response when a later hook fails. */
  const count = ({ request }: FastifyReply, hasFailed: boolean, endedAt?: number): void => {
    const bucket = requests.bucketOf(request)
    const timed = request as unknown as Timed
    const began = timed[kBegan]
    if (bucket === undefined || began === undefined || began === COUNTED) return
    timed[kBegan] = COUNTED
    recorder()?.addRequest(bucket, (endedAt ?? readStopwatch(clock())) - began, hasFailed)
  }
  fastify.addHook('onClose', async function endMeasurement () { pending.close() })
  fastify.addHook('onRequest', function noteRolloutBegin (request, reply, done) {
    (request as unknown as Timed)[kBegan] = readStopwatch(clock())
    pending.begin(reply)
    done()
  })
  // `onResponse` is not used: for this hook Fastify adds two listeners to every response, which costs more than the other hooks.
  fastify.addHook('onSend', function measureRolloutRequest (_request, reply, _payload, done) {
    pending.answer(reply)
    count(reply, reply.statusCode >= 500)
    done()
  })
}
