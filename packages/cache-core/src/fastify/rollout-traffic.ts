import type { FastifyInstance } from 'fastify'
import type { Clock } from '../lib/clock.js'
import type { MinuteRecorder } from '../rollout/minute-recorder.js'
import type { RequestCaches } from './request-cache.js'

const kBegan = Symbol('@x/cache-core.began')
const COUNTED = -1

/**
 * A request with the time at which it began, in milliseconds of the cache's clock, or `COUNTED`. The time is no decorator, since Fastify
 * would set a decorator on every request.
 */
interface Timed { [kBegan]?: number }

/** The parts of the core that the measurement of requests uses. */
export interface TrafficHost {
  readonly requests: RequestCaches
  readonly clock: () => Clock
  readonly recorder: () => MinuteRecorder | undefined
}

/**
 * Measures the requests that used `request.cache`, from their first hook until their response is ready: in both arms the same requests do,
 * so that the arms are comparable.
 */
export function measureRollout (fastify: FastifyInstance, { requests, clock, recorder }: TrafficHost): void {
  fastify.addHook('onRequest', function noteRolloutBegin (request, _reply, done) {
    (request as unknown as Timed)[kBegan] = clock().now()
    done()
  })
  // `onResponse` is not used: for this hook Fastify adds two listeners to every response, which costs more than the other hooks.
  fastify.addHook('onSend', function measureRolloutRequest (request, reply, _payload, done) {
    const bucket = requests.bucketOf(request)
    if (bucket !== undefined) {
      const timed = request as unknown as Timed
      const began = timed[kBegan]
      // A request is counted once, although `onSend` runs again for the error response when a later hook fails.
      if (began !== undefined && began !== COUNTED) {
        timed[kBegan] = COUNTED
        recorder()?.addRequest(bucket, clock().now() - began, reply.statusCode >= 500)
      }
    }
    done()
  })
}
