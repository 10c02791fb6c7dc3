import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify'
import type { Canary } from '../rollout/canary.js'
import { guardInternal, STATUS_PATH, type InternalAccess } from './status-route.js'

/** The path of the endpoints of a rollout. */
export const ROLLOUT_PATH = `${STATUS_PATH}/rollout`

/**
 * Adds `GET` and `POST /internal/cache/rollout`: the status with the history, and the actions of an operator. Both respond with the 404 of
 * an unknown route where the internal endpoints are closed.
 * @param isSeen whether a key of a pattern was used in this process; an action on a misspelt pattern stops nothing
 */
export function addRolloutRoutes (
  fastify: FastifyInstance, canary: () => Canary, access: () => InternalAccess, isSeen: (pattern: string) => boolean
): void {
  const options = { onRequest: guardInternal(access), schema: { hide: true } as object }
  fastify.get(ROLLOUT_PATH, options, async function showRollout (_request, reply) {
    reply.header('cache-control', 'no-store')
    return canary().view()
  })
  fastify.post(ROLLOUT_PATH, options, async function changeRollout (request, reply) {
    reply.header('cache-control', 'no-store')
    try {
      const { pattern } = (request.body ?? {}) as { pattern?: unknown }
      const isUnknown = typeof pattern === 'string' && !isSeen(pattern)
      const view = await canary().act(request.body)
      return isUnknown ? { ...view, note: [`no key of the pattern ${pattern} was used in this process`, ...view.note === undefined ? [] : [view.note]].join('; ') } : view
    } catch (error) {
      return refuse(reply, error as FastifyError)
    }
  })
}

/**
 * Sends a coded error as the response without the app's error handler, which could change the form of the error that `cache-advisor`
 * reads.
 */
function refuse (reply: FastifyReply, error: FastifyError): FastifyReply {
  const { code, message, statusCode } = error
  if (statusCode === undefined || typeof code !== 'string' || !code.startsWith('CACHE_ERR_')) throw error
  return reply.code(statusCode).send({ statusCode, code, error: error.name, message })
}
